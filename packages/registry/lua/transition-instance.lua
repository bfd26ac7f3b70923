--[[
Moves an instance to another state and its epoch on by one; tells the route feed. `gone` deletes the record.
A repetition of the same operation gets the same answer.
KEYS  1 aids (hash AID -> app), 2 prefix of the apps' instances (hash AID -> JSON), 3 feed, 4 feed counter, 5 this operation's answer
ARGV  1 AID, 2 operation, 3 new state, 4 states wanted by the caller, 5 states from which the new one is legal (both
      joined by spaces), 6 epoch or '', 7 now, 8 reason, 9 patch (JSON object; null removes a field), 10 milliseconds to
      remember the answer of a deletion
returns {'ok', record} | {'not-found'} | {'stale-epoch', record} | {'illegal-transition', record}
]]
--@include announce
local function has(list, word) return string.find(' ' .. list .. ' ', ' ' .. word .. ' ', 1, true) ~= nil end

local aid, operation, to = ARGV[1], ARGV[2], ARGV[3]
local app = redis.call('HGET', KEYS[1], aid)
if not app then
  local answer = redis.call('GET', KEYS[5])
  if answer then return {'ok', answer} end
  return {'not-found'}
end
local instances = KEYS[2] .. app
local known = redis.call('HGET', instances, aid)
local record = cjson.decode(known)
if record.op == operation then return {'ok', known} end
if ARGV[6] ~= '' and tonumber(ARGV[6]) ~= record.epoch then return {'stale-epoch', known} end
if not has(ARGV[4], record.state) or not has(ARGV[5], record.state) then return {'illegal-transition', known} end

record.state = to
record.epoch = record.epoch + 1
record.since = tonumber(ARGV[7])
record.reason = ARGV[8]
record.op = operation
if to == 'asleep' then
  record.endpoint = nil
  record.memoryBytes = 0
  record.pids = 0
end
for field, value in pairs(cjson.decode(ARGV[9])) do
  if value == cjson.null then record[field] = nil else record[field] = value end
end
local json = cjson.encode(record)
if to == 'gone' then
  redis.call('HDEL', instances, aid)
  redis.call('HDEL', KEYS[1], aid)
  redis.call('SET', KEYS[5], json, 'PX', ARGV[10])
else
  redis.call('HSET', instances, aid, json)
end
announce(KEYS[3], KEYS[4], app)
return {'ok', json}
