-- The rules of core/challenge.py, core/limits.py and core/rules.py, under the same names.
--
-- Times and durations are microseconds: whole numbers below 2^53, which a Lua number holds exactly.
-- A policy is a table of its fields; send_limits stays text, "count/window,count/window".

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

local function lock_at(limits, now)
  if limits.locked_until and now < limits.locked_until then return limits.locked_until end
end

local function has_failures(limits, now)
  local forgotten = limits.forget_at and now >= limits.forget_at
  return not forgotten and (limits.failures > 0 or limits.locks > 0)
end

local function unlocked(limits)
  return {failures = 0, locks = 0, sends = limits.sends}
end

local function with_failure(limits, policy, now)
  local was = has_failures(limits, now) and limits or unlocked(limits)
  local failures, locks, locked_until = was.failures + 1, was.locks, was.locked_until
  if failures >= policy.failure_limit then
    failures, locks = 0, locks + 1
    local length = math.min(policy.first_lock * 2 ^ math.min(locks - 1, 20), policy.longest_lock)
    locked_until = now + length
  end
  return {
    failures = failures,
    locks = locks,
    locked_until = locked_until,
    forget_at = math.max(now, locked_until or now) + policy.forget_after,
    sends = limits.sends,
  }
end

local function with_send(limits, channel, policy, now)
  local recent = {}
  for _, send in ipairs(limits.sends) do
    if send.at > now - policy.send_memory then recent[#recent + 1] = send end
  end
  recent[#recent + 1] = {channel = channel, at = now}
  return {
    failures = limits.failures,
    locks = limits.locks,
    locked_until = limits.locked_until,
    forget_at = limits.forget_at,
    sends = recent,
  }
end

local function send_not_before(limits, channel, policy, now)
  local times, latest = {}, nil
  for _, send in ipairs(limits.sends) do
    if send.channel == channel then times[#times + 1] = send.at end
  end
  table.sort(times)
  local function ends(at)
    if at > now and (not latest or at > latest) then latest = at end
  end
  if #times > 0 then ends(times[#times] + policy.cool_down) end
  for count, window in string.gmatch(policy.send_limits, '(%d+)/(%d+)') do
    local oldest = times[#times - tonumber(count) + 1]
    if oldest then ends(oldest + tonumber(window)) end
  end
  return latest
end

local function keep_until(limits, policy, now)
  local known = now + policy.life + policy.retention
  return math.max(now + policy.send_memory, known, limits.forget_at or now)
end
