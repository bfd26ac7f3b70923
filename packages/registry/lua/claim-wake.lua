--[[
Decides, for everybody who wants an app awake at the same time, who does what. Exactly one is told `claimed`; the state
has then changed already (asleep -> restoring, parked -> unparking, or draining -> ready), its epoch moved on, and the route feed knows.
The feed is not told of what a node claims, which soon says the outcome: its followers would be woken beside the visitor's program,
and answered before the node is.
A repetition of the same operation gets the same answer.
KEYS  1 the app's instances (hash AID -> JSON), 2 feed, 3 feed counter
ARGV  1 app, 2 operation, 3 now, 4 reason, 5 AID and 6 node: only that instance, asleep on that node, is claimed; or nothing
returns {'ready' | 'claimed' | 'pending', record} | {'none'}
]]
--@include announce
-- The better the state, the sooner a visitor is answered. Not in the list: nothing to wait for.
-- One that sleeps goes before one that is parked, though that is slower: it has the memory that the visitor left there.
local rank = { ready = 1, draining = 2, restoring = 3, launching = 3, cloning = 3, unparking = 3, snapshotting = 4, asleep = 5, parked = 6 }
local next = { draining = 'ready', asleep = 'restoring', parked = 'unparking' }

local function better(a, b)
  if rank[a.state] ~= rank[b.state] then return rank[a.state] < rank[b.state] end
  -- Of several that sleep, the one that was awake last remembers most.
  if a.since ~= b.since then return a.since > b.since end
  return a.aid < b.aid
end

local best, json
for _, known in ipairs(redis.call('HVALS', KEYS[1])) do
  local record = cjson.decode(known)
  if record.op == ARGV[2] then return {'claimed', known} end
  if rank[record.state] and (not best or better(record, best)) then best, json = record, known end
end
if not best then return {'none'} end
if best.state == 'ready' then return {'ready', json} end
if not next[best.state] then return {'pending', json} end
if ARGV[5] and (best.aid ~= ARGV[5] or best.node ~= ARGV[6] or best.state ~= 'asleep') then return {'pending', json} end

best.state = next[best.state]
best.epoch = best.epoch + 1
best.since = tonumber(ARGV[3])
best.reason = ARGV[4]
best.op = ARGV[2]
best.claimedBy = ARGV[6]
json = cjson.encode(best)
redis.call('HSET', KEYS[1], best.aid, json)
if not ARGV[5] then announce(KEYS[2], KEYS[3], ARGV[1]) end
return {'claimed', json}
