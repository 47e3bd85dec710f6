-- KEYS: name.  ARGV: now (of no use here), digest, subject.
--
-- The name goes with the last who holds it: the same request may be at work twice, and only one of
-- them be remembered.
local held = get(KEYS[1])
if not held or held[1] ~= ARGV[2] or held[2] ~= ARGV[3] then return 0 end
if redis.call('HINCRBY', KEYS[1], 'holders', -1) <= 0 then redis.call('DEL', KEYS[1]) end
return 1
