"""A challenge lives once: it opens, takes a bounded number of tries, and is then dead for good."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from flask_otp_mpp.core.reasons import Reason


class Channel(StrEnum):
    """Name the ways that a code can reach its user."""

    MOBILE = "MOBILE"
    EMAIL = "EMAIL"


UNCOMPARED: Final = frozenset(
    {
        Reason.TRIES_SPENT,
        Reason.USER_LOCKED,
        Reason.CHALLENGE_UNKNOWN,
        Reason.CHALLENGE_EXPIRED,
        Reason.CHALLENGE_USED,
        Reason.CHALLENGE_CLOSED,
    }
)
"""An attempt that is refused for one of these was not counted."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Identify one request of a caller, so that its repeat is answered and not done again.

    :param value: the same for a repeat and for no other request, at most 64 characters.
    :param keep: how long the answer is remembered.
    :param digest: if the caller chose the request's name, a digest of everything else that it
        asked, at most 64 characters; the same name with another digest is a conflict. Empty if
        ``value`` stands for the whole request.
    :param redo: refusals that are not remembered; a repeat is judged anew.
    """

    value: str
    ttl: timedelta
    digest: str = ""
    not_cached: frozenset[Reason] = UNCOMPARED

    @property
    def chosen_by_caller(self) -> bool:
        """Whether the caller chose the request's name; it may then be asked for by it."""
        return self.digest != ""

    def caches(self, reason: Reason | None) -> bool:
        """Tell whether a repeat gets this answer again; while a send is at work it always does."""
        return reason is Reason.REQUEST_PENDING or reason not in self.not_cached


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
    request: IdempotencyKey


@dataclass(frozen=True, slots=True)
class Attempt:
    """Answer a challenge with a code.

    :param digests: what the code may have been stored as, one for each pepper; none at all for a
        code that is not in normal form, which is counted like any wrong one.
    """

    id: str
    subject: str
    caller: str
    digests: tuple[bytes, ...] = field(repr=False)
    request: IdempotencyKey


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

    def refusal(self, now: datetime) -> Reason | None:
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

    def belongs_to(self, attempt: Attempt) -> bool:
        """Tell whether the claim comes from the user and the caller that the code was made for."""
        return self.subject == attempt.subject and self.caller == attempt.caller

    def tried(self, attempt: Attempt, now: datetime) -> Challenge:
        """Count one try and compare it, in constant time; a match uses the challenge up."""
        matched = False
        for digest in attempt.digests:
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


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """Hold what is remembered of a request.

    :param digest: the digest of its parameters, as in :class:`IdempotencyKey`.
    :param subject: the user it was about; empty if it was refused before that was known.
    """

    outcome: Outcome
    digest: str = ""
    subject: str = ""

    def answer(self, request: IdempotencyKey) -> Outcome:
        """Return what a later request of the same name is answered."""
        if request.digest != self.digest:
            return Outcome("", Reason.REQUEST_CONFLICT)
        return replace(self.outcome, repeated=True)
