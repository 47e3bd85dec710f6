"""What happened in this process, counted from the package's signals, in bounded memory."""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask

from flask_otp_mpp import (
    Event,
    Operation,
    Reason,
    operator_acted,
    otp_refused,
    otp_sent,
    otp_verified,
    user_locked,
)

EVENTS = 40
SAMPLES = 5000
CODES = 5000
BUCKET = timedelta(seconds=15)
BUCKETS = 40
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the requests of one interval took.

    :param start: of the interval.
    :param count: how many requests ended in it.
    :param milliseconds: by percentile; empty if there was no request.
    """

    start: datetime
    count: int
    milliseconds: dict[int, float]


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers at one moment.

    :param confirmed: codes that were sent in this process, and entered right.
    :param rate: of the codes sent, how many were entered right; None without a code.
    :param refusals: by reason, the most frequent first.
    :param latencies: of equal intervals up to now, the oldest first.
    :param recent: the last events, newest first.
    """

    since: datetime
    at: datetime
    sends: int
    verifies: int
    confirmed: int
    rate: float | None
    refusals: Sequence[tuple[Reason, int]]
    locks: int
    latencies: Sequence[Latency]
    recent: Sequence[Event]

    @property
    def refused(self) -> int:
        """How many requests were refused."""
        return sum(count for _, count in self.refusals)


class Statistics:
    """Count the events of an app. A repeat that was answered again is listed, and not counted."""

    def __init__(self) -> None:
        self._since = datetime.now(UTC)
        self._lock = threading.Lock()
        self._sends = self._verifies = self._confirmed = self._locks = 0
        self._refusals: Counter[Reason] = Counter()
        self._codes: OrderedDict[str, None] = OrderedDict()
        self._samples: deque[tuple[datetime, float]] = deque(maxlen=SAMPLES)
        self._recent: deque[Event] = deque(maxlen=EVENTS)

    def connect(self, app: Flask) -> None:
        """Count what happens in an app from now on."""
        for signal in (otp_sent, otp_verified, otp_refused, operator_acted):
            signal.connect(self._add, sender=app)
        user_locked.connect(self._add_lock, sender=app)

    def figures(self) -> Figures:
        """Return the numbers of now."""
        now = datetime.now(UTC)
        with self._lock:
            sent = self._sends
            return Figures(
                since=self._since,
                at=now,
                sends=sent,
                verifies=self._verifies,
                confirmed=self._confirmed,
                rate=self._confirmed / sent if sent else None,
                refusals=self._refusals.most_common(),
                locks=self._locks,
                latencies=_by_interval(self._samples, now),
                recent=tuple(reversed(self._recent)),
            )

    def _add(self, _app: Flask, *, event: Event) -> None:
        with self._lock:
            self._recent.append(event)
            if "total" in event.seconds:
                self._samples.append((event.time, event.seconds["total"]))
            if not event.repeated:
                self._count(event)

    def _count(self, event: Event) -> None:
        if event.reason is not None:
            self._refusals[event.reason] += 1
        elif event.operation is Operation.SEND:
            self._sends += 1
            self._codes[event.challenge_id] = None
            if len(self._codes) > CODES:
                self._codes.popitem(last=False)
        elif event.operation is Operation.VERIFY:
            self._verifies += 1
            if event.challenge_id in self._codes:
                del self._codes[event.challenge_id]
                self._confirmed += 1

    def _add_lock(self, _app: Flask, **_told: Any) -> None:
        with self._lock:
            self._locks += 1


def percentile(ordered: Sequence[float], rank: int) -> float:
    """Return the smallest of some values that as many percent of them do not exceed.

    :param ordered: the values, the smallest first; there is one at least.
    """
    return ordered[max(0, math.ceil(len(ordered) * rank / 100) - 1)]


def _by_interval(samples: Sequence[tuple[datetime, float]], now: datetime) -> list[Latency]:
    """Sort samples into the last intervals; these begin at whole multiples of their length."""
    length = BUCKET.total_seconds()
    last = math.floor(now.timestamp() / length)
    took: dict[int, list[float]] = {}
    for at, seconds in samples:
        took.setdefault(math.floor(at.timestamp() / length), []).append(1000 * seconds)
    found = []
    for number in range(last - BUCKETS + 1, last + 1):
        ordered = sorted(took.get(number, ()))
        values = {rank: percentile(ordered, rank) for rank in PERCENTILES if ordered}
        start = datetime.fromtimestamp(number * length, UTC)
        found.append(Latency(start, len(ordered), values))
    return found
