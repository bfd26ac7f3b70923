--[[
All instances of all apps, also of removed ones.
KEYS  1 aids (hash AID -> app), 2 prefix of the apps' instances (hash AID -> JSON)
returns the records
]]
local seen, records = {}, {}
for _, app in ipairs(redis.call('HVALS', KEYS[1])) do
  if not seen[app] then
    seen[app] = true
    for _, record in ipairs(redis.call('HVALS', KEYS[2] .. app)) do records[#records + 1] = record end
  end
end
return records
