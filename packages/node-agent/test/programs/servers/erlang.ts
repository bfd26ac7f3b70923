import { counter, draws } from '../client/http.js';
import type { Program } from '../driver/program.js';

export const erlang: Program = {
  name: 'erlang', packages: ['erlang-base', 'erlang-inets', 'erlang-crypto', 'erlang-dev'],
  version: ['erl', '-noshell', '-eval', 'io:format("~s.0", [erlang:system_info(otp_release)]), halt().'], build: [['erlc', 'counter.erl']],
  command: ['erl', '-noinput', '-s', 'counter', 'start'],
  parts: 'BEAM and its schedulers, inets httpd', ...counter, draws,
};
