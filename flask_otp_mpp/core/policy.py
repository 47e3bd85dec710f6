"""The policy: how long codes are accepted, how often they may be tried, how often they are sent.

A policy with a value out of its bounds can't be made, be it configured or constructed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import ClassVar, Final, Self

from flask_otp_mpp.core.readers import Reader, one_of, seconds, text, whole
from flask_otp_mpp.core.settings import Faults, Rule, group_faults, setting

DAY = timedelta(days=1)
_LIMIT: Final = re.compile(
    r"\s*(\d+)\s*(?:/|per)\s*(\d*)\s*(second|minute|hour|day|month|year)s?\s*",
    re.IGNORECASE | re.ASCII,
)
_UNITS: Final = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": DAY,
    "month": 30 * DAY,
    "year": 360 * DAY,
}


class Resend(StrEnum):
    """Say what a new send does to an open challenge of the same user, caller and channel."""

    ROTATE = "rotate"
    """The old challenge is closed at once, a new code goes out."""
    REUSE = "reuse"
    """The same code goes out again; its tries and its end stay as they are."""


@dataclass(frozen=True, slots=True)
class SendLimit:
    """Allow at most ``count`` sends in any period as long as ``window``."""

    count: int
    window: timedelta

    @classmethod
    def parse(cls, limit: str) -> Self:
        """Read ``5 per 10 minutes`` or ``10/day``, as Flask-Limiter writes limits.

        :raises ValueError: if it is neither, or longer than any time.
        """
        found = _LIMIT.fullmatch(limit)
        if found is None:
            raise ValueError(limit)
        count, multiple, unit = found.groups()
        try:
            return cls(int(count), (int(multiple or 0) or 1) * _UNITS[unit.lower()])
        except OverflowError as fault:
            raise ValueError(limit) from fault


class UnsafePolicy(ValueError):
    """List every value of a policy that is out of bounds, as pairs of field and finding."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("; ".join(f"{field}: {finding}" for field, finding in faults))
        self.faults = faults


def _parse_limits(raw: object) -> tuple[SendLimit, ...]:
    if raw in (None, ""):
        return ()
    try:
        return tuple(SendLimit.parse(limit) for limit in re.split("[,;|]", text(raw)))
    except ValueError:
        raise ValueError(
            "is no limit string; write it like '5 per 10 minutes; 10 per day'"
        ) from None


def _check_limits(limits: tuple[SendLimit, ...]) -> str:
    if not limits:
        return "is empty; name at least one limit, such as '10 per day'"
    if any(limit.window <= timedelta() or limit.count * DAY < 3 * limit.window for limit in limits):
        return "allows too few sends; allow at least 3 sends a day (Alipay+ sendOTP)"
    return ""


def _parse_user_limits(raw: object) -> tuple[SendLimit, ...] | None:
    return None if raw is None else _parse_limits(raw)


def _check_user_limits(limits: tuple[SendLimit, ...] | None) -> str:
    return "" if limits is None else _check_limits(limits)


def _check_first_lock(first: timedelta, longest: timedelta) -> str:
    if first <= longest:
        return ""
    ends = int(longest.total_seconds())
    return f"is longer than the longest lock; set it to {ends} seconds or less"


