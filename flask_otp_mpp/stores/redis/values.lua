-- Limits and challenges: loading and saving them. All values are text; '' means none.
--
-- A script reads all that it needs before it writes anything. Whatever can fail (a key of another
-- type, a server without memory) then fails before the first write, so a verb happens as a whole or
-- not at all.

-- Lua 5.4, which some servers have, has no global unpack; that of Redis has no other one. To read a
-- global that there is not is an error.
local unpack = table.unpack or unpack

-- Milliseconds that a key is kept longer than needed: the clock of a host may be behind.
local SPARE = 60000

local function text(number)
  return number and string.format('%.0f', number) or ''
end

-- Keeps a key for at least so many microseconds. One that had no TTL (PTTL is -1) gets one, even if
-- what it holds is needed no longer.
local function extend_ttl(key, duration)
  local wanted = math.ceil(math.max(duration, 0) / 1000) + SPARE
  if redis.call('PTTL', key) < wanted then redis.call('PEXPIRE', key, text(wanted)) end
end

-- The time that the store's clock gave; the server's time if the store has no clock of its own.
local function current_time(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function read_policy(fields)
  local policy = {}
  for name, value in string.gmatch(fields, '(%S+)=(%S+)') do
    policy[name] = tonumber(value) or value
  end
  return policy
end

local function load_limits(key)
  local found = redis.call(
    'HMGET', key, 'failures', 'clients', 'sends', 'locks', 'locked_until', 'forget_at')
  if not found[1] then return nil end
  local clients, sends = {}, {}
  if found[2] then
    for client, failures, locks, locked_until, forget_at in
      string.gmatch(found[2], '([^/ ]*)/(%d+)/(%d+)/(%d*)/(%d+)')
    do
      clients[#clients + 1] = {
        client = client,
        failures = tonumber(failures),
        locks = tonumber(locks),
        locked_until = tonumber(locked_until),
        forget_at = tonumber(forget_at),
      }
    end
  elseif tonumber(found[6]) then  -- 0.1.0 before clients were told apart
    clients[1] = {
      client = EVERY_CLIENT,
      failures = tonumber(found[1]),
      locks = tonumber(found[4]),
      locked_until = tonumber(found[5]),
      forget_at = tonumber(found[6]),
    }
  end
  for send in string.gmatch(found[3], '%S+') do  -- there was no client in older ones
    local channel, client, at = string.match(send, '^(.-)@(.-)@?(%d+)$')
    sends[#sends + 1] = {channel = channel, client = client, at = tonumber(at)}
  end
  return {failures = tonumber(found[1]), clients = clients, sends = sends}
end

-- Limits as a script returns them: failures, clients, sends.
local function list_limits(limits)
  local clients, sends = {}, {}
  for index, one in ipairs(limits.clients) do
    clients[index] = {
      one.client, text(one.failures), text(one.locks), text(one.locked_until), text(one.forget_at),
    }
  end
  for index, send in ipairs(limits.sends) do
    sends[index] = {send.channel, send.client, text(send.at)}
  end
  return {text(limits.failures), clients, sends}
end

-- Failures in a row have no end, so their key has none. An unlock, which knows no policy, finds in
-- the hash until when it must be kept without them.
local function save_limits(key, limits, now, ending)
  local failures, clients, sends = unpack(list_limits(limits))
  for index, one in ipairs(clients) do clients[index] = table.concat(one, '/') end
  for index, send in ipairs(sends) do sends[index] = table.concat(send, '@') end
  redis.call(
    'HSET', key, 'failures', failures, 'clients', table.concat(clients, ' '),
    'sends', table.concat(sends, ' '), 'keep_until', text(ending))
  redis.call('HDEL', key, 'locks', 'locked_until', 'forget_at')  -- of that older version
  if limits.failures > 0 then redis.call('PERSIST', key) else extend_ttl(key, ending - now) end
end

-- All challenges of one user and caller are fields of one hash. So a send can close the latest one
-- without a key that it learns only from its reads: a cluster must know all keys in advance.
local function load_challenge(key, id, now)
  local found = redis.call('HGET', key, 'id:' .. id)
  if not found then return nil end
  local issued_at, expires_at, keep_until, tries, attempts, used_at, closed_at, digest =
    string.match(found, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S*) (%S*) (.*)$')
  if now >= tonumber(keep_until) then return nil end
  return {
    id = id,
    issued_at = tonumber(issued_at),
    expires_at = tonumber(expires_at),
    keep_until = tonumber(keep_until),
    tries = tonumber(tries),
    attempts = tonumber(attempts),
    used_at = tonumber(used_at),
    closed_at = tonumber(closed_at),
    digest = digest,
  }
end

local function save_challenge(key, challenge)
  redis.call('HSET', key, 'id:' .. challenge.id, table.concat({
    text(challenge.issued_at), text(challenge.expires_at), text(challenge.keep_until),
    text(challenge.tries), text(challenge.attempts),
    text(challenge.used_at), text(challenge.closed_at), challenge.digest,
  }, ' '))
end

-- Deletes the challenges that are kept no longer. Only at every 32nd field, so that the cost of a
-- send does not grow with the challenges that a long retention keeps.
local function sweep(key, now)
  if redis.call('HLEN', key) % 32 ~= 0 then return end
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local id = string.match(name, '^id:(.*)$')
    if id and not load_challenge(key, id, now) then redis.call('HDEL', key, name) end
  end
end
