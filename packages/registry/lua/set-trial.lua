--[[
Gives a version on trial its share of the requests, or ends the trial; tells the route feed.
KEYS  1 the app (hash), 2 feed, 3 feed counter
ARGV  1 name, 2 current version that it stands beside, 3 trial (JSON), '' for none
returns 1 when it was set
]]
--@include announce
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'trial', ARGV[3])
announce(KEYS[2], KEYS[3], ARGV[1])
return 1
