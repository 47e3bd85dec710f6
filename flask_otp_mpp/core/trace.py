"""What becomes known of a request on its way: whom it is about, and where its time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, TypeAlias

from flask_otp_mpp.core.reasons import Outcome, Refused
from flask_otp_mpp.core.scoped import Scoped


class Part(StrEnum):
    """Name a part of the time of a request."""

    HOOKS = "hooks"
    STORE = "store"
    DELIVERY = "delivery"


Write: TypeAlias = tuple[Mapping[str, Any], Any]
"""Values, and the statement that writes them, in the form of the store that writes."""


class Journal(Protocol):
    """Records a decision of one request in the transaction of the store that decides it.

    :ivar durable: whether that transaction must wait for the disk.
    :ivar optional: whether the decision is made without its record, if that can't be written.
    :ivar recorded: whether a decision was recorded: nothing else is, then.
    """

    durable: bool
    optional: bool
    recorded: bool

    def prepare(self) -> None:
        """Do what can't be done while a transaction is open; called before each that may decide.

        :raises StoreError: if nothing can be recorded; nothing may be decided then.
        """
        ...

    def entry(self, outcome: Outcome) -> AbstractContextManager[Iterable[Write]]:
        """Enter with what to write for a decision; leave after the COMMIT, or by its exception.

        A transaction that is run again asks again.

        :param outcome: with its subject.
        """
        ...


@dataclass(slots=True)
class Trace:
    """Hold what is known of one request; it is filled in by whoever learns it.

    An event is complete by it, however the request ends: by an exception, too.

    :ivar context: how far the protocol came with it.
    :ivar subject: the user, as the host names it.
    :ivar attempts: how often the store was asked, those included that it had to try again.
    :ivar retries: how often it was asked again, because a try had failed without doing anything.
    :ivar failed: the part in which an exception was raised that is no refusal.
    :ivar claimed: the client or account that a request names, before anything is proven.
    :ivar reference: names the entry of the log for an exception.
    :ivar spans: opens a span for a part; None if nobody traces.
    :ivar journal: what a decision is recorded by in its transaction; None if nothing is.
    """

    begun: float = field(default_factory=time.monotonic)
    context: Any = None
    subject: str = ""
    challenge_id: str = ""
    attempts: int = 0
    retries: int = 0
    failed: Part | None = None
    claimed: str = ""
    reference: str = ""
    seconds: dict[Part, float] = field(default_factory=dict)
    spans: Callable[[Part], AbstractContextManager[object]] | None = None
    journal: Journal | None = None

    @property
    def recorded(self) -> bool:
        """Whether the decision was recorded with the transaction that made it."""
        return self.journal is not None and self.journal.recorded

    @property
    def total(self) -> float:
        """Seconds since the request began."""
        return time.monotonic() - self.begun


_current: ContextVar[Trace | None] = ContextVar("flask_otp_mpp_trace", default=None)


def recording(trace: Trace) -> Scoped[Trace | None]:
    """Return what lets all that a block does be recorded in a trace."""
    return Scoped(_current, trace)


def current() -> Trace:
    """Return the trace of the request that is at work; one that nobody reads if there is none."""
    return _current.get() or Trace()


def journal_at_work() -> Journal | None:
    """Return the journal of the request that is at work."""
    trace = _current.get()
    return None if trace is None else trace.journal


def count_attempt() -> None:
    """Count that a store is asked."""
    if (trace := _current.get()) is not None:
        trace.attempts += 1


def count_retry() -> None:
    """Count that a store is asked again."""
    if (trace := _current.get()) is not None:
        trace.retries += 1


class timed:  # noqa: N801 - it is used as a statement: with timed(Part.STORE)
    """Add the time of a block to a part of the request at work."""

    __slots__ = ("_begun", "_part", "_span")

    def __init__(self, part: Part) -> None:
        self._part = part

    def __enter__(self) -> None:
        """Begin."""
        trace = _current.get()
        self._span = None if trace is None or trace.spans is None else trace.spans(self._part)
        if self._span is not None:
            self._span.__enter__()
        self._begun = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Add the time, however the block ended; remember the first part that failed."""
        if (trace := _current.get()) is None:
            return
        took = time.monotonic() - self._begun
        trace.seconds[self._part] = trace.seconds.get(self._part, 0.0) + took
        if kind is not None and not issubclass(kind, Refused):
            trace.failed = trace.failed or self._part
        if self._span is not None:
            self._span.__exit__(kind, error, where)
