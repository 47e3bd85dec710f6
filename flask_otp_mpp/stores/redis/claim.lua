-- Claims an idempotency key for a request. The same request may claim it more than once.
--
-- KEYS: claim.
-- ARGV: now (not used), ttl, digest, subject; if the request was refused before its user was known,
-- also challenge id, reason, until, detail.
--
-- Returns what the key holds if it can't be claimed: it belongs to another request, or to one that
-- was answered before its user was known.
local holder, refused = read_answer(KEYS[1]), #ARGV > 4
if holder and (refused or holder[3] or holder[1] ~= ARGV[3] or holder[2] ~= ARGV[4]) then
  return holder
end

redis.call('HSET', KEYS[1], 'digest', ARGV[3], 'subject', ARGV[4])
if refused then
  redis.call(
    'HSET', KEYS[1], 'challenge_id', ARGV[5], 'reason', ARGV[6], 'until', ARGV[7],
    'detail', ARGV[8])
else
  redis.call('HINCRBY', KEYS[1], 'holders', 1)
end
extend_ttl(KEYS[1], tonumber(ARGV[2]))
return false
