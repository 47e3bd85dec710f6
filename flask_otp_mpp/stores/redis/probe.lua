-- Uses every command of the other scripts once: may this user, and does this server write?
--
-- KEYS: a key that nothing else uses.  It is gone in the end.
--
-- Returns the first command that was refused and the error; nothing if none was. The first writes
-- find no key, so a server that refuses to write, or that has no DEL for this user, keeps nothing.
local key = KEYS[1]
local commands = {
  {'DEL', key}, {'PEXPIRE', key, '1000'}, {'PERSIST', key}, {'PTTL', key}, {'TIME'},
  {'HGET', key, 'a'}, {'HMGET', key, 'a'}, {'HLEN', key}, {'HKEYS', key}, {'HDEL', key, 'a'},
  {'HSET', key, 'a', '1'}, {'PEXPIRE', key, '1000'}, {'HINCRBY', key, 'a', '1'}, {'DEL', key},
}
for _, command in ipairs(commands) do
  local found = redis.pcall(unpack(command))
  if type(found) == 'table' and found.err then return {command[1], found.err} end
end
return false
