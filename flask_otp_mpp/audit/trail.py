"""The trail as an app writes it: a row for each recorded event, before its answer leaves.

A thread that writes takes a chain that no other thread is using, or begins one. So threads do not
wait for each other, and neither do processes. A chain whose row may or may not be stored is left.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any, Final

from flask_otp_mpp.audit.chain import AuditKeys, Chain, Entry
from flask_otp_mpp.audit.failure import AuditError, OnFailure
from flask_otp_mpp.audit.journal import DecisionJournal
from flask_otp_mpp.audit.record import Kind, fields_of, kind_of
from flask_otp_mpp.audit.table import AuditTable
from flask_otp_mpp.core.circuit_breaker import CircuitBreaker
from flask_otp_mpp.core.deadline import ANSWER_SECONDS, answer_within, seconds_left
from flask_otp_mpp.core.ports import StoreError, StoreUnavailable
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.protocols.values import Act, Event

WRITE_SECONDS: Final = 0.4
"""How long a row is tried to be stored at least, however late the request is."""
_RETRY_SECONDS: Final = 1.0
"""A row that took longer to fail is not tried again: the caller is waiting."""
_logger = logging.getLogger("flask_otp_mpp")


class AuditTrail:
    """Record events.

    :param key_prints: the fingerprints of the keys in use, by a name for each.
    :param on_change: is told that keys or peppers have changed, after that was recorded.
    :param threads: how many threads may wait for a database that is silent.
    :param keep: how old rows must be for a purge to delete them; None if it deletes none.
    :param durable: whether a row waits for the database's disk.
    :param in_store: whether decisions are recorded in the transactions of the store that makes
        them: it is the table's.
    :ivar table: where the rows are.
    :ivar keys: by which they are sealed.
    """

    def __init__(
        self,
        table: AuditTable,
        keys: AuditKeys,
        key_prints: Mapping[str, str],
        *,
        on_change: Callable[[Event], object],
        threads: int,
        on_failure: OnFailure = OnFailure.CLOSED,
        keep: timedelta | None = None,
        durable: bool = False,
        in_store: bool = False,
    ) -> None:
        self.durable = durable
        self.in_store = in_store
        self.table = table
        self.keys = keys
        self.keep = keep
        self._key_names = {"keys": dict(key_prints), "peppers": list(keys.ids)}
        self._on_change = on_change
        self._threads = threads
        self.on_failure = on_failure
        self._begin()
        begin = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (usable := begin()) and usable())

    def record(self, event: Event) -> None:
        """Record an event, or count it if it is one that is only counted.

        :raises AuditError: if it could not be, unless that is to be logged only.
        """
        kind = kind_of(event)
        if kind is None:
            with self._lock:
                self._not_recorded += 1
            return
        seconds = max(WRITE_SECONDS, seconds_left(ANSWER_SECONDS))
        try:
            if not self.keys.ids:
                raise StoreError("there is no pepper for the MACs of rows")
            with answer_within(seconds), self._breaker:
                self.compare_keys()
                self._write(kind, event)
        except StoreError as error:
            failure = error
        else:
            return
        if self.on_failure is OnFailure.CLOSED:
            raise AuditError(f"the audit trail could not be written: {failure}") from failure
        _logger.error(
            "the audit trail could not be written, and 'OTP_MPP_AUDIT_FAILURE' is 'open': %s",
            failure,
        )

    def journal(self, event_of: Callable[[Outcome], Event]) -> DecisionJournal:
        """Return what the store records the decision of a request by.

        :param event_of: returns the event of the request, if it ends like that.
        """
        return DecisionJournal(self, event_of)

    def recent(self, subject: str, limit: int = 20) -> Sequence[Entry]:
        """Return the newest rows of a user, the newest one first.

        :raises StoreError: if the database fails.
        """
        return self.table.recent(subject, limit)

    def _begin(self) -> None:
        """Begin as a process that has written nothing; also in a child that was forked."""
        self._lock = threading.Lock()
        self._breaker = CircuitBreaker("the audit trail", self._threads, StoreUnavailable)
        self._free: list[Chain] = []
        self._not_recorded = 0
        self._comparing = threading.Lock()
        self._compared = False

    def _write(self, kind: Kind, event: Event) -> None:
        """Write a row; after a lost connection once more, on another chain.

        The first one may have been stored: the event is recorded twice then, never half.
        """
        began = time.monotonic()
        try:
            return self._write_once(kind, event)
        except StoreUnavailable:
            if time.monotonic() - began > _RETRY_SECONDS or not seconds_left(1):
                raise
        return self._write_once(kind, event)

    def _write_once(self, kind: Kind, event: Event) -> None:
        with self.entries(kind, event) as entries:
            self.table.insert(entries, durable=self.durable)

    @contextmanager
    def entries(self, kind: Kind, event: Event) -> Iterator[Sequence[Entry]]:
        """Take a chain and yield its next entries, to be stored by the block.

        If the block raises, it is not known whether they are: the chain is left.
        """
        with self._lock:
            chain = self._free.pop() if self._free else Chain(self.keys)
            not_recorded, self._not_recorded = self._not_recorded, 0
        try:
            entries = [self._anchor(chain, event.time)] if chain.is_new else []
            fields = fields_of(event, not_recorded)
            yield [*entries, chain.add(kind, event.time, event.subject, fields)]
        except BaseException:
            with self._lock:
                self._not_recorded += not_recorded
            raise
        with self._lock:
            self._free.append(chain)

    def compare_keys(self) -> None:
        """Once in a process, before its first row: record and tell of changed keys and peppers.

        :raises StoreError: if that could not be found out, or recorded.
        """
        if self._compared:
            return
        if not self._comparing.acquire(timeout=seconds_left(ANSWER_SECONDS)):
            raise StoreUnavailable("the audit trail is silent")
        try:
            event = None if self._compared else self._record_changes()
            self._compared = True
        finally:
            self._comparing.release()
        if event is not None:
            self._on_change(event)

    def _record_changes(self) -> Event | None:
        """Record what differs from the last chain, once, whichever process finds it first.

        All processes that find the same change give its chain the same id, so only one can write.

        :returns: what was recorded here; None if nothing was.
        """
        last = self.table.last_anchor()
        changes = {} if last is None else _changes(last.fields, self._key_names)
        if last is None or not changes:
            return None
        count = sum(map(len, changes.values()))
        event = Event("operator", Act.KEY_CHANGE, count=count, changes=changes)
        chain = Chain(self.keys, self.keys.chain_after(last, self._key_names))
        anchor = self._anchor(chain, event.time)
        entries = [anchor, chain.add(Kind.CHANGE, event.time, "", fields_of(event))]
        try:
            self.table.insert(entries, durable=self.durable)
        except StoreError:
            if not self.table.has_chain(chain.id):
                raise
            return None
        with self._lock:
            self._free.append(chain)
        return event

    def _anchor(self, chain: Chain, now: datetime) -> Entry:
        return chain.add(Kind.ANCHOR, now, "", {**_process(), **self._key_names})


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what differs: names of keys and check values of peppers, by what became of them."""
    changes = {}
    for what in ("keys", "peppers"):
        old, new = (_named(one.get(what, {})) for one in (before, now))
        changes[f"{what}_added"] = sorted(new.keys() - old.keys())
        changes[f"{what}_removed"] = sorted(old.keys() - new.keys())
        both = old.keys() & new.keys()
        changes[f"{what}_replaced"] = sorted(name for name in both if old[name] != new[name])
    return {name: found for name, found in changes.items() if found}


def _named(values: Any) -> Mapping[str, object]:
    return values if isinstance(values, Mapping) else dict.fromkeys(values)


def _process() -> dict[str, object]:
    """Return which process writes; its user is the operator, if it is a command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        user = ""
    where = {"host": socket.gethostname(), "user": user, "pid": os.getpid()}
    return {**where, "version": version("flask-otp-mpp")}
