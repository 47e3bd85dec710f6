"""What core needs from outside: a store that decides each request, a quota of stored refusals."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.core.user_record import UserRecord


class StoreError(Exception):
    """Report that a store could not do its work; the request is answered as UNFORESEEN."""


class StoreUnavailable(StoreError):
    """Report a store that does not answer: it can't be reached, or takes too long.

    After some of these in a row it is left alone for a moment. So a store must not raise it for
    what one request alone can bring about, such as a value that it can't keep.
    """


class UnfitStore(StoreError):
    """Report a store that answers but can't give its guarantees as it is, and what to change."""


class PurgeTooSlow(StoreError):
    """Report that a purge could not go on, what it has deleted, and what to do."""


class RequestStore(Protocol):
    """Decide the requests of callers; every method is atomic.

    A store decides by :mod:`flask_otp_mpp.core.rules` and by one clock of its own. A request whose
    key it knows gets the stored answer: nothing is counted, compared or sent twice. If the digest
    of the key differs, the answer is REQUEST_CONFLICT, whichever user either request is about.

    An answer is stored in the step that decides it, if the key ``caches`` it; otherwise the request
    leaves no trace.
    """

    def get_answer(self, request: str) -> StoredAnswer | None:
        """Return what is stored of a request; None if the store does not know it.

        :param request: the value of its idempotency key.
        """
        ...

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        """Count a send and open its challenge.

        :returns: the challenge, if the caller of this method must now deliver a message for it;
            otherwise the outcome that is already decided: a refusal, or the stored answer.
        :raises StoreError: if the backend fails; nothing is reserved then.
        :raises StoreUnavailable: if it does not answer.
        """
        ...

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        """Store how the delivery of a reserved challenge ended.

        If its user was forgotten meanwhile, nothing is stored. It is called again with the same
        arguments if it failed, which must change nothing more.

        :param outcome: a refusal closes the challenge, unless it was delivered before and was only
            to be sent again.
        """
        ...

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        """Count an attempt, compare its code, and update challenge and limits of the user."""
        ...


class Store(RequestStore, Protocol):
    """Keep challenges, users' limits and answers; every method except ``forget`` is atomic."""

    def look_up(self, subject: str) -> UserRecord:
        """Return what is stored of a user, for an operator; nothing is locked or changed.

        What counts no longer may be in it, or not: a store may delete it at any time.
        """
        ...

    def unlock(
        self, subject: str, clients: Collection[str] | None = None, *, quota: bool = False
    ) -> UserLimits | None:
        """End a user's locks and forget their failures, as ``rules.unlock`` decides.

        :param clients: the digests of the clients at which; None for all, and for a user for whom
            OTP is disabled.
        :param quota: whether their counted sends are forgotten too.
        :returns: what was forgotten; None if there was nothing.
        """
        ...

    def forget(self, subject: str) -> bool:
        """Delete all that is stored of a user: challenges, limits and locks, and answers.

        Requests of the user that are in progress, and later ones, may store something again. This
        one method may be several steps: of what a request stores meanwhile a part may stay.

        :returns: whether there was anything to delete.
        """
        ...

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        """Delete what can no longer change any answer, in batches.

        A store may also delete such rows by itself; this then finds nothing.

        :param batch: rows per transaction, 1 or more, so that no lock is held for long.
        :returns: how many rows were deleted.
        :raises ValueError: if the batch is less than one row.
        """
        ...


def check_batch(batch: int) -> None:
    """See that a purge deletes at least a row at a time: with none it would never end.

    :raises ValueError: if it does not.
    """
    if batch < 1:
        raise ValueError(f"a purge deletes 1 row at a time or more, and batch is {batch}")


class RefusalQuota(Protocol):
    """Bound how many refusals that changed nothing are stored for each client."""

    def has_room(self, caller: Caller) -> bool:
        """Tell whether a refusal of this client may still be stored."""
        ...

    def count(self, caller: Caller) -> None:
        """Count a refusal that was stored."""
        ...
