"""A challenge lives once: it opens, takes a bounded number of tries, and is then dead for good."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from flask_otp_mpp.core.reasons import Reason


class Channel(StrEnum):
    """Name the ways that a code can reach its user."""

    MOBILE = "MOBILE"
    EMAIL = "EMAIL"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Identify one request of a caller, so that its repeat is answered and not done again.

    :param value: the same for a repeat and for nothing else, at most 64 characters.
    :param keep: how long the answer is remembered.
    """

    value: str
    keep: timedelta


@dataclass(frozen=True, slots=True)
class Draft:
    """Ask a store for a new challenge.

    :param id: unguessable, at most 64 characters.
    :param subject: the user, as the host names it, at most 128 characters.
    :param caller: who may answer the challenge: client, acquirer and wallet, as one digest.
    :param digest: the keyed digest of the code; the code itself is never stored.
    """

    id: str
    subject: str
    caller: str
    channel: Channel
    digest: bytes = field(repr=False)
    request: RequestKey


@dataclass(frozen=True, slots=True)
class Claim:
    """Answer a challenge with a code.

    :param digests: what the code may have been stored as, one for each pepper; none at all for a
        code that is not in normal form, which is counted like any wrong one.
    """

    id: str
    subject: str
    caller: str
    digests: tuple[bytes, ...] = field(repr=False)
    request: RequestKey


@dataclass(frozen=True, slots=True)
class Challenge:
    """Hold what is known of one code that was sent out; times are aware UTC."""

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

    def death(self, now: datetime) -> Reason | None:
        """Name what the challenge has died of; None while it may still be answered."""
        if self.used_at is not None:
            return Reason.CHALLENGE_USED
        if self.closed_at is not None:
            return Reason.CHALLENGE_CLOSED
        if now >= self.expires_at:
            return Reason.CHALLENGE_EXPIRED
        if self.attempts >= self.tries:
            return Reason.TRIES_SPENT
        return None

    def belongs_to(self, claim: Claim) -> bool:
        """Tell whether the claim comes from the user and the caller that the code was made for."""
        return self.subject == claim.subject and self.caller == claim.caller

    def tried(self, claim: Claim, now: datetime) -> Challenge:
        """Count one try and compare it, in constant time; a match uses the challenge up."""
        matched = False
        for digest in claim.digests:
            matched |= hmac.compare_digest(self.digest, digest)
        return replace(self, attempts=self.attempts + 1, used_at=now if matched else None)

    def closed(self, now: datetime) -> Challenge:
        """Return the challenge as one that can't be answered any more; a used one stays used."""
        return self if self.used_at is not None else replace(self, closed_at=now)


@dataclass(frozen=True, slots=True)
class Outcome:
    """State what a store decided on a request, now or when it first came.

    :param reason: None if the request succeeded.
    :param detail: what a hook of the host told the caller beside the reason.
    :param until: the end of a lock or a limit, if there is one.
    :param repeated: the request was seen before, this is the answer that it got then.
    """

    challenge_id: str
    reason: Reason | None = None
    detail: str = ""
    until: datetime | None = None
    repeated: bool = False
