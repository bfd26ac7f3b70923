--[[
Records a new instance; tells the route feed. A repetition of the same operation gets the same answer.
KEYS  1 the app (hash), 2 aids (hash AID -> app), 3 the app's instances (hash AID -> JSON), 4 feed, 5 feed counter
ARGV  1 app, 2 AID, 3 record (JSON), 4 operation, 5 '1' to refuse when the app has another live or sleeping instance
returns {'ok', record} | {'no-app'} | {'aid-taken'} | {'not-first', record of the other}
]]
--@include announce
local known = redis.call('HGET', KEYS[3], ARGV[2])
if known and cjson.decode(known).op == ARGV[4] then return {'ok', known} end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return {'aid-taken'} end
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no-app'} end
if ARGV[5] == '1' then
  for _, other in ipairs(redis.call('HVALS', KEYS[3])) do
    local state = cjson.decode(other).state
    if state ~= 'failed' and state ~= 'stopping' then return {'not-first', other} end
  end
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
announce(KEYS[4], KEYS[5], ARGV[1])
return {'ok', ARGV[3]}
