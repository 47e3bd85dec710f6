"""What a store holds of a user, as it is read for an operator. No code and no digest is in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flask_otp_mpp.core.challenge import Challenge, Channel, Expiring
from flask_otp_mpp.core.limits import UserLimits

MAX_CHALLENGES: Final = 20
"""How many challenges a record holds: the newest ones."""


@dataclass(frozen=True, slots=True)
class ChallengeRecord(Expiring):
    """A challenge without its user and without the digest of its code.

    :param caller: the digest of the caller, as in :class:`~flask_otp_mpp.core.challenge.Draft`.
    :param channel: None if the store does not know it any more, which may be so for a challenge
        that a newer one has followed.
    """

    id: str
    caller: str
    channel: Channel | None
    issued_at: datetime
    expires_at: datetime
    tries: int
    attempts: int
    used_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserRecord:
    """All that counts for a user at one moment.

    :param read_at: that moment, by the clock by which the store decides.
    :param challenges: at most MAX_CHALLENGES, the oldest first.
    """

    read_at: datetime
    limits: UserLimits = field(default_factory=UserLimits)
    challenges: tuple[ChallengeRecord, ...] = ()

    @classmethod
    def of(
        cls, read_at: datetime, limits: UserLimits, challenges: Iterable[Challenge]
    ) -> UserRecord:
        """Make a record of what a store holds of a user."""
        return cls(read_at, limits, newest(map(record_of, challenges)))


def record_of(challenge: Challenge) -> ChallengeRecord:
    """Return a challenge without what no operator needs."""
    return ChallengeRecord(
        challenge.id,
        challenge.caller,
        challenge.channel,
        challenge.issued_at,
        challenge.expires_at,
        challenge.tries,
        challenge.attempts,
        challenge.used_at,
        challenge.closed_at,
    )


def newest(challenges: Iterable[ChallengeRecord]) -> tuple[ChallengeRecord, ...]:
    """Return the newest challenges, the oldest of them first."""
    ordered = sorted(challenges, key=lambda one: (one.issued_at, one.id))
    return tuple(ordered[-MAX_CHALLENGES:])
