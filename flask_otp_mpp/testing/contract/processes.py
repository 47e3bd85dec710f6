"""Run a race in four processes at the same time, each with a store that it has opened itself."""

from __future__ import annotations

import gc
import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Any, Final, Literal, TypeAlias

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.testing.contract import race
from flask_otp_mpp.testing.contract.builders import QUICK

PROCESSES: Final = 4
THREADS: Final = 8
TIMEOUT: Final = 120

Kind: TypeAlias = Literal["right", "wrong", "sends"]
Share: TypeAlias = tuple[int, Counter[Any]]
_start: list[Barrier] = []


class Racers:
    """A pool of processes for races; they are spawned, so that they inherit nothing."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier = context.Barrier(PROCESSES)  # so that no process runs two shares
        self._pool = ProcessPoolExecutor(PROCESSES, context, _enter, (self._barrier,))

    def race(self, kind: Kind, opener: Callable[[], Store], challenge: Challenge) -> Share:
        """Return what was compared or sent, and the reasons of the answers, of all together."""
        shares = [self._pool.submit(_run, kind, opener, challenge) for _ in range(PROCESSES)]
        faults = [fault for share in shares if (fault := share.exception(TIMEOUT)) is not None]
        if faults:
            self._barrier.reset()
            # The error of the process that failed says more than those of the others, who waited.
            raise min(faults, key=lambda fault: isinstance(fault, BrokenBarrierError))
        counts, reasons = zip(*(share.result() for share in shares), strict=True)
        return sum(counts), sum(reasons, Counter())

    def close(self) -> None:
        self._pool.shutdown()


def _enter(barrier: Barrier) -> None:
    """Remember the barrier at which all processes of a race meet."""
    _start.append(barrier)


def _run(kind: Kind, opener: Callable[[], Store], challenge: Challenge) -> Share:
    try:
        store = opener()
    except BaseException:
        _start[0].abort()
        raise
    _start[0].wait(TIMEOUT)
    try:
        if kind == "right":
            return 0, race.right_answers(store, challenge, THREADS)
        if kind == "wrong":
            return race.wrong_answers(store, [challenge], THREADS)
        return race.sends(store, QUICK, THREADS), Counter()
    finally:
        del store
        gc.collect()  # no connection outlives the race: what it leads to may be taken away
