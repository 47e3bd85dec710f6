"""A queueing model of a wallet: processes of threads that share a GIL, and places for deliveries.

A request waits for a thread of its process, computes while it holds the GIL and a core, and waits
for the store. A send takes a place of the bulkhead before that, and keeps it while the provider is
called. The bulkhead is that of ``flask_otp_mpp.core.bulkhead``, with its times.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import exp, inf
from typing import Any, Final, TypeAlias

import simpy

from flask_otp_mpp.core.bulkhead import MOVING_SECONDS

Latency: TypeAlias = Callable[[random.Random, float], float]
"""Draws how many seconds the provider takes for a message, at a time since the beginning."""
_Steps: TypeAlias = Generator[simpy.Event, Any, None]
_P95: Final = 1.6449
"""Standard deviations from the median of a normal distribution to its 95th percentile."""
_MOMENT: Final = 1e-9


class Ending(Enum):
    """How a request ended."""

    DONE = "done"
    TIMED_OUT = "timed out"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request of one kind costs, in seconds.

    :param cpu: processor time in the process.
    :param wait: for the store and the network.
    """

    cpu: float
    wait: float


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet on one machine.

    :param deliveries: OTP_MPP_DELIVERIES; without it half of the threads.
    :param timeout: of the sender, in seconds.
    """

    processes: int
    threads: int
    cores: int
    send: Cost
    verify: Cost
    provider: Latency
    timeout: float = 3.0
    deliveries: int | None = None

    @property
    def places(self) -> int:
        return self.deliveries or max(1, self.threads // 2)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has ended; times are seconds since the beginning.

    :param began: when a thread took it.
    """

    is_send: bool
    ending: Ending
    arrived: float
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.arrived


def log_normal(p95: float, sigma: float = 0.5) -> Latency:
    """Return latencies of which 95 of 100 are shorter than ``p95`` seconds."""
    median = p95 / exp(_P95 * sigma)
    return lambda chance, _now: median * exp(sigma * chance.gauss(0, 1))


def hangs_after(seconds: float, before: Latency) -> Latency:
    """Return the latencies of a provider that never answers from a time on."""
    return lambda chance, now: before(chance, now) if now < seconds else inf


def closed(wallet: Wallet, connections: int, seconds: float, seed: int) -> list[Request]:
    """Simulate callers that send one after the other, each on one connection.

    What has begun in time is simulated to its end.
    """
    run = _Run(wallet, seed)

    def caller(number: int) -> _Steps:
        while run.env.now < seconds:
            yield run.env.process(run.request(number % wallet.processes, is_send=True))

    for number in range(connections):
        run.env.process(caller(number))
    run.env.run()
    return run.ended


def opened(
    wallet: Wallet, sends: float, verifies: float, seconds: float, seed: int
) -> list[Request]:
    """Simulate callers that do not wait for each other: so many requests a second, by chance.

    A balancer gives each to any process. Those that have begun in time are simulated to their end.
    """
    run = _Run(wallet, seed)

    def arrivals(rate: float, *, is_send: bool) -> _Steps:
        while run.env.now < seconds:
            yield run.env.timeout(run.chance.expovariate(rate))
            run.env.process(run.request(run.chance.randrange(wallet.processes), is_send=is_send))

    for rate, is_send in ((sends, True), (verifies, False)):
        if rate:
            run.env.process(arrivals(rate, is_send=is_send))
    run.env.run()
    return run.ended


def of_kind(requests: Iterable[Request], *, sends: bool) -> list[Request]:
    """Return the sends, or the verifies."""
    return [one for one in requests if one.is_send is sends]


def share(requests: Sequence[Request], fits: Callable[[Request], bool]) -> float:
    """Return the share of the requests that fit; 0 if there are none."""
    return sum(map(fits, requests)) / max(1, len(requests))


class _Run:
    """One simulation."""

    def __init__(self, wallet: Wallet, seed: int) -> None:
        self.env = simpy.Environment()
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.ended: list[Request] = []
        self._wallet = wallet
        self._cores = simpy.Resource(self.env, wallet.cores)
        self._processes = [_Process(self.env, wallet) for _ in range(wallet.processes)]

    def request(self, number: int, *, is_send: bool) -> _Steps:
        """Be one request to a process."""
        process, arrived = self._processes[number], self.env.now
        cost = self._wallet.send if is_send else self._wallet.verify
        ending = Ending.DONE
        with process.threads.request() as thread:
            yield thread
            began = self.env.now
            yield from self._compute(process, cost.cpu / 2)
            if not is_send:
                yield self.env.timeout(cost.wait)
            elif (yield from process.places.take()):
                needed = self._wallet.provider(self.chance, self.env.now)
                if needed >= self._wallet.timeout:
                    ending = Ending.TIMED_OUT
                yield self.env.timeout(cost.wait + min(needed, self._wallet.timeout))
                process.places.give_back()
            else:
                ending = Ending.REFUSED
            yield from self._compute(process, cost.cpu / 2)
        self.ended.append(Request(is_send, ending, arrived, began, self.env.now))

    def _compute(self, process: _Process, seconds: float) -> _Steps:
        # Shorter than the interval at which Python lets another thread run, so it is not divided.
        if seconds:
            with process.gil.request() as gil:
                yield gil
                with self._cores.request() as core:
                    yield core
                    yield self.env.timeout(seconds)


class _Process:
    """A process of the wallet."""

    def __init__(self, env: simpy.Environment, wallet: Wallet) -> None:
        self.threads = simpy.Resource(env, wallet.threads)
        self.gil = simpy.Resource(env, 1)
        self.places = _Places(env, wallet.places)


class _Places:
    """The bulkhead of deliveries."""

    def __init__(self, env: simpy.Environment, places: int) -> None:
        self._env = env
        self._free = places
        self._moved = 0.0
        self._waiting: deque[simpy.Event] = deque()

    def take(self) -> Generator[simpy.Event, Any, bool]:
        """Wait for a place; return whether there was one in time."""
        deadline = self._env.now + MOVING_SECONDS
        while not self._free:
            left = min(deadline, self._moved + MOVING_SECONDS) - self._env.now
            if left <= _MOMENT:
                return False
            called = self._env.event()
            self._waiting.append(called)
            yield called | self._env.timeout(left)
            if not called.triggered:
                self._waiting.remove(called)
        self._free -= 1
        self._moved = self._env.now
        return True

    def give_back(self) -> None:
        self._free += 1
        self._moved = self._env.now
        if self._waiting:
            self._waiting.popleft().succeed()
