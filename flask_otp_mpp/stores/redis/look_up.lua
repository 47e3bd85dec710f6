-- Reads what is stored of a user, for an operator. No digest of a code is returned.
--
-- KEYS: limits, challenges...  ARGV: now.
--
-- Returns the time; the limits, if there are any; and of each challenge: the number of its key, id,
-- channel if it is the latest one there, issued_at, expires_at, tries, attempts, used_at, closed_at.
local now, limits = current_time(ARGV[1]), load_limits(KEYS[1])
local found = {}
for index = 2, #KEYS do
  local names, channels = redis.call('HKEYS', KEYS[index]), {}
  for _, name in ipairs(names) do
    local channel = string.match(name, '^latest:(.*)$')
    if channel then channels[redis.call('HGET', KEYS[index], name)] = channel end
  end
  for _, name in ipairs(names) do
    local id = string.match(name, '^id:(.*)$')
    local challenge = id and load_challenge(KEYS[index], id, now)
    if challenge then
      found[#found + 1] = {
        text(index), id, channels[id] or '',
        text(challenge.issued_at), text(challenge.expires_at),
        text(challenge.tries), text(challenge.attempts),
        text(challenge.used_at), text(challenge.closed_at),
      }
    end
  end
end
return {text(now), limits and list_limits(limits) or false, found}
