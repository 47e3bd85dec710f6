-- Runs the scripts of the store in this interpreter, on hashes in memory: a Redis as small as can be.
--
-- Each request is a line with the number of arguments and a line in hex for each: the script's name,
-- its source if the name is new, the number of keys, keys, arguments. The answer is a line for each value: nil, an integer, bytes in
-- hex, or the length of an array that follows.
local data, ttl = {}, {}

local function hash(key)
  data[key] = data[key] or {}
  return data[key]
end

local function size(key)
  local count = 0
  for _ in pairs(data[key] or {}) do count = count + 1 end
  return count
end

local commands = {}

function commands.TIME() return {'1700000000', '0'} end
function commands.HGET(key, field) return (data[key] or {})[field] or false end
function commands.HLEN(key) return size(key) end
function commands.PTTL(key) return data[key] and (ttl[key] or -1) or -2 end
function commands.PERSIST(key) ttl[key] = nil return 1 end

function commands.PEXPIRE(key, duration)
  ttl[key] = tonumber(duration)
  return 1
end

function commands.DEL(key)
  local had = data[key] and 1 or 0
  data[key], ttl[key] = nil, nil
  return had
end

function commands.HMGET(key, ...)
  local found = {}
  for index, field in ipairs({...}) do found[index] = (data[key] or {})[field] or false end
  return found
end

function commands.HSET(key, ...)
  local given = {...}
  for index = 1, #given, 2 do
    assert(type(given[index + 1]) == 'string')
    hash(key)[given[index]] = given[index + 1]
  end
  return #given // 2
end

function commands.HDEL(key, ...)
  for _, field in ipairs({...}) do
    if data[key] then data[key][field] = nil end
  end
  return 1
end

function commands.HKEYS(key)
  local found = {}
  for field in pairs(data[key] or {}) do found[#found + 1] = field end
  return found
end

function commands.HINCRBY(key, field, by)
  local value = math.tointeger((hash(key)[field] or 0) + by)
  hash(key)[field] = tostring(value)
  return value
end

local function call(name, ...) return commands[name](...) end

local function from_hex(text)
  return (text:gsub('..', function(pair) return string.char(tonumber(pair, 16)) end))
end

local function to_hex(text)
  return (text:gsub('.', function(one) return string.format('%02x', one:byte()) end))
end

local function send(value)
  if value == nil or value == false then
    print('nil')
  elseif type(value) == 'number' then
    print('int ' .. string.format('%d', value // 1))
  elseif type(value) == 'string' then
    print('bytes ' .. to_hex(value))
  else
    print('array ' .. #value)
    for _, one in ipairs(value) do send(one) end
  end
end

local sources = {}

for line in io.lines() do
  local given = {}
  for index = 1, tonumber(line) do given[index] = from_hex(io.read()) end
  local name, keys = given[1], tonumber(given[3])
  sources[name] = sources[name] or given[2]
  local environment = setmetatable({
    redis = {call = call, pcall = call},
    KEYS = {table.unpack(given, 4, 3 + keys)},
    ARGV = {table.unpack(given, 4 + keys)},
  }, {__index = function(_, global) return assert(_G[global], global) end})
  send(assert(load(sources[name], 'script', 't', environment))())
  io.stdout:flush()
end
