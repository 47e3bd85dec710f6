-- Ends a user's locks and forgets failures, and sends if that is asked: unlock() of core/rules.py.
--
-- KEYS: limits.
-- ARGV: now; '1' if sends are forgotten; '1' if at all clients; else the digests of clients...
--
-- Returns what was forgotten, if there was anything.
local now, limits = current_time(ARGV[1]), load_limits(KEYS[1])
if not limits then return false end
local clients
if ARGV[3] ~= '1' then
  clients = {}
  for index = 4, #ARGV do clients[ARGV[index]] = true end
end
local forgotten, left = unlock(limits, now, clients, ARGV[2] == '1')
if not forgotten then return false end
local ending = redis.call('HGET', KEYS[1], 'keep_until')
save_limits(KEYS[1], left, now, tonumber(ending) or now)
return list_limits(forgotten)
