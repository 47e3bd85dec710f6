"""Other libraries side by side with the package: each does its own send and verify.

wallet            the package in the example wallet, with all guarantees on
lean              the package in a host that costs next to nothing
naive             the two calls as they are written in a day
django-otp        EmailDevice, with its throttling and cool-down, in a view of one's own
allauth           login by code, by the headless API
flask-security    unified sign-in by a code, by the JSON API

The first three verify a signature in each request and sign each answer; the libraries sign nothing.
All are served by two gunicorns of one worker with four threads, over 16 connections. In a round the
peers send codes to new users, then verify right codes, then wrong ones, each for about the given
seconds, and in turn, for a second each. The table holds the medians of the rounds; the ratio is
that of wallet to the peer in the same round, with its interval, as in ``load``. An unexpected
answer makes the run fail.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks import chart
from benchmarks.empty_stores import available
from benchmarks.interval import Ratio
from benchmarks.options import repeatable
from benchmarks.others.api import Outcome
from benchmarks.others.opened import NAMES, OWN
from benchmarks.others.server import UNLIMITED, Served, served, wrong
from benchmarks.progress import note
from benchmarks.report import Report, Table
from benchmarks.turns import Driven, in_turn

STORES: Final = ("postgresql", "sqlite")
USUAL: Final = tuple(name for name in NAMES if name != "naive")
"""Those compared without --only; ``load`` compares ``naive``, and a run has its time."""
LOADS: Final = {"send": Outcome.DONE, "right": Outcome.DONE, "wrong": Outcome.UNMATCHED}
BASE: Final = "wallet"
MARGIN: Final = 1.1
"""How many more requests are made ready than were answered in the same time before."""
COLUMNS: Final = (
    "store", "load", "peer", "signs", "req/s", "wallet / peer", "low", "high",
    "p50 ms", "p99 ms", "CPU us",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leg:
    """One peer under one load in one round.

    :param rate: expected answers a second.
    :param p50: median, in milliseconds.
    :param p99: 99th percentile, in milliseconds.
    :param cpu: microseconds of processor time of the server's processes per answer.
    :param wrong: the other answers, by what became of the request.
    :param sample: the end of one of them.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    wrong: Counter[Outcome]
    sample: bytes


