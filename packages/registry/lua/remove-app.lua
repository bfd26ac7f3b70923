--[[
Forgets an app and frees its host names; tells the route feed. Its instances stay until they are stopped.
KEYS  1 apps (set of names), 2 the app (hash), 3 hosts (hash host -> app), 4 feed, 5 feed counter
ARGV  1 name
returns 1 when there was one
]]
--@include announce
if redis.call('SREM', KEYS[1], ARGV[1]) == 0 then return 0 end
for host in string.gmatch(redis.call('HGET', KEYS[2], 'hosts') or '', '%S+') do
  redis.call('HDEL', KEYS[3], host)
end
redis.call('DEL', KEYS[2])
announce(KEYS[4], KEYS[5], ARGV[1])
return 1
