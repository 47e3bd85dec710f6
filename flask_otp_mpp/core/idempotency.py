"""Idempotency: a request that comes again is answered as the first time and not done again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from flask_otp_mpp.core.reasons import Outcome, Reason

NOT_COUNTED: Final = frozenset(
    {
        Reason.TRIES_SPENT,
        Reason.USER_LOCKED,
        Reason.CHALLENGE_UNKNOWN,
        Reason.CHALLENGE_EXPIRED,
        Reason.CHALLENGE_USED,
        Reason.USED_UNMATCHED,
        Reason.CHALLENGE_CLOSED,
    }
)
"""Reasons for which a verify attempt is refused and not counted."""

NOTHING_DONE: Final = NOT_COUNTED | {Reason.SEND_LIMITED, Reason.SEND_LOCKED}
"""Reasons for which a store refuses a request and changes nothing.

Nothing else bounds how often that happens: a send is bounded by its limits, a wrong code by locks.
"""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Identify one request of a caller.

    :param value: the same for a repeat and for no other request, at most 64 characters.
    :param ttl: how long the answer is stored.
    :param digest: if the caller chose the key, a digest of everything else in its request, at most
        64 characters; the same key with another digest is a conflict. Empty if ``value`` is made
        from the whole request.
    :param not_cached: reasons of refusals that are not stored; a repeat is then decided again.
    """

    value: str
    ttl: timedelta
    digest: str = field(default="", repr=False)  # without a pepper: a phone number can be guessed
    not_cached: frozenset[Reason] = NOT_COUNTED

    @property
    def chosen_by_caller(self) -> bool:
        """Whether the caller chose the key; another request may then refer to this one by it."""
        return self.digest != ""

    def caches(self, reason: Reason | None) -> bool:
        """Return whether an answer with this reason is stored.

        REQUEST_PENDING always is: it marks a send that has not ended yet.
        """
        return reason is Reason.REQUEST_PENDING or reason not in self.not_cached


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a store keeps of an answered request.

    :param digest: the digest of the request's parameters, as in :class:`IdempotencyKey`.
    :param subject: the user whom it was about.
    """

    outcome: Outcome
    digest: str = field(repr=False)
    subject: str

    def answer(self, request: IdempotencyKey) -> Outcome:
        """Return the answer to a later request with the same key."""
        if request.digest != self.digest:
            return Outcome(reason=Reason.REQUEST_CONFLICT)
        return replace(self.outcome, repeated=True)


def digest_of(*parts: str) -> str:
    """Return the SHA-256 of these texts in this order, in hexadecimal; no other texts share it."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
