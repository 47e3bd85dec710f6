"""What the house needs from outside: a store that decides atomically, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from flask_otp_mpp.core.challenge import Challenge, Claim, Draft, Outcome
from flask_otp_mpp.core.policy import Policy

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """Read the system's clock as aware UTC."""
    return datetime.now(UTC)


class StoreError(Exception):
    """Report that a store could not do its work; the request is answered as unforeseen."""


class Store(Protocol):
    """Keep challenges and standings so that each verb happens at once or not at all.

    A store decides by :mod:`flask_otp_mpp.core.rules` and by one clock of its own. A request key
    that it has seen is answered from memory: nothing is counted, compared or sent twice.
    """

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

    def spend(self, claim: Claim, policy: Policy) -> Outcome:
        """Count an attempt, compare it, consume the challenge and charge the user, in one step."""
        ...

    def pardon(self, subject: str) -> bool:
        """Lift a user's lock and forget their failures.

        :returns: whether there was anything to forget.
        """
        ...

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        """Delete what can no longer change any answer.

        :param batch: rows a transaction, so that no lock is held for long.
        :returns: how many rows were deleted.
        """
        ...
