%% Counts in a table of the BEAM's memory; a process ticks; inets' httpd serves.
-module(counter).
-export([start/0, do/1]).
-include_lib("inets/include/httpd.hrl").

start() ->
    {ok, _} = application:ensure_all_started(inets),
    {ok, _} = application:ensure_all_started(crypto),
    Owner = self(),
    spawn(fun() ->
        ets:new(counts, [public, named_table]),
        ets:insert(counts, [{visits, 0}, {ticks, 0}]),
        Owner ! ready,
        tick()
    end),
    receive ready -> ok end,
    {ok, _} = inets:start(httpd, [{port, 3000}, {server_name, "counter"}, {server_root, "/tmp"}, {document_root, "/tmp"}, {modules, [counter]}]).

tick() ->
    timer:sleep(50),
    ets:update_counter(counts, ticks, 1),
    tick().

text("/ticks") -> io_lib:format("ticks ~p", [ets:lookup_element(counts, ticks, 2)]);
text("/draws") -> io_lib:format("~p~n~p", [rand:uniform(1 bsl 50), binary:decode_unsigned(crypto:strong_rand_bytes(8))]);
text(_) -> io_lib:format("visits ~p", [ets:update_counter(counts, visits, 1)]).

do(#mod{request_uri = Path}) -> {proceed, [{response, {200, lists:flatten(text(Path))}}]}.
