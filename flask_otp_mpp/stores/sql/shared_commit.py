"""One commit for several threads, where a database has one writer at a time.

A commit waits for the disk, and that takes longer than all else that a verb does. Threads that
waited while another one wrote are served together by the first of them: it runs the work of each
within a savepoint of its own, and commits all of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa

from flask_otp_mpp.core.ports import StoreError, StoreUnavailable
from flask_otp_mpp.stores.sql.statements import CompiledStatement
from flask_otp_mpp.stores.sql.write_queue import WriteQueue

T = TypeVar("T")
_UNKNOWN: Final = "the OTP database was being written when the time was over"


class End(NamedTuple):
    """How the work of a thread has ended: its result, or what it raises."""

    result: Any = None
    error: Exception | None = None


class Job:
    """The work of one thread.

    :ivar end: how it has ended, once that is committed.
    """

    def __init__(self, work: Callable[[Any], Any], *, durable: bool) -> None:
        self.durable = durable
        self.end: Future[Any] = Future()
        self._work = work
        self._context = copy_context()

    def run(self, transaction: Any) -> Any:
        """Do the work, with the deadline and the trace of its thread."""
        return self._context.run(self._work, transaction)


class Runner(Protocol):
    """What runs a transaction."""

    def run_once(self, work: Callable[[Any], T], *, durable: bool) -> T:
        """Do work in a transaction, and commit it."""

    def told(self, error: Exception) -> Exception:
        """Return an error of a part of a transaction as that of a whole one would be."""


class SharedCommit:
    """Run the work of threads that wait for the write queue."""

    def __init__(self, queue: WriteQueue, dialect: sa.Dialect) -> None:
        self._queue = queue
        self._savepoint, self._undo, self._release = (
            CompiledStatement(sa.text(text), dialect)
            for text in ("SAVEPOINT part", "ROLLBACK TO part", "RELEASE part")
        )

    def run(self, runner: Runner, work: Callable[[Any], T], *, durable: bool) -> T:
        """Run work in a transaction, alone or with that of others.

        :raises StoreError: if its turn does not come in time; then nothing was done.
        :raises StoreUnavailable: if another thread was at it then, so that it may be done.
        """
        if not self._queue.waiting and self._queue.enter_at_once():
            try:
                return runner.run_once(work, durable=durable)
            finally:
                self._queue.__exit__()
        job = Job(work, durable=durable)
        self._queue.waiting.append(job)
        try:
            with self._queue:
                if not job.end.done():
                    self._serve(runner)
        except StoreError:
            if job.end.cancel():
                raise
            if not job.end.done():
                raise StoreUnavailable(_UNKNOWN) from None
        result: T = job.end.result()
        return result

    def run_alone(self, runner: Runner, work: Callable[[Any], T], *, durable: bool) -> T:
        """Run work in a transaction of its own.

        :raises StoreError: if its turn does not come in time.
        """
        with self._queue:
            return runner.run_once(work, durable=durable)

    def _serve(self, runner: Runner) -> None:
        """Run all that wait; the job of this thread is one of them."""
        jobs: list[Job] = []
        while self._queue.waiting:
            job: Job = self._queue.waiting.popleft()
            if job.end.set_running_or_notify_cancel():
                jobs.append(job)
        try:
            ends = self._run_all(runner, jobs)
        except Exception as error:  # noqa: BLE001 - raised in each thread that it concerns
            ends = [End(error=copy.copy(error)) for _ in jobs]
        except BaseException:
            for job in jobs:
                job.end.set_exception(StoreUnavailable(_UNKNOWN))
            raise
        for job, (result, failure) in zip(jobs, ends, strict=True):
            if failure is None:
                job.end.set_result(result)
            else:
                job.end.set_exception(failure)

    def _run_all(self, runner: Runner, jobs: list[Job]) -> list[End]:
        """Run jobs in one transaction; return how each has ended."""
        durable = any(job.durable for job in jobs)
        if len(jobs) == 1:
            return [End(runner.run_once(jobs[0].run, durable=durable))]
        return runner.run_once(partial(self._run_parts, runner, jobs), durable=durable)

    def _run_parts(self, runner: Runner, jobs: list[Job], transaction: Any) -> list[End]:
        ends = []
        for job in jobs:
            transaction.read({}, self._savepoint)
            try:
                result = job.run(part := transaction.part())
                part.commit()
            except Exception as error:  # noqa: BLE001 - raised in the thread that it concerns
                # This fails if the database has undone everything, such as on a full disk.
                transaction.read({}, self._undo)
                ends.append(End(error=runner.told(error)))
            else:
                ends.append(End(result))
            transaction.read({}, self._release)
        return ends
