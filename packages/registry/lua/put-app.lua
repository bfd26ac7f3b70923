--[[
Deploys an app: its host names, its specification, its version, the version's template; tells the route feed.
What was current becomes what a rollback goes back to; a trial is over. Versions go on growing when an app was removed in
between, for job ids are made of them.
KEYS  1 apps (set of names), 2 the app (hash), 3 hosts (hash host -> app), 4 versions (hash app -> last version), 5 feed, 6 feed counter
ARGV  1 name, 2 specification (JSON), 3 now, 4 version taken for it before, '' for the next one, 5 template, '' for none, 6… hosts
returns {'ok', version} | {'host-taken', host, owner}
]]
--@include announce
local name = ARGV[1]
for i = 6, #ARGV do
  local owner = redis.call('HGET', KEYS[3], ARGV[i])
  if owner and owner ~= name then return {'host-taken', ARGV[i], owner} end
end
local was = redis.call('HMGET', KEYS[2], 'spec', 'version', 'deployedAt', 'template', 'hosts')
-- The same once more, after a lost connection: what was before it is `previous` already.
if ARGV[4] ~= '' and was[2] == ARGV[4] then return {'ok', tonumber(ARGV[4])} end
for host in string.gmatch(was[5] or '', '%S+') do
  redis.call('HDEL', KEYS[3], host)
end
for i = 6, #ARGV do redis.call('HSET', KEYS[3], ARGV[i], name) end
local version = ARGV[4]
if version == '' then version = redis.call('HINCRBY', KEYS[4], name, 1) end
-- The specification stays the text that it was: decoded and encoded again, an empty list would become an object.
local previous = was[1] and cjson.encode({ version = tonumber(was[2]), deployedAt = tonumber(was[3]), template = was[4] }) or ''
redis.call('HSET', KEYS[2], 'spec', ARGV[2], 'version', version, 'deployedAt', ARGV[3], 'template', ARGV[5], 'hosts', table.concat(ARGV, ' ', 6),
  'previous', previous, 'previousSpec', was[1] or '', 'trial', '')
redis.call('SADD', KEYS[1], name)
announce(KEYS[5], KEYS[6], name)
return {'ok', tonumber(version)}
