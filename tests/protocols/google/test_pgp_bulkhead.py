"""So many are inside at once, so many wait, and not for long."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from flask_otp_mpp.core import bulkhead
from flask_otp_mpp.core.bulkhead import Bulkhead, Full


class Visitors:
    """Threads that stay inside until they may leave, and what happened to each."""

    def __init__(self, places: Bulkhead, pool: ThreadPoolExecutor) -> None:
        self._places = places
        self._pool = pool
        self._leave = threading.Semaphore(0)
        self.inside = 0

    def _visit(self) -> str:
        try:
            with self._places:
                self.inside += 1
                self._leave.acquire(timeout=30)
                return "inside"
        except Full as fault:
            return str(fault)

    def send(self, count: int) -> list[Future[str]]:
        return [self._pool.submit(self._visit) for _ in range(count)]

    def let_go(self, count: int) -> None:
        self._leave.release(count)

    def settled(self, inside: int, waiting: int) -> None:
        deadline = time.monotonic() + 10
        while (self._places.inside, self._places.waiting) != (inside, waiting):
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_no_more_are_inside_or_wait_than_may() -> None:
    """X5: whoever comes too much is told at once."""
    with ThreadPoolExecutor(16) as pool:
        visitors = Visitors(Bulkhead(2, waiting=3, longest=30), pool)
        first = visitors.send(2)
        visitors.settled(2, 0)
        queued = visitors.send(3)
        visitors.settled(2, 3)
        began = time.monotonic()
        late = [visit.result(30) for visit in visitors.send(4)]
        assert time.monotonic() - began < bulkhead.STALL
        assert late == ["has no place for more than 2 and 3 that wait"] * 4
        assert visitors.inside == 2
        visitors.let_go(1)
        visitors.settled(2, 2)
        assert visitors.inside == 3
        visitors.let_go(4)
        assert [visit.result(30) for visit in first + queued] == ["inside"] * 5
        visitors.settled(0, 0)


def test_nobody_waits_longer_than_the_longest_time() -> None:
    with ThreadPoolExecutor(4) as pool:
        visitors = Visitors(Bulkhead(1, waiting=1, longest=0.05), pool)
        (first,) = visitors.send(1)
        visitors.settled(1, 0)
        (second,) = visitors.send(1)
        assert second.result(0.9) == "had no free place in time"
        visitors.let_go(1)
        assert first.result(30) == "inside"


def test_a_queue_that_does_not_move_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """X5: if all are stuck inside, the next do not wait at all."""
    monkeypatch.setattr(bulkhead, "STALL", 0.2)
    with ThreadPoolExecutor(4) as pool:
        visitors = Visitors(Bulkhead(1, waiting=2, longest=30), pool)
        (stuck,) = visitors.send(1)
        visitors.settled(1, 0)
        assert [visit.result(10) for visit in visitors.send(2)] == ["had no free place in time"] * 2
        began = time.monotonic()
        assert [visit.result(10) for visit in visitors.send(2)] == ["had no free place in time"] * 2
        assert time.monotonic() - began < 0.15
        visitors.let_go(1)
        assert stuck.result(30) == "inside"
        visitors.let_go(1)
        assert visitors.send(1)[0].result(30) == "inside"


def test_a_queue_that_moves_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one that leaves gives all others time anew."""
    monkeypatch.setattr(bulkhead, "STALL", 0.5)
    places = Bulkhead(1, waiting=8, longest=30)

    def work(number: int) -> int:
        with places:
            time.sleep(0.1)
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))


def test_a_place_comes_back_after_an_exception() -> None:
    places = Bulkhead(1, waiting=0, longest=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"), places:
            raise ValueError("inside")
    with places:
        pass