@dataclass(slots=True)
class Comparison:
    """The legs of each store, load and peer, in the order of the rounds."""

    legs: dict[tuple[str, str, str], list[Leg]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def measure(self, store: str, peers: Sequence[Served], rounds: int, seconds: float) -> None:
        """Measure peers in turn, round after round; a short round before says what to make ready.

        That round does not count.
        """
        rates = [dict.fromkeys(LOADS, 100.0) for _ in peers]
        for number in range(rounds + 1):
            found = _round(peers, rates, seconds if number else min(1.0, seconds))
            rates = [{load: max(20.0, leg.rate) for load, leg in legs.items()} for legs in found]
            for one, legs in zip(peers, found, strict=True) if number else ():
                for load, leg in legs.items():
                    self._add(store, load, one.peer.name, leg)
                    note(f"[{number}/{rounds}] {store} {load} {one.peer.name}: {leg.rate:.0f}/s")

    def _add(self, store: str, load: str, name: str, leg: Leg) -> None:
        self.legs.setdefault((store, load, name), []).append(leg)
        if leg.wrong:
            kinds = ", ".join(f"{count} {kind}" for kind, count in leg.wrong.items())
            self.faults.append(f"{store} {load} {name}: {kinds}; {leg.sample!r}")

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each store, load and peer."""
        for (store, load, name), legs in self.legs.items():
            base = [leg.rate for leg in self.legs.get((store, load, BASE), [])]
            rates = [leg.rate for leg in legs]
            ratio = Ratio.of(base, rates) if base and all(rates) else None
            yield (
                store, load, name, "yes" if name in OWN else "no",
                round(statistics.median(rates)),
                *((ratio.median, ratio.low, ratio.high) if ratio else "---"),
                statistics.median(leg.p50 for leg in legs),
                statistics.median(leg.p99 for leg in legs),
                round(statistics.median(leg.cpu for leg in legs)),
            )  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--only", NAMES)
    repeatable(parser, "--store", STORES)
    parser.add_argument("--rounds", type=int, help="rounds (3; with --quick 1)")
    parser.add_argument("--seconds", type=float, help="of one leg (4; with --quick 1)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    rounds = args.rounds or (1 if args.quick else 3)
    seconds = args.seconds or (1.0 if args.quick else 4.0)
    compared = Comparison()
    for store in args.store or available(STORES):
        with (
            tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
            served(args.only or USUAL, store, Path(home)) as peers,
        ):
            compared.measure(store, peers, rounds, seconds)
    note()
    table = Table(f"Median of {rounds} rounds of {seconds:g} s", COLUMNS, list(compared.rows()))
    return report(table, compared.faults)


def report(table: Table, faults: Sequence[str]) -> Report:
    """Return the table, its short form, and a chart by store and load."""
    groups: dict[str, dict[str, float]] = {}
    for row in table.data()["rows"]:
        groups.setdefault(f"{row['store']}, {row['load']}", {})[row["peer"]] = row["req/s"]
    drawn = chart.bars("Requests beside other libraries", "a second (more is better)", groups)
    short = table.across(("store", "peer", "signs"), "load", ("req/s", "wallet / peer"))
    return Report("peers", [table], {"peers.svg": drawn}, faults, summary=[short])


def _round(
    peers: Sequence[Served], rates: Sequence[Mapping[str, float]], seconds: float
) -> list[dict[str, Leg]]:
    """Let peers send codes to enough users for the other loads, or for the time; then verify."""
    calls = [_Calls(one, rate, seconds) for one, rate in zip(peers, rates, strict=True)]
    in_turn([one.sends for one in calls], UNLIMITED)
    for one in calls:
        one.read_codes()
    in_turn([one.rights for one in calls], seconds)
    in_turn([one.wrongs for one in calls], seconds)
    return [one.legs() for one in calls]


class _Calls:
    """The calls of one peer in one round.

    :param rates: how many of each load it is expected to answer in a second.
    """

    def __init__(self, one: Served, rates: Mapping[str, float], seconds: float) -> None:
        self._one = one
        self._rights, wrongs = (int(rates[load] * seconds * MARGIN) for load in ("right", "wrong"))
        self._verifies = self._rights + wrongs
        self._users = one.peer.users.add(max(self._verifies, int(rates["send"] * seconds)))
        self.sends = one.driven(one.peer.api.sends(self._users))

    def read_codes(self) -> None:
        """Make ready the verifies of the codes that were sent."""
        one = self._one
        guesses = one.guesses(self._users, self.sends.run)
        others = [wrong(guess) for guess in guesses[self._rights : self._verifies]]
        self.rights = one.driven(one.peer.api.verifies(guesses[: self._rights]))
        self.wrongs = one.driven(one.peer.api.verifies(others))

    def legs(self) -> dict[str, Leg]:
        """Return the figures of each load."""
        driven = zip(LOADS.items(), (self.sends, self.rights, self.wrongs), strict=True)
        return {load: self._leg(one, expected) for (load, expected), one in driven}

    def _leg(self, driven: Driven, expected: Outcome) -> Leg:
        """Return figures; only the expected answers count."""
        run = driven.run
        outcomes = self._one.outcomes(run)
        counts = Counter(outcomes)
        right = counts.pop(expected, 0)
        others = (
            raw
            for raw, outcome in zip(run.answers, outcomes, strict=False)
            if outcome is not expected
        )
        return Leg(
            rate=right / run.seconds,
            p50=driven.milliseconds(0.5),
            p99=driven.milliseconds(0.99),
            cpu=driven.cpu_us,
            wrong=counts,
            sample=next(others, b"")[-120:],
        )
