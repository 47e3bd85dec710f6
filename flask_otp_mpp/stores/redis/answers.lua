-- Stored answers: reading and writing what was answered to a request.

-- The hash of a claim: which request holds an idempotency key, by its digest and its user.
local function read_holder(key)
  local found = redis.call('HMGET', key, 'digest', 'subject')
  return found[1] and found
end

-- The hash of a request: its digest, which an older version did not store, and its answer.
local function read_answer(key)
  local found = redis.call('HMGET', key, 'digest', 'challenge_id', 'reason', 'until', 'detail')
  return found[2] and found
end

-- The request that a verb is called for: its key in Redis, then the arguments ttl, digest and
-- not_cached of its idempotency key.
local function read_request(key, ttl, digest, not_cached)
  return {key = key, ttl = tonumber(ttl), digest = digest, not_cached = not_cached}
end

local function caches(request, reason)
  if reason == 'REQUEST_PENDING' then return true end
  for name in string.gmatch(request.not_cached, '%S+') do
    if name == reason then return false end
  end
  return true
end

-- An outcome as a script returns it: challenge id, reason, until, detail, whether repeated.
local function get_answer(request)
  local found = read_answer(request.key)
  if not found then return nil end
  if (found[1] or '') ~= request.digest then return {'', 'REQUEST_CONFLICT', '', '', ''} end
  return {found[2], found[3], found[4], found[5], '1'}
end

local function put_answer(request, id, reason, ending, detail)
  if caches(request, reason) then
    redis.call(
      'HSET', request.key, 'digest', request.digest,
      'challenge_id', id, 'reason', reason, 'until', ending, 'detail', detail)
    extend_ttl(request.key, request.ttl)
  else
    redis.call('DEL', request.key)
  end
  return {id, reason, ending, detail, ''}
end
