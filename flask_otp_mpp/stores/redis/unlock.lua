-- Removes a user's lock and failures.
--
-- KEYS: limits.  ARGV: now.
local limits = load_limits(KEYS[1])
if not limits or not has_failures(limits, current_time(ARGV[1])) then return 0 end
save_limits(KEYS[1], unlocked(limits))
return 1
