-- KEYS: standing, challenges, request.  ARGV: now, keep, id of the draft; then the
-- outcome: challenge id, reason, until, detail.
local now = moment(ARGV[1])
local challenge = ARGV[5] ~= '' and load_challenge(KEYS[2], ARGV[3], now)

remember(KEYS[3], tonumber(ARGV[2]), ARGV[4], ARGV[5], ARGV[6], ARGV[7])
if challenge and not challenge.used_at then
  challenge.closed_at = now
  save_challenge(KEYS[2], challenge)
end
