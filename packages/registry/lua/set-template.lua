--[[
Sets or clears an app's template, unless the app has been deployed again since the template's version.
KEYS  1 the app (hash)
ARGV  1 version, 2 image, '' for none
returns 1 when it was set
]]
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'template', ARGV[2])
return 1
