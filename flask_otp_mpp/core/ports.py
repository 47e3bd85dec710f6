"""What the house needs from outside: a store that decides atomically, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from flask_otp_mpp.core.challenge import (
    Attempt,
    Challenge,
    Draft,
    IdempotencyKey,
    Outcome,
    StoredAnswer,
)
from flask_otp_mpp.core.policy import Policy

Clock: TypeAlias = Callable[[], datetime]
"""Returns the time, as aware UTC."""


def utc_now() -> datetime:
    """Read the system's clock as aware UTC."""
    return datetime.now(UTC)


class StoreError(Exception):
    """Report that a store could not do its work; the request is answered as unforeseen."""


class UnfitStore(StoreError):
    """Report that a store answers, but could not keep its promises as it is, and what mends it."""


class Store(Protocol):
    """Keep challenges and standings so that each verb happens at once or not at all.

    A store decides by :mod:`flask_otp_mpp.core.rules` and by one clock of its own. A request key
    that it has seen is answered from memory: nothing is counted, compared or sent twice. One that
    it has seen with another digest is refused as a conflict, whichever user it is about.

    What a request's key ``caches`` is remembered in the step that decides it; what it does not keep
    leaves no trace of the request.
    """

    def get_answer(self, request: str) -> StoredAnswer | None:
        """Return what is remembered of a named request; None if it is new.

        :param request: the value of its key.
        """
        ...

    def put_answer(self, request: IdempotencyKey, outcome: Outcome) -> Outcome:
        """Remember how a named request was refused before a user was known.

        :returns: the answer that counts: this one, unless the request has got another before.
        """
        ...

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        """Count a send and open its challenge, in one step.

        :returns: the challenge, if a message may and must now be delivered for it; otherwise the
            outcome that is already decided: a refusal, or the answer to the request's first coming.
        :raises StoreError: if the backend fails; nothing is then reserved.
        """
        ...

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        """Remember how the delivery of a reserved challenge ended.

        :param outcome: a refusal closes the challenge, unless it had been delivered before and was
            only to be sent again.
        """
        ...

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        """Count an attempt, compare it, consume the challenge and charge the user, in one step."""
        ...

    def unlock(self, subject: str) -> bool:
        """Lift a user's lock and forget their failures.

        :returns: whether there was anything to forget.
        """
        ...

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        """Delete what can no longer change any answer, in batches.

        A store may by itself forget what is over; this then has nothing to delete.

        :param batch: rows a transaction, so that no lock is held for long.
        :returns: how many rows were deleted.
        """
        ...
