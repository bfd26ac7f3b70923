--[[
Records leases that a node really holds, whatever the registry had forgotten.
KEYS  1 leases (hash address -> node), 2 resting (zset address by end of rest)
ARGV  1 node, 2… addresses
returns the addresses that another node has; those are not recorded
]]
local refused = {}
for i = 2, #ARGV do
  local owner = redis.call('HGET', KEYS[1], ARGV[i])
  if owner and owner ~= ARGV[1] then
    refused[#refused + 1] = ARGV[i]
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[1])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
return refused
