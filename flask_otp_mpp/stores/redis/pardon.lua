-- KEYS: standing.  ARGV: now.
local standing = load_standing(KEYS[1])
if not standing or not blamed(standing, moment(ARGV[1])) then return 0 end
save_standing(KEYS[1], pardoned(standing))
return 1
