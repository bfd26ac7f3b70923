--[[
Deploys an app: its host names, its specification, the next version, no template yet; tells the route feed.
Versions go on growing when an app was removed in between, for job ids are made of them.
KEYS  1 apps (set of names), 2 the app (hash), 3 hosts (hash host -> app), 4 versions (hash app -> last version), 5 feed, 6 feed counter
ARGV  1 name, 2 specification (JSON), 3 now, 4… hosts
returns {'ok', version} | {'host-taken', host, owner}
]]
--@include announce
local name = ARGV[1]
for i = 4, #ARGV do
  local owner = redis.call('HGET', KEYS[3], ARGV[i])
  if owner and owner ~= name then return {'host-taken', ARGV[i], owner} end
end
for host in string.gmatch(redis.call('HGET', KEYS[2], 'hosts') or '', '%S+') do
  redis.call('HDEL', KEYS[3], host)
end
for i = 4, #ARGV do redis.call('HSET', KEYS[3], ARGV[i], name) end
local version = redis.call('HINCRBY', KEYS[4], name, 1)
redis.call('HSET', KEYS[2], 'spec', ARGV[2], 'version', version, 'deployedAt', ARGV[3], 'template', '', 'hosts', table.concat(ARGV, ' ', 4))
redis.call('SADD', KEYS[1], name)
announce(KEYS[5], KEYS[6], name)
return {'ok', version}
