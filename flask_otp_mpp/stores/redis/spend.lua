-- Counts an attempt and compares its code: spend() of core/rules.py.
--
-- KEYS: limits, challenges, request.
-- ARGV: now; the request's ttl, digest, not_cached; policy; the attempt's id, client, code
-- digests...
local now, policy = current_time(ARGV[1]), read_policy(ARGV[5])
local id, client = ARGV[6], ARGV[7]
local request = read_request(KEYS[3], ARGV[2], ARGV[3], ARGV[4])
local digests = {unpack(ARGV, 8)}

local known = get_answer(request)
if known then return known end
local challenge = load_challenge(KEYS[2], id, now)
local limits = load_limits(KEYS[1])
-- A user's limits are kept longer than every challenge. If they are gone, they were evicted or
-- deleted; without the count of failures no attempt is compared.
if not challenge or not limits then return put_answer(request, id, 'CHALLENGE_UNKNOWN', '', '') end
local reason = refusal(challenge, now)
if reason == 'CHALLENGE_USED' and not matches(challenge, digests) then reason = 'USED_UNMATCHED' end
if reason then return put_answer(request, id, reason, '', '') end
local ending = lock_at(limits, client, policy, now)
if ending then return put_answer(request, id, 'USER_LOCKED', text(ending), '') end

challenge.attempts = challenge.attempts + 1
reason, ending = '', nil
if matches(challenge, digests) then
  challenge.used_at = now
  limits = with_success(limits, client)
else
  limits = with_failure(limits, client, policy, now)
  reason, ending = 'CODE_UNMATCHED', lock_at(limits, client, policy, now)
end
save_challenge(KEYS[2], challenge)
save_limits(KEYS[1], limits, now, keep_until(limits, policy, now))
return put_answer(request, id, reason, text(ending), '')
