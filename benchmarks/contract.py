"""What each peer keeps to when 32 requests for one user arrive at once, on a real server.

Each race is of a new user, over 32 connections, to two gunicorns of one worker with four threads:

right     32 times the right code: how many succeed
wrong     32 different wrong codes: how many are compared with the right one
send      32 sends: how many messages leave

A cell holds the fewest and the most of all rounds. "failed" counts the requests that the server
answered by an error, or not at all.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.empty_stores import available
from benchmarks.options import repeatable
from benchmarks.others.api import Guess, Outcome
from benchmarks.others.opened import NAMES
from benchmarks.others.server import Served, served, wrong
from benchmarks.progress import note
from benchmarks.report import Report, Table

STORES: Final = ("postgresql", "sqlite")
AT_ONCE: Final = 32
COLUMNS: Final = (
    "store", "peer", "successes of 32 right codes", "guesses compared of 32 wrong ones",
    "messages of 32 sends", "failed",
)  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--only", NAMES)
    repeatable(parser, "--store", STORES)
    parser.add_argument("--rounds", type=int, help="races of each kind (10; with --quick 2)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    names, rounds = args.only or NAMES, args.rounds or (2 if args.quick else 10)
    rows = [
        row for store in args.store or available(STORES) for row in _raced(store, names, rounds)
    ]
    note()
    return report(Table(f"Fewest and most of {rounds} races", COLUMNS, rows))


def report(table: Table) -> Report:
    """Return the table, and a short one with the stores side by side."""
    return Report("contract", [table], summary=[table.across(("peer",), "store", COLUMNS[2:5])])


def _raced(store: str, names: Sequence[str], rounds: int) -> Iterator[tuple[object, ...]]:
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
        served(names, store, Path(home)) as peers,
    ):
        for one in peers:
            note(f"{store} {one.peer.name}")
            races = [[race(one) for race in RACES] for _ in range(rounds)]
            counts = [[count for count, _ in race] for race in zip(*races, strict=True)]
            failed = sum(failed for race in races for _, failed in race)
            yield store, one.peer.name, *map(spread, counts), failed


def right(one: Served) -> tuple[int, int]:
    """Try the right code many times at once; return how many succeeded, and how many failed."""
    outcomes = _at_once(one, one.peer.api.verifies([_sent(one)] * AT_ONCE))
    return outcomes.count(Outcome.DONE), outcomes.count(Outcome.FAILED)


def wrongs(one: Served) -> tuple[int, int]:
    """Try wrong codes at once; return how many were compared, and how many failed."""
    guess = _sent(one)
    tried = [wrong(guess, number) for number in range(1, AT_ONCE + 1)]
    outcomes = _at_once(one, one.peer.api.verifies(tried))
    judged = one.peer.users.judged(guess.user, outcomes.count(Outcome.UNMATCHED))
    return judged, outcomes.count(Outcome.FAILED)


def sends(one: Served) -> tuple[int, int]:
    """Have codes sent at once; return how many messages left, and how many sends failed."""
    [user] = one.peer.users.add(1)
    outcomes = _at_once(one, one.peer.api.sends([user] * AT_ONCE))
    messages = one.peer.users.messages(user, outcomes.count(Outcome.DONE))
    return messages, outcomes.count(Outcome.FAILED)


RACES: Final[Sequence[Callable[[Served], tuple[int, int]]]] = (right, wrongs, sends)


def spread(counts: Sequence[int]) -> str:
    """Return the fewest and the most; one figure if they are the same."""
    few, many = min(counts), max(counts)
    return str(few) if few == many else f"{few} to {many}"


def _sent(one: Served) -> Guess:
    """Have a code sent to a new user; return the right guess."""
    return one.guesses(*one.sent(1))[0]


def _at_once(one: Served, requests: Sequence[bytes]) -> list[Outcome]:
    return one.outcomes(one.drive(requests, connections=AT_ONCE))
