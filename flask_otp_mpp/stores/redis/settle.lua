-- Stores how a delivery ended, unless its reservation is gone; a refusal closes the challenge.
--
-- KEYS: limits, challenges, request.
-- ARGV: now; the request's ttl, digest, not_cached; the draft's id; the outcome's challenge id,
-- reason, until, detail.
--
-- Returns 1 if the reservation was there.
local now, request = current_time(ARGV[1]), read_request(KEYS[3], ARGV[2], ARGV[3], ARGV[4])
local reserved = read_answer(KEYS[3])
local challenge = ARGV[7] ~= '' and load_challenge(KEYS[2], ARGV[5], now)

if reserved then put_answer(request, ARGV[6], ARGV[7], ARGV[8], ARGV[9]) end
if challenge and not challenge.used_at then
  challenge.closed_at = now
  save_challenge(KEYS[2], challenge)
end
return reserved and 1 or 0
