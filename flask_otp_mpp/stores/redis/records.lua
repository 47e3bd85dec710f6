-- How values are kept: everything is text, '' stands for none.
--
-- A verb reads all that it needs before it writes anything: whatever may fail (a key of another
-- type, a server without memory) fails by then, so that a verb happens at once or not at all.

-- Keys outlive their use by a minute, for a clock that lags behind the one they were written by.
local SPARE = 60000

local function text(number)
  return number and string.format('%.0f', number) or ''
end

local function extend_ttl(key, length)
  local wanted = math.ceil(length / 1000) + SPARE
  if redis.call('PTTL', key) < wanted then redis.call('PEXPIRE', key, text(wanted)) end
end

local function moment(given)
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
    'HMGET', key, 'failures', 'locks', 'locked_until', 'forget_at', 'sends')
  if not found[1] then return nil end
  local sends = {}
  for channel, at in string.gmatch(found[5], '(%S-)@(%S+)') do
    sends[#sends + 1] = {channel = channel, at = tonumber(at)}
  end
  return {
    failures = tonumber(found[1]),
    locks = tonumber(found[2]),
    locked_until = tonumber(found[3]),
    forget_at = tonumber(found[4]),
    sends = sends,
  }
end

local function save_limits(key, limits)
  local sends = {}
  for index, send in ipairs(limits.sends) do
    sends[index] = send.channel .. '@' .. text(send.at)
  end
  redis.call(
    'HSET', key, 'failures', text(limits.failures), 'locks', text(limits.locks),
    'locked_until', text(limits.locked_until), 'forget_at', text(limits.forget_at),
    'sends', table.concat(sends, ' '))
end

-- All challenges of one user and caller are fields of one hash, so that a send can close the last
-- one without a key that it learns only on the way: a cluster wants to know all keys beforehand.
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

-- Deletes what nobody is told of any more; seldom, so that a send costs the same however many
-- challenges a long retention keeps.
local function sweep(key, now)
  if redis.call('HLEN', key) % 32 ~= 0 then return end
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local id = string.match(name, '^id:(.*)$')
    if id and not load_challenge(key, id, now) then redis.call('HDEL', key, name) end
  end
end

-- What is remembered of a request, or of its name: who has it, and how it was decided. Both are
-- kept alike, and a name's outcome only if no user was known. A record of before digests has none.
local function get(key)
  local found = redis.call(
    'HMGET', key, 'digest', 'subject', 'challenge_id', 'reason', 'until', 'detail')
  return (found[1] or found[3]) and found
end

-- A request as every verb is asked: its key; then how long, digest and what is not cached.
local function read_request(key, length, digest, not_cached)
  return {key = key, length = tonumber(length), digest = digest, not_cached = not_cached}
end

local function caches(request, reason)
  if reason == 'REQUEST_PENDING' then return true end
  for name in string.gmatch(request.not_cached, '%S+') do
    if name == reason then return false end
  end
  return true
end

-- An outcome as it goes over the wire: challenge id, reason, until, detail, whether repeated.
local function get_answer(request)
  local found = get(request.key)
  if not found then return nil end
  if (found[1] or '') ~= request.digest then return {'', 'REQUEST_CONFLICT', '', '', ''} end
  return {found[3], found[4], found[5], found[6], '1'}
end

local function put_answer(request, id, reason, ending, detail)
  if caches(request, reason) then
    redis.call(
      'HSET', request.key, 'digest', request.digest,
      'challenge_id', id, 'reason', reason, 'until', ending, 'detail', detail)
    extend_ttl(request.key, request.length)
  else
    redis.call('DEL', request.key)
  end
  return {id, reason, ending, detail, ''}
end
