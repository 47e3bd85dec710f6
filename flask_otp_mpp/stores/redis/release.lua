-- Releases an idempotency key that this request has claimed.
--
-- KEYS: claim.  ARGV: now (not used), digest, subject.
--
-- The key is deleted with its last holder: the same request may be running twice, and only one of
-- the two may store an answer.
local holder = read_holder(KEYS[1])
if not holder or holder[1] ~= ARGV[2] or holder[2] ~= ARGV[3] then return 0 end
if redis.call('HINCRBY', KEYS[1], 'holders', -1) <= 0 then redis.call('DEL', KEYS[1]) end
return 1
