-- Claims an idempotency key for a request. The same request may claim it more than once.
--
-- KEYS: claim.
-- ARGV: now (not used), ttl, digest, subject.
--
-- Returns who holds the key if that is another request.
local holder = read_holder(KEYS[1])
if holder and (holder[1] ~= ARGV[3] or holder[2] ~= ARGV[4]) then return holder end

redis.call('HSET', KEYS[1], 'digest', ARGV[3], 'subject', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'holders', 1)
extend_ttl(KEYS[1], tonumber(ARGV[2]))
return false
