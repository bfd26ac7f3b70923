--[[
Makes every AID given from now on greater than one that was found in use.
KEYS  1 last AID given
ARGV  1 the AID found, decimal
returns 1 when that changed anything
]]
if tonumber(ARGV[1]) <= tonumber(redis.call('GET', KEYS[1]) or '0') then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
