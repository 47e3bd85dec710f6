-- KEYS: name.  ARGV: now (of no use here), ttl, digest, subject; for a request that was refused
-- before its user was known also challenge id, reason, until, detail.
--
-- Returns who has the name, if that is another request or one that was answered by its name alone.
local held, refused = get(KEYS[1]), #ARGV > 4
if held and (refused or held[3] or held[1] ~= ARGV[3] or held[2] ~= ARGV[4]) then return held end

redis.call('HSET', KEYS[1], 'digest', ARGV[3], 'subject', ARGV[4])
if refused then
  redis.call(
    'HSET', KEYS[1], 'challenge_id', ARGV[5], 'reason', ARGV[6], 'until', ARGV[7],
    'detail', ARGV[8])
else
  redis.call('HINCRBY', KEYS[1], 'holders', 1)
end
extend_ttl(KEYS[1], tonumber(ARGV[2]))
return false
