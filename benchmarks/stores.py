"""Each store's verbs are timed and their round trips counted, and a purge runs beside live traffic.

    python -m benchmarks.stores                      every store whose server answers
    python -m benchmarks.stores --only sqlite        one of them
    python -m benchmarks.stores --purge 1000000      also purge so many expired rows

Servers are found as the tests find them: OTP_MPP_TEST_POSTGRESQL_URL, OTP_MPP_TEST_MYSQL_URL and
OTP_MPP_TEST_REDIS_URL, or this machine's usual ports.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa

from benchmarks.roundtrips import Relay
from flask_otp_mpp import MemoryStore, Policy, SQLAlchemyStore, Store
from flask_otp_mpp.core.challenge import Challenge, Channel, Claim, Draft, Outcome, RequestKey
from flask_otp_mpp.stores import from_url
from flask_otp_mpp.stores.tables import challenges

POLICY = Policy()
RIGHT, WRONG = b"r" * 32, b"w" * 32
PLACES = {
    "postgresql": ("OTP_MPP_TEST_POSTGRESQL_URL", "postgresql+psycopg://root@127.0.0.1:5432/test"),
    "mysql": ("OTP_MPP_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/test"),
    "redis": ("OTP_MPP_TEST_REDIS_URL", "redis://127.0.0.1:6379/0"),
}
NAMES = ("memory", "sqlite", *PLACES)
BULK = 10_000


@dataclass(frozen=True)
class Timing:
    """Hold one verb's figures; times in microseconds."""

    store: str
    verb: str
    p50: float
    p99: float
    round_trips: float | None


def draft(subject: str) -> Draft:
    """Ask for a code for a user."""
    key = RequestKey(uuid.uuid4().hex, timedelta(minutes=10))
    return Draft(uuid.uuid4().hex, subject, "caller", Channel.MOBILE, RIGHT, key)


def claim(challenge: Challenge, digest: bytes) -> Claim:
    """Answer a challenge."""
    key = RequestKey(uuid.uuid4().hex, timedelta(minutes=10))
    return Claim(challenge.id, challenge.subject, challenge.caller, (digest,), key)


@contextmanager
def opened(name: str) -> Iterator[tuple[Store, Relay | None]]:
    """Give an empty store and, if it has a server, the relay through which it is reached."""
    if name == "memory":
        yield MemoryStore(), None
    elif name == "sqlite":
        with tempfile.TemporaryDirectory() as folder, _sql(f"sqlite:///{folder}/otp.db") as store:
            yield store, None
    else:
        key, usual = PLACES[name]
        url = sa.make_url(os.environ.get(key, usual))
        with Relay(url.host or "127.0.0.1", url.port or 0) as relay:
            relayed = url.set(host="127.0.0.1", port=relay.port)
            text = relayed.render_as_string(hide_password=False)
            if name == "redis":
                yield from_url(text), relay
            else:
                with _sql(text) as store:
                    yield store, relay


@contextmanager
def _sql(url: str) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(url)
    store.create_tables()
    try:
        yield store
    finally:
        challenges.metadata.drop_all(store.engine)
        store.engine.dispose()


def timed(
    name: str, verb: str, relay: Relay | None, work: Sequence[Callable[[], object]]
) -> Timing:
    """Do the work piece by piece; the first tenth only warms up."""
    warm = len(work) // 10
    for piece in work[:warm]:
        piece()
    before = relay.round_trips if relay else 0
    times = []
    for piece in work[warm:]:
        begin = time.perf_counter()
        piece()
        times.append((time.perf_counter() - begin) * 1e6)
    trips = (relay.round_trips - before) / len(times) if relay else None
    return Timing(name, verb, statistics.median(times), _p99(times), trips)


