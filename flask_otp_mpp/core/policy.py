"""No app starts with a policy that an attacker could outwait or a caller could not pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

DAY = timedelta(days=1)


class Resend(StrEnum):
    """Say what a new send does to an open challenge of the same user, caller and channel."""

    ROTATE = "rotate"
    """The old challenge dies at once, a new code goes out."""
    REUSE = "reuse"
    """The same code goes out again; its tries and its end stay as they are."""


@dataclass(frozen=True, slots=True)
class SendLimit:
    """Allow at most ``count`` sends in any stretch of time as long as ``window``."""

    count: int
    window: timedelta


class UnsafePolicy(ValueError):
    """List every value of a policy that is out of bounds, as pairs of field and rule."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {rule}" for field, rule in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Policy:
    """Set how long a code lives, how often it may be tried, and how often one may be sent.

    The bounds come from NIST SP 800-63B-4 (3.1.3.2, 3.2.2), OWASP ASVS 5.0 (6.5) and Alipay+'s
    sendOTP, which wants at least three codes a token and day.

    :param digits: length of a code; 6 to 10.
    :param life: how long a code is accepted; at most 600 s.
    :param tries: how many codes are compared for one challenge; 1 to 5.
    :param cool_down: pause between two sends to one user on one channel.
    :param send_limits: further limits for one user and channel; each must allow 3 a day.
    :param failure_limit: wrong codes in a row, over all challenges, before a lock; 1 to 100.
    :param first_lock: length of the first lock; each further one is twice as long.
    :param longest_lock: where the doubling ends.
    :param forget_after: quiet time after which failures and locks are forgotten.
    :param retention: how long a dead challenge is still known as used or expired.
    :raises UnsafePolicy: if any value is out of its bounds; all of them are named.
    """

    digits: int = 6
    life: timedelta = timedelta(seconds=300)
    tries: int = 5
    resend: Resend = Resend.ROTATE
    cool_down: timedelta = timedelta(seconds=60)
    send_limits: tuple[SendLimit, ...] = (
        SendLimit(5, timedelta(minutes=10)),
        SendLimit(10, DAY),
    )
    failure_limit: int = 10
    first_lock: timedelta = timedelta(minutes=15)
    longest_lock: timedelta = DAY
    forget_after: timedelta = DAY
    retention: timedelta = DAY

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise UnsafePolicy(faults)

    @property
    def send_memory(self) -> timedelta:
        """How far back the cool-down and the send limits look."""
        return max([self.cool_down, *(limit.window for limit in self.send_limits)])

    def guesses_a_day(self, channels: int = 1) -> int:
        """Bound the codes that anyone can try on one user in a day, whatever they re-send.

        :param channels: how many channels codes can be sent on.
        """
        return min(self._sends_a_day() * self.tries * channels, self._failures_a_day())

    def guess_odds(self, channels: int = 1) -> float:
        """Bound the chance that a day of guessing finds one user's code."""
        return float(self.guesses_a_day(channels) / 10**self.digits)

    def _sends_a_day(self) -> int:
        return min(limit.count * -(-DAY // limit.window) for limit in self.send_limits)

    def _failures_a_day(self) -> int:
        guesses, clock, lock = 0, timedelta(), self.first_lock
        while clock < DAY:
            guesses += self.failure_limit
            clock += lock
            lock = min(lock * 2, self.longest_lock)
        return guesses

    def _faults(self) -> Iterator[tuple[str, str]]:
        if not 6 <= self.digits <= 10:
            yield "digits", "must be 6 to 10: below 10^6 codes are too easily guessed"
        if not timedelta(seconds=30) <= self.life <= timedelta(seconds=600):
            yield "life", "must be 30 to 600 s: NIST SP 800-63B-4 allows ten minutes at most"
        if not 1 <= self.tries <= 5:
            yield "tries", "must be 1 to 5"
        if not timedelta() <= self.cool_down <= DAY / 3:
            yield "cool_down", "must be 0 to 28800 s, so that three sends fit into a day"
        if not self.send_limits:
            yield "send_limits", "must name at least one limit, such as '10 per day'"
        for limit in self.send_limits:
            if limit.window <= timedelta() or limit.count * DAY < 3 * limit.window:
                yield "send_limits", "must allow at least 3 sends a day (Alipay+ sendOTP)"
        if not 1 <= self.failure_limit <= 100:
            yield "failure_limit", "must be 1 to 100 (NIST SP 800-63B-4, 3.2.2)"
        if not timedelta(seconds=60) <= self.first_lock <= self.longest_lock:
            yield "first_lock", "must be 60 s or more, and not more than the longest lock"
        if self.longest_lock > 30 * DAY:
            yield "longest_lock", "must be 30 days or less: a lock is temporary"
        if not DAY <= self.forget_after <= 365 * DAY:
            yield "forget_after", "must be 1 to 365 days: less would let guesses begin anew"
        if not timedelta(minutes=20) <= self.retention <= 365 * DAY:
            yield "retention", "must be 1200 s to 365 days"
