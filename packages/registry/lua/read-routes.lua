--[[
What routes are made of, at one moment, with the place in the feed that belongs to that moment.
KEYS  1 apps (set of names), 2 prefix of the apps (hash), 3 prefix of the apps' instances (hash AID -> JSON), 4 feed, 5 feed counter
ARGV  the apps; none for all
returns {feed position, feed counter, {app, specification or '', {records}, trial (JSON) or ''}…}
]]
local newest = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)[1]
local answer = { newest and newest[1] or '0-0', redis.call('GET', KEYS[5]) or '0' }
local apps = #ARGV > 0 and ARGV or redis.call('SMEMBERS', KEYS[1])
for _, app in ipairs(apps) do
  answer[#answer + 1] = { app, redis.call('HGET', KEYS[2] .. app, 'spec') or '', redis.call('HVALS', KEYS[3] .. app),
    redis.call('HGET', KEYS[2] .. app, 'trial') or '' }
end
return answer
