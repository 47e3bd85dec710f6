"""What a failover of Redis forgets, and for how long it answers nobody.

Eight clients send and verify for forty users, each client with a store of its own; half of them
connect anew every half second. After two seconds an operator moves the primary, by SENTINEL
FAILOVER or CLUSTER FAILOVER (`planned`), or pauses all writes before that (`paused`), or its
process is killed (`kill`), and is started again, empty, as soon as another server has its place.
Fourteen seconds later the traffic ends. `needed` is min-replicas-to-write; min-replicas-max-lag is
1. All servers are on this machine and keep nothing on disk.

Broken promises are counted from what the clients were answered: one code that won more than once;
guesses that were judged above the five tries of a code; two messages of one user within the
cool-down of a second; codes that were sent and are unknown to the store. `gap` is the longest time
in which nobody was answered, `failed` how many calls ended as StoreError.

The second table compares a call with the same call and WAIT 1 behind it, which waits until a
replica has what was written. Both go to the server together.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.failover_traffic import Answers, Traffic
from benchmarks.options import repeatable
from benchmarks.progress import note
from benchmarks.redis_nodes import Nodes, cluster, guard, program, watched
from benchmarks.report import FIGURES, Report, Table
from benchmarks.stores import POLICY, WRONG, attempt, draft, p99, reserved
from flask_otp_mpp import RedisStore

BEFORE: Final = 2.0
AFTER: Final = 14.0
PAUSE: Final = 15
FAILOVERS: Final = ("planned", "paused", "kill")
BROKEN: Final = tuple(Answers().broken())
COLUMNS: Final = (
    "servers", "failover", "needed", "answered", *BROKEN, "longest gap s", "failed",
)  # fmt: skip


@dataclass(frozen=True)
class Deployment:
    """Servers that can fail over.

    :param replicas: of each primary.
    :param open: starts them, with options.
    """

    title: str
    replicas: int
    failovers: Sequence[str]
    open: Callable[[Path, Sequence[str]], AbstractContextManager[Nodes]]


DEPLOYMENTS: Final = {
    "sentinel-1": Deployment(
        "Sentinel, 1 replica", 1, FAILOVERS, lambda folder, options: watched(folder, 1, options)
    ),
    "sentinel-2": Deployment(
        "Sentinel, 2 replicas", 2, FAILOVERS, lambda folder, options: watched(folder, 2, options)
    ),
    "cluster": Deployment("cluster, 3 and 3", 1, ("planned", "kill"), cluster),
}


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--servers", DEPLOYMENTS)
    repeatable(parser, "--failover", FAILOVERS)
    parser.add_argument("--runs", type=int, help="runs of each, added up (5; with --quick 1)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    if program() is None:
        return Report("failover", [], faults=["neither redis-server nor valkey-server is found"])
    runs = args.runs or (1 if args.quick else 5)
    rows = [
        _row(name, kind, needed, runs)
        for name in args.servers or DEPLOYMENTS
        for kind in args.failover or FAILOVERS
        if kind in DEPLOYMENTS[name].failovers
        for needed in range(DEPLOYMENTS[name].replicas + 1)
    ]
    note()
    return Report(
        "failover",
        [
            Table(f"Failovers, {runs} of each kind added up", COLUMNS, rows),
            _cost_of_waiting(200 if args.quick else 2000),
        ],
        page=FIGURES,
    )


def _row(name: str, kind: str, needed: int, runs: int) -> tuple[object, ...]:
    found = []
    for number in range(runs):
        note(f"{name}, {kind}, {needed} needed, run {number + 1}")
        found.append(_measured(DEPLOYMENTS[name], kind, guard(needed)))
    return (
        DEPLOYMENTS[name].title,
        kind,
        needed,
        sum(one.answered for one in found),
        *(sum(one.broken()[promise] for one in found) for promise in BROKEN),
        max(one.longest_gap for one in found),
        sum(one.failed for one in found),
    )


def _measured(deployment: Deployment, kind: str, how: Sequence[str]) -> Answers:
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as folder,
        deployment.open(Path(folder), how) as nodes,
    ):
        traffic = Traffic(nodes.url)
        traffic.start()
        try:
            time.sleep(BEFORE)
            if kind == "paused":
                nodes.pause_writes(PAUSE)
            if kind != "kill":
                nodes.fail_over()
            else:
                killed = nodes.kill_primary()
                nodes.wait_for_another(killed)
                killed.start()
            time.sleep(AFTER)
        finally:
            answers = traffic.stop()
        return answers


class _Waiting(redis.Redis):
    """A client that lets the server wait for one replica after each script."""

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        with self.pipeline(transaction=False) as pipeline:
            pipeline.evalsha(sha, numkeys, *keys_and_args)
            pipeline.wait(1, 1000)
            found, _ = pipeline.execute()
        return found


def _cost_of_waiting(rounds: int) -> Table:
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as folder,
        watched(Path(folder)) as nodes,
    ):
        port, never = nodes.primary().port, Retry(NoBackoff(), 0)
        rows = [
            (method, title, statistics.median(times), p99(times))
            for title, kind in (("no", redis.Redis), ("yes", _Waiting))
            for method, times in _timed(kind(port=port, retry=never), rounds)
        ]
    return Table("Calls with and without WAIT 1", ("method", "WAIT", "p50 us", "p99 us"), rows)


def _timed(client: redis.Redis, rounds: int) -> list[tuple[str, list[float]]]:
    store = RedisStore(client)
    reserves, spends = [], []
    for number in range(rounds):
        wanted = draft(f"{type(client).__name__} {number}")
        begin = time.perf_counter()
        challenge = reserved(store, wanted)
        between = time.perf_counter()
        store.spend(attempt(challenge, WRONG), POLICY)
        reserves.append((between - begin) * 1e6)
        spends.append((time.perf_counter() - between) * 1e6)
    client.close()
    return [("reserve", reserves), ("spend", spends)]
