--[[
Gives an app farm ports for the ports that it exposes: all or none. What it has it keeps, so a repetition changes nothing.
KEYS  1 farm ports (hash farm port -> 'app port')
ARGV  1 app, 2 first and 3 last of the farm ports that are given away, 4… pairs: port, farm port or '' for any
returns {'ok', farm port…} in the order of the pairs | {'taken', farm port, owner} | {'none-left'}
]]
local app = ARGV[1]
local owners, mine = {}, {}
local known = redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
  local owner, port = string.match(known[i + 1], '^(%S+) (%d+)$')
  owners[known[i]] = owner
  if owner == app then mine[port] = known[i] end
end

local answer, claims = {'ok'}, {}
for i = 4, #ARGV, 2 do
  local port, farm = ARGV[i], ARGV[i + 1]
  if farm ~= '' then
    if owners[farm] and owners[farm] ~= app then return {'taken', farm, owners[farm]} end
    owners[farm] = app
    claims[farm] = port
  end
end
for i = 4, #ARGV, 2 do
  local port, farm = ARGV[i], ARGV[i + 1]
  if farm == '' and mine[port] and not claims[mine[port]] then farm = mine[port] end
  for number = tonumber(ARGV[2]), tonumber(ARGV[3]) do
    if farm ~= '' then break end
    if not owners[tostring(number)] then farm = tostring(number) end
  end
  if farm == '' then return {'none-left'} end
  owners[farm] = app
  claims[farm] = port
  answer[#answer + 1] = farm
end
for farm, port in pairs(claims) do redis.call('HSET', KEYS[1], farm, app .. ' ' .. port) end
return answer
