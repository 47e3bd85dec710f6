-- KEYS: standing, challenges, request.
-- ARGV: now; of the request keep, digest, redo; then policy, id, channel, digest of the code.
local now, policy = moment(ARGV[1]), read_policy(ARGV[5])
local request = read_request(KEYS[3], ARGV[2], ARGV[3], ARGV[4])
local id, channel, digest = ARGV[6], ARGV[7], ARGV[8]

local known = recall(request)
if known then return known end
local standing = load_standing(KEYS[1]) or {failures = 0, locks = 0, sends = {}}
local latest = redis.call('HGET', KEYS[2], 'latest:' .. channel)
local open = latest and load_challenge(KEYS[2], latest, now)

local ending = lock_at(standing, now) or send_not_before(standing, channel, policy, now)
if ending then return remember(request, id, 'SEND_LIMITED', text(ending), '') end

standing = sent(standing, channel, policy, now)
save_standing(KEYS[1], standing)
keep(KEYS[1], keep_until(standing, policy, now) - now)

local alive = open and not death(open, now)
local challenge = open
if not (alive and policy.resend == 'reuse') then
  if alive then
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
  keep(KEYS[2], policy.life + policy.retention)
  sweep(KEYS[2], now)
end

remember(request, challenge.id, 'REQUEST_PENDING', '', '')
return {
  challenge.id, text(challenge.issued_at), text(challenge.expires_at),
  text(challenge.tries), text(challenge.attempts), challenge.digest,
}
