--[[
Reserves AIDs: above every one given before, and never below the clock in microseconds. So they stay unique when Redis
comes back without its last writes - provided that none was given far ahead of the clock, hence the limit.
KEYS  1 last AID given
ARGV  1 how many, 2 microseconds that they may be ahead of the clock, or '' for no limit
returns {'ok', first} | {'ahead', microseconds to wait}
]]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local first = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, now)
local last = first + tonumber(ARGV[1]) - 1
local limit = tonumber(ARGV[2])
if limit and last > now + limit then
  return {'ahead', string.format('%.0f', last - now - limit)}
end
redis.call('SET', KEYS[1], string.format('%.0f', last))
return {'ok', string.format('%.0f', first)}
