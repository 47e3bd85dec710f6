-- Removes a user's lock and failures.
--
-- KEYS: limits.  ARGV: now.
local limits, now = load_limits(KEYS[1]), current_time(ARGV[1])
if not limits or not has_failures(limits, now) then return 0 end
local ending = redis.call('HGET', KEYS[1], 'keep_until')
save_limits(KEYS[1], unlocked(limits), now, tonumber(ending) or now)
return 1
