"""A challenge: one code that was sent, its bounded number of tries, and how it ends."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.reasons import Reason


class Channel(StrEnum):
    """The ways by which a code can reach its user."""

    MOBILE = "MOBILE"
    EMAIL = "EMAIL"


@dataclass(frozen=True, slots=True)
class Draft:
    """Ask a store for a new challenge.

    :param id: unguessable, at most 64 characters.
    :param subject: the user, as the host names it, at most 128 characters.
    :param caller: who may answer the challenge: client, acquirer and wallet, as one digest.
    :param client: for which client sends and failures are counted, as a digest of 16 characters.
    :param digest: the keyed digest of the code; the code itself is never stored.
    """

    id: str
    subject: str
    caller: str
    client: str
    channel: Channel
    digest: bytes = field(repr=False)
    request: IdempotencyKey


@dataclass(frozen=True, slots=True)
class Attempt:
    """Compare a code with a challenge, once.

    :param id: the challenge's.
    :param digests: the digests by which the code may be stored, one for each pepper; none for a
        code that is not in normal form, which is counted like any wrong code.
    """

    id: str
    subject: str
    caller: str
    client: str
    digests: tuple[bytes, ...] = field(repr=False)
    request: IdempotencyKey


class Expiring:
    """What a challenge and a record of it have in common: how it ends."""

    __slots__ = ()
    expires_at: datetime
    tries: int
    attempts: int
    used_at: datetime | None
    closed_at: datetime | None

    def refusal(self, now: datetime) -> Reason | None:
        """Return why the challenge is no longer usable; None while it is."""
        if self.used_at is not None:
            return Reason.CHALLENGE_USED
        if self.closed_at is not None:
            return Reason.CHALLENGE_CLOSED
        if now >= self.expires_at:
            return Reason.CHALLENGE_EXPIRED
        if self.attempts >= self.tries:
            return Reason.TRIES_SPENT
        return None


@dataclass(frozen=True, slots=True)
class Challenge(Expiring):
    """One code that was sent to a user; times are aware UTC.

    :param tries: how many attempts are allowed, ``attempts`` how many were made.
    :param used_at: when the right code was presented.
    :param closed_at: when a newer challenge replaced it, or its delivery was refused.
    :param reserved_at: when ``reserve`` gave it out, by the store's clock; None if nothing did.
    """

    id: str
    subject: str
    caller: str
    channel: Channel
    digest: bytes = field(repr=False)
    issued_at: datetime
    expires_at: datetime
    tries: int
    attempts: int = 0
    used_at: datetime | None = None
    closed_at: datetime | None = None
    reserved_at: datetime | None = field(default=None, compare=False)

    @property
    def life_left(self) -> timedelta:
        """How long the code was still accepted when ``reserve`` gave it out, by the store."""
        return self.expires_at - (self.reserved_at or self.issued_at)

    def belongs_to(self, attempt: Attempt) -> bool:
        """Return whether the attempt is by the user and the caller for whom the code was made."""
        return self.subject == attempt.subject and self.caller == attempt.caller

    def matches(self, attempt: Attempt) -> bool:
        """Compare the code of an attempt, in constant time."""
        matched = False
        for digest in attempt.digests:
            matched |= hmac.compare_digest(self.digest, digest)
        return matched

    def tried(self, attempt: Attempt, now: datetime) -> Challenge:
        """Count an attempt and compare it; a match uses the challenge up."""
        used_at = now if self.matches(attempt) else None
        return replace(self, attempts=self.attempts + 1, used_at=used_at)

    def closed(self, now: datetime) -> Challenge:
        """Return the challenge as closed; a used one stays used."""
        return self if self.used_at is not None else replace(self, closed_at=now)
