--[[
Gives a node the first free ones of the addresses it names. A repetition of the same operation gets the same answer.
KEYS  1 leases (hash address -> node), 2 resting (zset address by end of rest), 3 cursor, 4 this operation's answer
ARGV  1 node, 2 how many, 3 milliseconds to remember the answer, 4… candidates in order
returns the addresses, joined by spaces
]]
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local wanted, leased = tonumber(ARGV[2]), {}
for i = 4, #ARGV do
  if #leased == wanted then break end
  local address = ARGV[i]
  if not redis.call('ZSCORE', KEYS[2], address) and redis.call('HSETNX', KEYS[1], address, ARGV[1]) == 1 then
    leased[#leased + 1] = address
  end
end
if #leased > 0 then redis.call('SET', KEYS[3], leased[#leased]) end
answer = table.concat(leased, ' ')
redis.call('SET', KEYS[4], answer, 'PX', ARGV[3])
return answer