def measure(name: str, rounds: int) -> list[Timing]:
    """Time reserve, settle and spend, each round for a user of its own."""
    with opened(name) as (store, relay):
        drafts = [draft(f"user-{number}-{uuid.uuid4().hex[:8]}") for number in range(rounds)]
        made: list[Challenge] = []

        def reserve(one: Draft) -> None:
            challenge = store.reserve(one, POLICY)
            assert isinstance(challenge, Challenge)
            made.append(challenge)

        timings = [timed(name, "reserve", relay, [partial(reserve, one) for one in drafts])]
        settle = [partial(store.settle, one, Outcome(one.id)) for one in drafts]
        timings.append(timed(name, "settle", relay, settle))
        for verb, digest in (("spend, wrong", WRONG), ("spend, right", RIGHT)):
            claims = [claim(challenge, digest) for challenge in made]
            spend = [partial(store.spend, one, POLICY) for one in claims]
            timings.append(timed(name, verb, relay, spend))
        return timings


def purge(name: str, rows: int) -> dict[str, object]:
    """Purge so many expired rows while one thread sends and verifies; compare its times."""
    with opened(name) as (store, _):
        assert isinstance(store, SQLAlchemyStore)
        _fill(store, rows)
        quiet = _live(store, lambda: False, 300)
        done = threading.Event()
        took: list[float] = []

        def work() -> None:
            begin = time.perf_counter()
            deleted = store.purge(POLICY)
            took.append(time.perf_counter() - begin)
            assert deleted == rows, deleted
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        busy = _live(store, done.is_set, 1_000_000)
        thread.join()
    return {
        "store": name,
        "rows": rows,
        "us a row": took[0] / rows * 1e6,
        "verify p99 before": _p99(quiet),
        "verify p99 meanwhile": _p99(busy),
        "requests meanwhile": len(busy),
    }


def _live(store: Store, stop: Callable[[], bool], most: int) -> list[float]:
    times: list[float] = []
    while len(times) < most and not stop():
        asked = draft(f"live-{uuid.uuid4().hex}")
        challenge = store.reserve(asked, POLICY)
        assert isinstance(challenge, Challenge)
        store.settle(asked, Outcome(asked.id))
        begin = time.perf_counter()
        assert store.spend(claim(challenge, RIGHT), POLICY).reason is None
        times.append((time.perf_counter() - begin) * 1e6)
    return times


def _fill(store: SQLAlchemyStore, rows: int) -> None:
    past = datetime.now(UTC) - timedelta(days=30)
    for start in range(0, rows, BULK):
        print(f"\rfilling {start:,} of {rows:,} rows", end="", file=sys.stderr, flush=True)
        with store.engine.begin() as db:
            db.execute(
                sa.insert(challenges),
                [
                    asdict(
                        Challenge(
                            id=f"{start + number:012x}{uuid.uuid4().hex}",
                            subject=f"user-{number}",
                            caller="caller",
                            channel=Channel.MOBILE,
                            digest=RIGHT,
                            issued_at=past,
                            expires_at=past + POLICY.life,
                            tries=5,
                        )
                    )
                    for number in range(min(BULK, rows - start))
                ],
            )
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr)


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=NAMES, action="append", help="this store; repeatable")
    parser.add_argument("--rounds", type=int, default=1000, help="calls of each verb (1000)")
    parser.add_argument("--purge", type=int, default=0, metavar="ROWS", help="purge them as well")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    names = asked.only or NAMES
    timings = [timing for name in names for timing in measure(name, asked.rounds)]
    purges = [
        purge(name, asked.purge)
        for name in names
        if asked.purge and name in ("sqlite", "postgresql")
    ]
    if asked.json:
        print(json.dumps({"verbs": [asdict(t) for t in timings], "purges": purges}, indent=2))
        return
    print("| store | verb | p50 us | p99 us | round trips |\n| --- | --- | --- | --- | --- |")
    for t in timings:
        trips = "-" if t.round_trips is None else f"{t.round_trips:.2f}"
        print(f"| {t.store} | {t.verb} | {t.p50:.0f} | {t.p99:.0f} | {trips} |")
    for row in purges:
        print("\n" + ", ".join(f"{key}: {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
