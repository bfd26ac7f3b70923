-- Tells followers of the route feed that an app's route has changed. `n` has no gaps: a follower that sees one reloads.
local function announce(feed, counter, app)
  local n = redis.call('INCR', counter)
  redis.call('XADD', feed, 'MAXLEN', '~', 10000, '*', 'n', n, 'app', app)
end
