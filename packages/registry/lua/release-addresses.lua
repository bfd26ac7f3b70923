--[[
Takes addresses back; each rests before it is given again. A repetition of the same operation does nothing: in between,
the address may have been given to somebody else.
KEYS  1 leases (hash address -> node), 2 resting (zset address by end of rest), 3 pool (hash: restMs), 4 this operation's mark
ARGV  1 milliseconds to remember the operation, 2… addresses
returns how many were leased until now
]]
if not redis.call('SET', KEYS[4], 1, 'PX', ARGV[1], 'NX') then return 0 end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local rest = tonumber(redis.call('HGET', KEYS[3], 'restMs') or '0')
local released = 0
for i = 2, #ARGV do
  if redis.call('HDEL', KEYS[1], ARGV[i]) == 1 then
    released = released + 1
    if rest > 0 then redis.call('ZADD', KEYS[2], now + rest, ARGV[i]) end
  end
end
return released
