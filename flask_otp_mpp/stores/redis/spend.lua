-- KEYS: standing, challenges, request.
-- ARGV: now; of the request keep, digest, redo; then policy, id, digests of the code...
local now, policy, id = moment(ARGV[1]), read_policy(ARGV[5]), ARGV[6]
local request = read_request(KEYS[3], ARGV[2], ARGV[3], ARGV[4])
local digests = {unpack(ARGV, 7)}

local known = recall(request)
if known then return known end
local challenge = load_challenge(KEYS[2], id, now)
local standing = load_standing(KEYS[1])
-- A standing outlives every challenge. If it is gone it was evicted or deleted: whoever lost the
-- count of failures takes no guess.
if not challenge or not standing then return remember(request, id, 'CHALLENGE_UNKNOWN', '', '') end
local reason = death(challenge, now)
if reason then return remember(request, id, reason, '', '') end
local ending = lock_at(standing, now)
if ending then return remember(request, id, 'USER_LOCKED', text(ending), '') end

challenge.attempts = challenge.attempts + 1
reason, ending = '', nil
if matches(challenge, digests) then
  challenge.used_at = now
  standing = pardoned(standing)
else
  standing = failed(standing, policy, now)
  reason, ending = 'CODE_UNMATCHED', lock_at(standing, now)
end
save_challenge(KEYS[2], challenge)
save_standing(KEYS[1], standing)
keep(KEYS[1], keep_until(standing, policy, now) - now)
return remember(request, id, reason, text(ending), '')