@dataclass(frozen=True)  # without slots, for what is computed once
class Policy:
    """The policy of an app; every field is a setting as well, with the same bounds.

    The bounds come from NIST SP 800-63B-4 (3.1.3.2, 3.2.2), OWASP ASVS 5.0 (6.5) and Alipay+'s
    sendOTP, which wants at least three codes a token and day.

    :raises UnsafePolicy: if any value is out of its bounds; all of them are named.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (Rule(("first_lock", "longest_lock"), _check_first_lock),)

    digits: int = setting(
        "CODE_DIGITS",
        whole(6, 10, why="codes of fewer digits are too easily guessed"),
        "The length of a code.",
        default=6,
    )
    life: timedelta = setting(
        "CODE_LIFE",
        seconds(30, 600, why="NIST SP 800-63B-4 allows ten minutes at most"),
        "How long a code is accepted.",
        default=300,
    )
    tries: int = setting("CODE_TRIES", whole(1, 5), "How many tries one code has.", default=5)
    resend: Resend = setting(
        "RESEND",
        one_of(Resend),
        "Whether a new send closes the open code, or sends the same one again.",
        default="rotate",
    )
    cool_down: timedelta = setting(
        "COOL_DOWN",
        seconds(0, 28800, why="three sends must fit into a day"),
        "The pause between two sends to one user and channel by one client.",
        default=45,
    )
    send_limits: tuple[SendLimit, ...] = setting(
        "SEND_LIMITS",
        Reader("a limit string", _parse_limits, _check_limits),
        "How many sends one user and channel may have by one client; at least 3 a day.",
        default="5 per 10 minutes; 10 per day",
    )
    user_send_limits: tuple[SendLimit, ...] | None = setting(
        "USER_SEND_LIMITS",
        Reader("a limit string, or None", _parse_user_limits, _check_user_limits),
        "How many sends one user and channel may have by all clients together; twice "
        "`OTP_MPP_SEND_LIMITS` if it is None.",
        default=None,
    )
    failure_limit: int = setting(
        "FAILURE_LIMIT",
        whole(1, 100, why="NIST SP 800-63B-4, 3.2.2"),
        "How many wrong codes in a row at one client, over all challenges, lock the user there.",
        default=10,
    )
    disable_after: int = setting(
        "DISABLE_AFTER",
        whole(1, 100, why="NIST SP 800-63B-4, 3.2.2"),
        "How many wrong codes in a row at all clients disable OTP for the user, until "
        "`flask otp-mpp unlock`.",
        default=50,
    )
    first_lock: timedelta = setting(
        "FIRST_LOCK",
        seconds(60),
        "The length of the first lock; each further one is twice as long.",
        default=900,
    )
    longest_lock: timedelta = setting(
        "LONGEST_LOCK",
        seconds(60, 2592000, why="30 days: a lock is temporary"),
        "Where the doubling of locks ends.",
        default=86400,
    )
    forget_after: timedelta = setting(
        "FORGET_AFTER",
        seconds(86400, 31536000, why="1 to 365 days: less would let guesses begin again"),
        "The quiet time after which failures and locks at a client are forgotten.",
        default=86400,
    )
    retention: timedelta = setting(
        "RETENTION",
        seconds(1200, 31536000, why="20 minutes to 365 days"),
        "How long a closed challenge is kept before `flask otp-mpp purge` deletes it.",
        default=86400,
    )

    def __post_init__(self) -> None:
        if faults := group_faults(self):
            raise UnsafePolicy(faults)

    @cached_property
    def overall_send_limits(self) -> tuple[SendLimit, ...]:
        """The send limits of one user and channel over all clients."""
        if self.user_send_limits is not None:
            return self.user_send_limits
        return tuple(SendLimit(2 * limit.count, limit.window) for limit in self.send_limits)

    @cached_property
    def send_memory(self) -> timedelta:
        """How far back the cool-down and the send limits look."""
        limits = (*self.send_limits, *self.overall_send_limits)
        return max([self.cool_down, *(limit.window for limit in limits)])

    def guesses_a_day(self, channels: int = 1, successes: int = 0) -> int:
        """Bound the wrong codes that are compared for one user in any 24 hours.

        It holds for all clients, acquirers and protocols together, however they send, guess and
        wait. Two bounds apply; the smaller one counts.

        * Failures: each wrong code raises the count over all clients, and only a success or an
          unlock resets it. At ``disable_after`` no code is compared any more. So at most
          ``disable_after`` codes are wrong before the first reset in that time, between two of
          them, and after the last.
        * Tries: a code that is compared in that time was sent in it, or less than ``life`` before
          it, and has ``tries`` tries, whether it is sent again or not. A limit of n sends in a
          window allows n sends for each window that has begun. The sends of that time and those
          before it are bounded each for itself, or both together.

        Locks and cool-downs at a client lower neither: there may be any number of clients. A user
        who is erased from the store begins again.

        :param channels: how many channels codes can be sent on.
        :param successes: how often the user enters a right code, or is unlocked, in that time.
        """
        sends = min(
            self._sends_in(DAY) + self._sends_in(self.life), self._sends_in(DAY + self.life)
        )
        return min(channels * sends * self.tries, (successes + 1) * self.disable_after)

    def guess_odds(self, channels: int = 1, successes: int = 0) -> float:
        """Bound the chance that a day of guessing finds one user's code."""
        return float(self.guesses_a_day(channels, successes) / 10**self.digits)

    def _sends_in(self, time: timedelta) -> int:
        """Bound the sends on one channel in any stretch of that time."""
        return min(limit.count * -(-time // limit.window) for limit in self.overall_send_limits)
