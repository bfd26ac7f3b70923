--[[
Gives a lease back, unless it has run out and is somebody else's by now.
KEYS  1 the lease
ARGV  1 token of the holder
returns 1 when it was given back
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
