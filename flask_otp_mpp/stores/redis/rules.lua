-- The rules of core/challenge.py, core/limits.py and core/rules.py, under the same names.
--
-- Times and durations are microseconds: whole numbers below 2^53, which a Lua number holds exactly.
-- A policy is a table of its fields; limits of sends stay text, "count/window,count/window".

local MAX_CLIENTS = 32
local EVERY_CLIENT = ''
local FOREVER = 253370764800000000  -- the year 9999: above 2^53, but a multiple of 32, so exact

local function refusal(challenge, now)
  if challenge.used_at then return 'CHALLENGE_USED' end
  if challenge.closed_at then return 'CHALLENGE_CLOSED' end
  if now >= challenge.expires_at then return 'CHALLENGE_EXPIRED' end
  if challenge.attempts >= challenge.tries then return 'TRIES_SPENT' end
end

-- Lua's == is faster for strings of different lengths. Here it compares keyed digests, whose bytes
-- a caller can't choose, and its time is too short to be measured through the network.
local function matches(challenge, digests)
  local matched = false
  for _, digest in ipairs(digests) do
    matched = challenge.digest == digest or matched
  end
  return matched
end

local function concerns(entry, client)
  return entry.client == client or entry.client == EVERY_CLIENT
end

local function lock_at(limits, client, policy, now)
  if limits.failures >= policy.disable_after then return FOREVER end
  local ending
  for _, one in ipairs(limits.clients) do
    local locked_until = concerns(one, client) and one.locked_until
    if locked_until and now < locked_until then
      ending = math.max(ending or 0, locked_until)
    end
  end
  return ending
end

-- What an unlock forgets, and what is left. The clients are a set of digests; nil stands for all.
-- Nothing is returned if there is nothing to forget.
local function unlock(limits, now, clients, quota)
  local forgotten = {failures = clients and 0 or limits.failures, clients = {}, sends = {}}
  local left = {failures = limits.failures - forgotten.failures, clients = {}, sends = {}}
  local function is_among(client)
    return not clients or client == EVERY_CLIENT or clients[client]
  end
  for _, one in ipairs(limits.clients) do
    if not is_among(one.client) then
      left.clients[#left.clients + 1] = one
    elseif now < one.forget_at then
      forgotten.clients[#forgotten.clients + 1] = one
    end
  end
  for _, send in ipairs(limits.sends) do
    local kind = quota and is_among(send.client) and forgotten or left
    kind.sends[#kind.sends + 1] = send
  end
  if forgotten.failures > 0 or #forgotten.clients > 0 or #forgotten.sends > 0 then
    return forgotten, left
  end
end

local function with_success(limits, client)
  local others = {}
  for _, one in ipairs(limits.clients) do
    if one.client ~= client then others[#others + 1] = one end
  end
  return {failures = 0, clients = others, sends = limits.sends}
end

local function remove_first_forgotten(clients)
  local first = 1
  for index, one in ipairs(clients) do
    if one.forget_at < clients[first].forget_at then first = index end
  end
  table.remove(clients, first)
end

local function with_failure(limits, client, policy, now)
  local others, was = {}, {failures = 0, locks = 0}
  for _, one in ipairs(limits.clients) do
    if now < one.forget_at then
      if one.client == client then was = one else others[#others + 1] = one end
    end
  end
  local failures, locks, locked_until = was.failures + 1, was.locks, was.locked_until
  if failures >= policy.failure_limit then
    failures, locks = 0, locks + 1
    local length = math.min(policy.first_lock * 2 ^ math.min(locks - 1, 20), policy.longest_lock)
    locked_until = now + length
  end
  if #others >= MAX_CLIENTS then remove_first_forgotten(others) end
  others[#others + 1] = {
    client = client,
    failures = failures,
    locks = locks,
    locked_until = locked_until,
    forget_at = math.max(now, locked_until or now) + policy.forget_after,
  }
  return {failures = limits.failures + 1, clients = others, sends = limits.sends}
end

local function with_send(limits, channel, client, policy, now)
  local recent = {}
  for _, send in ipairs(limits.sends) do
    if send.at > now - policy.send_memory then recent[#recent + 1] = send end
  end
  recent[#recent + 1] = {channel = channel, client = client, at = now}
  return {failures = limits.failures, clients = limits.clients, sends = recent}
end

local function send_not_before(limits, channel, client, policy, now)
  local everyones, own, latest = {}, {}, nil
  for _, send in ipairs(limits.sends) do
    if send.channel == channel then
      everyones[#everyones + 1] = send.at
      if concerns(send, client) then own[#own + 1] = send.at end
    end
  end
  local function ends(at)
    if at > now and (not latest or at > latest) then latest = at end
  end
  local function check(times, limits_text)
    table.sort(times)
    for count, window in string.gmatch(limits_text, '(%d+)/(%d+)') do
      local oldest = times[#times - tonumber(count) + 1]
      if oldest then ends(oldest + tonumber(window)) end
    end
  end
  check(everyones, policy.overall_send_limits)
  check(own, policy.send_limits)
  if #own > 0 then ends(own[#own] + policy.cool_down) end
  return latest
end

local function keep_until(limits, policy, now)
  local ending = math.max(now + policy.send_memory, now + policy.life + policy.retention)
  for _, one in ipairs(limits.clients) do ending = math.max(ending, one.forget_at) end
  return ending
end
