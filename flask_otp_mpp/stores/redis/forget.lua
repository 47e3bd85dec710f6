-- Deletes a claim of a user.
--
-- KEYS: claim.  ARGV: now (not used), subject.
local holder = read_holder(KEYS[1])
return holder and holder[2] == ARGV[2] and redis.call('DEL', KEYS[1]) or 0
