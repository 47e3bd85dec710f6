"""What a policy means: the odds of guessing in one day and over many, and the clauses it meets.

The bounds are those of :meth:`~flask_otp_mpp.Policy.guesses_a_day`, which no strategy exceeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy, SendLimit
from flask_otp_mpp.core.settings import key_of, settings_of
from flask_otp_mpp.web.profiles import RULES, Configuration
from flask_otp_mpp.web.settings import Profile

DAYS: Final = (1, 2, 3, 5, 7, 10, 14, 21, 30)
_LENGTHS: Final = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_ANY_NUMBER: Final = 10**6
_BEGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Successes(StrEnum):
    """Say how often the user enters a right code in a day, or is unlocked: each begins again."""

    NONE = "none"
    DAILY = "daily"
    ANY = "any"

    @property
    def words(self) -> str:
        """How many right codes there are, in words."""
        return _IN_WORDS[self]


_IN_WORDS: Final = {
    Successes.NONE: "no right code",
    Successes.DAILY: "one right code a day",
    Successes.ANY: "any number of right codes",
}
_A_DAY: Final = {Successes.NONE: 0, Successes.DAILY: 1, Successes.ANY: _ANY_NUMBER}


@dataclass(frozen=True, slots=True)
class Odds:
    """How many wrong codes of a user are compared at most, and the chance that one was right."""

    guesses: int
    chance: float

    @property
    def words(self) -> str:
        """The chance as people say it: ``1 in 20,000, or 0.005 %``."""
        return f"1 in {round(1 / self.chance):,}, or {100 * self.chance:.3g} %"


def odds_over(policy: Policy, days: int, channels: int, successes: Successes) -> Odds:
    """Bound the guesses at one user in some days on end, and the chance of them all.

    Each day has the bound of a day. And between two right codes or unlocks, before the first and
    after the last one, at most ``disable_after`` codes are wrong, however long that takes.
    """
    a_day = _A_DAY[successes]
    in_a_row = (days * a_day + 1) * policy.disable_after
    guesses = min(days * policy.guesses_a_day(channels, a_day), in_a_row)
    return Odds(guesses, min(1.0, guesses / 10**policy.digits))


def time_at_one_client(policy: Policy) -> timedelta:
    """Return for how long a single client is locked before OTP is disabled for the user."""
    limits, now = UserLimits(), _BEGIN
    while limits.failures < policy.disable_after:
        now = limits.lock_at("", policy, now) or now
        limits = limits.with_failure("", policy, now)
    return now - _BEGIN


def values_of(policy: Policy) -> Mapping[str, Any]:
    """Return the policy in force, by the keys of its settings; lengths of time in seconds."""
    return {key_of(Policy, name): _plain(getattr(policy, name)) for name in settings_of(Policy)}


def _plain(value: object) -> Any:
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, tuple):
        return "; ".join(limit_in_words(limit) for limit in value)
    return value


def limit_in_words(limit: SendLimit) -> str:
    """Return a limit of sends: ``5 per 10 minutes``, ``10 per day``."""
    return f"{limit.count} per {in_words(limit.window).removeprefix('1 ')}"


def in_words(time: timedelta) -> str:
    """Return a length of time in words: ``45 seconds``, ``3 hours 45 minutes``."""
    rest, parts = int(time.total_seconds()), []
    for unit, length in _LENGTHS.items():
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}" + ("" if count == 1 else "s"))
    return " ".join(parts) or "0 seconds"


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of a standard, and whether the configuration meets it.

    :param finding: why it does not; empty if it does.
    """

    profile: Profile
    clause: str
    key: str
    finding: str


BOUNDS: Final[Mapping[str, str]] = {
    "digits": "6 or more (NIST SP 800-63B-4, 3.1.3.2; ASVS 6.5.4)",
    "life": "600 seconds at most (NIST SP 800-63B-4, 3.1.3.2; ASVS 6.5.5)",
    "tries": "5 at most (NIST SP 800-63B-4, 3.2.2; RTS (EU) 2018/389, 4(3)(b))",
    "send_limits": "3 a day at least (Alipay+ sendOTP)",
    "disable_after": "100 at most (NIST SP 800-63B-4, 3.2.2)",
}
"""What no policy may exceed, whichever profile is in force."""


def clauses_of(found: Configuration) -> Iterator[Clause]:
    """Yield the clauses of all profiles, whichever is in force."""
    for profile, rules in RULES.items():
        for rule in rules:
            yield Clause(profile, rule.clause, rule.key(found), rule.check(found))
