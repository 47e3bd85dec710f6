"""What is counted for a user. A new code does not reset it, so it gives no new guesses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.policy import Policy


@dataclass(frozen=True, slots=True)
class UserLimits:
    """The failures, locks and sends of one user, over all challenges, channels and protocols.

    :param failures: wrong codes since the last success or lock.
    :param locks: locks since the last success; each is twice as long as the one before.
    :param forget_at: when failures and locks are forgotten, unless another code is wrong before.
    :param sends: channel and time of each send, as far back as a limit looks.
    """

    failures: int = 0
    locks: int = 0
    locked_until: datetime | None = None
    forget_at: datetime | None = None
    sends: tuple[tuple[Channel, datetime], ...] = ()

    def lock_at(self, now: datetime) -> datetime | None:
        """Return the end of the lock in force, None if there is none."""
        if self.locked_until is not None and now < self.locked_until:
            return self.locked_until
        return None

    def has_failures(self, now: datetime) -> bool:
        """Tell whether failures or locks still count."""
        forgotten = self.forget_at is not None and now >= self.forget_at
        return not forgotten and (self.failures > 0 or self.locks > 0)

    def unlocked(self) -> UserLimits:
        """Forget failures and locks, not sends: after the right code, or by an operator."""
        return UserLimits(sends=self.sends)

    def with_failure(self, policy: Policy, now: datetime) -> UserLimits:
        """Count one wrong code; the last one that the failure limit allows starts a lock."""
        was = self if self.has_failures(now) else self.unlocked()
        failures, locks, locked_until = was.failures + 1, was.locks, was.locked_until
        if failures >= policy.failure_limit:
            failures, locks = 0, locks + 1
            # The exponent is capped: 2**20 first locks are longer than any longest lock.
            length = min(policy.first_lock * 2 ** min(locks - 1, 20), policy.longest_lock)
            locked_until = now + length
        rest = max(now, locked_until or now) + policy.forget_after
        return UserLimits(failures, locks, locked_until, rest, self.sends)

    def with_send(self, channel: Channel, policy: Policy, now: datetime) -> UserLimits:
        """Count one send, and drop the sends to which no limit looks back any more."""
        horizon = now - policy.send_memory
        recent = tuple(entry for entry in self.sends if entry[1] > horizon)
        return replace(self, sends=(*recent, (channel, now)))

    def send_not_before(self, channel: Channel, policy: Policy, now: datetime) -> datetime | None:
        """Return the moment from which a send would be allowed, None if it is allowed now."""
        times = sorted(moment for used, moment in self.sends if used is channel)
        return max((end for end in _ends(times, policy) if end > now), default=None)


def _ends(times: list[datetime], policy: Policy) -> Iterator[datetime]:
    """Yield, for the cool-down and each limit that is reached, when it ends."""
    if times:
        yield times[-1] + policy.cool_down
    for limit in policy.send_limits:
        if len(times) >= limit.count:
            yield times[-limit.count] + limit.window
