--[[
Sets or clears an app's template, unless the app has been deployed again since the template's version; tells the route feed, by which
schedulers know the farm.
KEYS  1 the app (hash), 2 feed, 3 feed counter
ARGV  1 name, 2 version, 3 image, '' for none
returns 1 when it was set
]]
--@include announce
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'template', ARGV[3])
announce(KEYS[2], KEYS[3], ARGV[1])
return 1
