"""Repeats wait for a request that is at work now, in bounded numbers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from flask_otp_mpp.core.at_work import RequestsAtWork

LONG = 60.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


class Started:
    """Waiters in threads of their own; each is known to wait before the next one comes."""

    def __init__(self, pool: ThreadPoolExecutor, at_work: RequestsAtWork) -> None:
        self._pool = pool
        self._at_work = at_work

    def wait(self, request: str, client: str) -> Future[bool]:
        before = threading.active_count()
        future = self._pool.submit(self._at_work.has_ended, request, client, LONG)
        end = time.monotonic() + 0.2
        while not future.done() and time.monotonic() < end and threading.active_count() <= before:
            time.sleep(0.01)
        time.sleep(0.05)
        return future


def test_nobody_waits_for_what_is_not_at_work() -> None:
    """X4: it may just have ended, so the store is to be asked."""
    at_work = RequestsAtWork(2, 1)
    assert at_work.has_ended("a", "client", LONG)
    with at_work.work("a"):
        pass
    assert at_work.has_ended("a", "client", LONG)


def test_a_wait_ends_with_its_time() -> None:
    at_work = RequestsAtWork(2, 1)
    begin = time.monotonic()
    with at_work.work("a"):
        assert not at_work.has_ended("a", "client", 0.1)
    assert 0.1 <= time.monotonic() - begin < 10


def test_a_wait_ends_with_the_request_however_that_ends(pool: ThreadPoolExecutor) -> None:
    """X4: the last thread that works on it counts."""
    at_work = RequestsAtWork(2, 1)
    with ExitStack() as stack:
        stack.enter_context(at_work.work("a"))
        waiting = Started(pool, at_work).wait("a", "client")
        with pytest.raises(ZeroDivisionError), at_work.work("a"):
            raise ZeroDivisionError
        assert not waiting.done()
    assert waiting.result(10)


def test_at_most_one_of_a_client_and_two_of_all_wait(pool: ThreadPoolExecutor) -> None:
    """X4: the others are answered at once, and places are free again afterwards."""
    at_work = RequestsAtWork(2, 1)
    started = Started(pool, at_work)
    for _ in range(2):
        with at_work.work("a"), at_work.work("b"):
            first = started.wait("a", "one")
            assert not at_work.has_ended("b", "one", LONG)
            second = started.wait("b", "two")
            assert not at_work.has_ended("a", "three", LONG)
            assert not first.done()
            assert not second.done()
        assert first.result(10)
        assert second.result(10)


def test_with_no_place_nobody_waits() -> None:
    """X4: zero is a setting, too."""
    for at_work in (RequestsAtWork(0, 1), RequestsAtWork(1, 0)):
        with at_work.work("a"):
            assert not at_work.has_ended("a", "client", LONG)
