-- Deletes a claim of a user, unless a request has claimed it since it was found: that request may
-- have stored its answer after the user's keys were deleted, and still needs the claim.
--
-- KEYS: claim.  ARGV: now (not used), subject, holders when the claim was found.
local found = redis.call('HMGET', KEYS[1], 'subject', 'holders')
if found[1] ~= ARGV[2] or found[2] ~= ARGV[3] then return 0 end
return redis.call('DEL', KEYS[1])
