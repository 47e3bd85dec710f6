"""A service that fails or is silent is left alone, and called again by one call at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from flask_otp_mpp.core import circuit_breaker
from flask_otp_mpp.core.circuit_breaker import FAILURES, CircuitBreaker
from flask_otp_mpp.core.ports import StoreError, StoreUnavailable

THREADS = 3


@dataclass
class Service:
    """A service behind a breaker; it counts its calls."""

    fails: type[Exception] | None = None
    calls: int = 0
    answers: threading.Event = field(default_factory=threading.Event)
    breaker: CircuitBreaker = field(
        default_factory=lambda: CircuitBreaker("the service", THREADS, StoreUnavailable)
    )

    def __post_init__(self) -> None:
        self.answers.set()

    def call(self) -> None:
        with self.breaker:
            self.calls += 1
            assert self.answers.wait(30)
            if self.fails is not None:
                raise self.fails

    def calls_of(self, count: int) -> int:
        """Call so many times, one after the other; return how many reached the service."""
        before = self.calls
        for _ in range(count):
            try:
                self.call()
            except StoreError:
                continue
        return self.calls - before


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "OPEN_SECONDS", 0.3)
    monkeypatch.setattr(circuit_breaker, "SILENT_SECONDS", 0.2)


@contextmanager
def silent(service: Service, threads: int) -> Iterator[list[Future[None]]]:
    """Let a service be silent while so many threads have called it; then it answers."""
    service.answers.clear()
    before = service.calls
    with ThreadPoolExecutor(threads) as pool:
        try:
            futures = [pool.submit(service.call) for _ in range(threads)]
            end = time.monotonic() + 10
            while service.calls < before + threads and time.monotonic() < end:
                time.sleep(0.001)
            yield futures
        finally:
            service.answers.set()


def test_a_service_that_fails_in_a_row_is_called_no_more() -> None:
    """O7: the call is refused at once, with what it would have failed by."""
    service = Service(StoreUnavailable)
    assert service.calls_of(FAILURES + 20) == FAILURES
    with pytest.raises(StoreUnavailable, match="the service failed 5 times in a row"):
        service.call()


def test_a_success_between_failures_keeps_it_called() -> None:
    service = Service()
    for _ in range(3):
        service.fails = StoreUnavailable
        assert service.calls_of(FAILURES - 1) == FAILURES - 1
        service.fails = None
        assert service.calls_of(1) == 1


def test_an_error_of_one_request_is_an_answer() -> None:
    """O7: no caller can bring about that others are not served."""
    assert Service(StoreError).calls_of(100) == 100


def test_one_call_at_a_time_finds_out_whether_it_is_back() -> None:
    service = Service(StoreUnavailable)
    service.calls_of(FAILURES)
    time.sleep(0.35)
    with silent(service, 1) as [probe]:
        assert service.calls_of(20) == 0
    with pytest.raises(StoreUnavailable):
        probe.result(10)
    assert service.calls_of(20) == 0
    time.sleep(0.35)
    service.fails = None
    assert service.calls_of(20) == 20


def test_a_silent_service_holds_a_few_threads() -> None:
    """O7: those that called it; all others are refused at once, until it answers one."""
    service = Service()
    with silent(service, THREADS) as calls:
        time.sleep(0.35)
        with pytest.raises(StoreUnavailable, match="the service is silent"):
            service.call()
        assert service.calls == THREADS
    for call in calls:
        call.result(10)
    assert service.calls_of(5) == 5


def test_calls_that_have_just_begun_do_not_make_it_silent() -> None:
    """O7: a crowd after a pause is no outage."""
    service = Service()
    time.sleep(0.35)
    with silent(service, 4 * THREADS) as calls:
        pass
    assert [call.result(10) for call in calls] == [None] * 4 * THREADS


def test_fewer_calls_than_its_threads_may_wait_for_long() -> None:
    """O7: the next call reaches the service, which may only be slow."""
    service = Service()
    with silent(service, THREADS - 1):
        time.sleep(0.35)
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(service.call)
            service.answers.set()
            call.result(10)
    assert service.calls == THREADS
