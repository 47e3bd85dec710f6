-- Counts a send and opens its challenge: reserve() of core/rules.py.
--
-- KEYS: limits, challenges, request.
-- ARGV: now; the request's ttl, digest, not_cached; policy; the draft's id, channel, client, code
-- digest.
local now, policy = current_time(ARGV[1]), read_policy(ARGV[5])
local request = read_request(KEYS[3], ARGV[2], ARGV[3], ARGV[4])
local id, channel, client, digest = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

local known = get_answer(request)
if known then return known end
local limits = load_limits(KEYS[1]) or {failures = 0, clients = {}, sends = {}}
local latest = redis.call('HGET', KEYS[2], 'latest:' .. channel)
local open = latest and load_challenge(KEYS[2], latest, now)

local ending = lock_at(limits, client, policy, now)
if ending then return put_answer(request, id, 'SEND_LOCKED', text(ending), '') end
ending = send_not_before(limits, channel, client, policy, now)
if ending then return put_answer(request, id, 'SEND_LIMITED', text(ending), '') end

limits = with_send(limits, channel, client, policy, now)
save_limits(KEYS[1], limits, now, keep_until(limits, policy, now))

local usable = open and not refusal(open, now)
local challenge = open
if not (usable and policy.resend == 'reuse') then
  if usable then
    open.closed_at = now
    save_challenge(KEYS[2], open)
  end
  challenge = {
    id = id,
    issued_at = now,
    expires_at = now + policy.life,
    keep_until = now + policy.life + policy.retention,
    tries = policy.tries,
    attempts = 0,
    digest = digest,
  }
  save_challenge(KEYS[2], challenge)
  redis.call('HSET', KEYS[2], 'latest:' .. channel, id)
  extend_ttl(KEYS[2], policy.life + policy.retention)
  sweep(KEYS[2], now)
end

put_answer(request, challenge.id, 'REQUEST_PENDING', '', '')
return {
  challenge.id, text(challenge.issued_at), text(challenge.expires_at),
  text(challenge.tries), text(challenge.attempts), challenge.digest, text(now),
}
