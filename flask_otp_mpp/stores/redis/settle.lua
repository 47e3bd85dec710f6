-- Stores how a delivery ended; a refusal closes the challenge.
--
-- KEYS: limits, challenges, request.
-- ARGV: now; the request's ttl, digest, not_cached; the draft's id; the outcome's challenge id,
-- reason, until, detail.
local now, request = current_time(ARGV[1]), read_request(KEYS[3], ARGV[2], ARGV[3], ARGV[4])
local challenge = ARGV[7] ~= '' and load_challenge(KEYS[2], ARGV[5], now)

put_answer(request, ARGV[6], ARGV[7], ARGV[8], ARGV[9])
if challenge and not challenge.used_at then
  challenge.closed_at = now
  save_challenge(KEYS[2], challenge)
end
