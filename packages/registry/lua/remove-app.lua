--[[
Forgets an app and frees its host names and farm ports; tells the route feed. Its instances stay until they are stopped.
KEYS  1 apps (set of names), 2 the app (hash), 3 hosts (hash host -> app), 4 feed, 5 feed counter, 6 farm ports (hash farm port -> 'app port')
ARGV  1 name
returns 1 when there was one
]]
--@include announce
if redis.call('SREM', KEYS[1], ARGV[1]) == 0 then return 0 end
for host in string.gmatch(redis.call('HGET', KEYS[2], 'hosts') or '', '%S+') do
  redis.call('HDEL', KEYS[3], host)
end
local ports = redis.call('HGETALL', KEYS[6])
for i = 1, #ports, 2 do
  if string.match(ports[i + 1], '^%S+') == ARGV[1] then redis.call('HDEL', KEYS[6], ports[i]) end
end
redis.call('DEL', KEYS[2])
announce(KEYS[4], KEYS[5], ARGV[1])
return 1
