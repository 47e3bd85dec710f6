"""The journal of a request: its row is written in the transaction of the store that decides it.

So a crash neither loses the row of a decision, nor leaves one of a decision that was not made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask_otp_mpp.audit.failure import OnFailure
from flask_otp_mpp.audit.record import kind_of
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.trace import Write
from flask_otp_mpp.protocols.values import Event

if TYPE_CHECKING:
    from flask_otp_mpp.audit.trail import AuditTrail  # it makes journals


class DecisionJournal:
    """Records the decision of one request in a trail whose table is the store's.

    :param event_of: returns the event of the request, if it ends like that.
    :ivar recorded: whether there is a row.
    """

    def __init__(self, trail: AuditTrail, event_of: Callable[[Outcome], Event]) -> None:
        self._trail = trail
        self._event_of = event_of
        self.durable = trail.durable
        self.optional = trail.on_failure is OnFailure.OPEN
        self.recorded = False

    def prepare(self) -> None:
        """See that the trail need not be read while a transaction is open.

        :raises StoreError: if it can't be read, unless the decision is made without it.
        """
        try:
            self._trail.compare_keys()
        except StoreError:
            if not self.optional:
                raise

    @contextmanager
    def entry(self, outcome: Outcome) -> Iterator[Sequence[Write]]:
        """Yield what inserts the row of a decision; it is there if the block ends well.

        UNFORESEEN is no decision: its row is written later, and names an entry of the log.
        """
        event = self._event_of(outcome)
        kind = kind_of(event)
        if kind is None or outcome.reason is Reason.UNFORESEEN:
            yield ()
            return
        with self._trail.entries(kind, event) as entries:
            yield self._trail.table.writes(entries)
        self.recorded = True
