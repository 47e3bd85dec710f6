"""A run: cases are chosen, played beside each other where they can be, and their results kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.conformance.case import AnyCase, Failed, Group, Severity, Skipped, Wire
from flask_otp_mpp.conformance.masking import printable
from flask_otp_mpp.conformance.play import AnyPlay, Bench, Exchange
from flask_otp_mpp.conformance.registry import cases_of, play_of
from flask_otp_mpp.conformance.target import Target
from flask_otp_mpp.conformance.wire import Unreachable
from flask_otp_mpp.core.clock import utc_now


class Status(StrEnum):
    """Say how a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """Say how a run ended."""

    CONFORMS = "conforms"
    """All cases that were played have passed."""
    WITH_WARNINGS = "conforms with warnings"
    """Only recommended cases have failed."""
    FAILS = "does not conform"


EXIT_STATUS: Final = {Verdict.CONFORMS: 0, Verdict.FAILS: 1, Verdict.WITH_WARNINGS: 3}
"""The exit status of the command by its verdict; 2 is for a command that can't be run."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a case.

    :param said: why it failed or was skipped, without secrets; empty if it passed.
    :param seconds: how long it took.
    """

    case: AnyCase
    status: Status
    said: str
    exchanges: Sequence[Exchange] = field(repr=False)
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has ended.

    :param results: in the order of the cases.
    :param secrets: what a report must not show, each with what it shows instead.
    :param wallet_keys: the endpoint's public keys by version, for Alipay+ and AMS.
    """

    wire: Wire
    base_url: str
    began: datetime
    seconds: float
    results: Sequence[Result]
    secrets: dict[str, str] = field(repr=False)
    wallet_keys: Mapping[str, RSAPublicKey] = field(repr=False)

    def count(self, status: Status, severity: Severity | None = None) -> int:
        """Return how many cases ended so."""
        return sum(
            one.status is status and severity in (None, one.case.severity) for one in self.results
        )

    @property
    def verdict(self) -> Verdict:
        """What the results say of the endpoint."""
        if self.count(Status.FAILED, Severity.REQUIRED):
            return Verdict.FAILS
        return Verdict.WITH_WARNINGS if self.count(Status.FAILED) else Verdict.CONFORMS


def run(
    target: Target,
    cases: Iterable[AnyCase],
    *,
    slow: bool = False,
    on_result: Callable[[Result], None] = lambda _: None,
) -> Run:
    """Play cases against an endpoint.

    First those that can be played beside each other, then one by one those that flood the endpoint
    or move its clock, then those that look at all that was said.

    :param slow: whether cases are played that wait for minutes.
    :param on_result: is called with each result, by the thread that calls this.
    """
    chosen = list(cases)
    bench = Bench(target, slow=slow, groups=_whole_groups(target.wire, chosen))
    began, at = utc_now(), time.monotonic()
    results: dict[str, Result] = {}

    def keep(result: Result) -> None:
        results[result.case.id] = result
        bench.exchanges.extend(result.exchanges)
        on_result(result)

    beside = [case for case in chosen if not _is_alone(case, bench) and not case.last]
    alone = [case for case in chosen if _is_alone(case, bench) and not case.last]
    with closing(bench.http):
        with ThreadPoolExecutor(max(1, target.parallel)) as pool:
            for done in as_completed([pool.submit(_play, case, bench) for case in beside]):
                keep(done.result())
        for case in (*alone, *(case for case in chosen if case.last)):
            keep(_play(case, bench))
    return Run(
        target.wire,
        target.base_url,
        began,
        time.monotonic() - at,
        [results[case.id] for case in chosen],
        bench.hidden,
        target.wallet_keys,
    )


def _whole_groups(wire: Wire, chosen: Iterable[AnyCase]) -> frozenset[Group]:
    """Return the groups all of whose cases are chosen."""
    ids = {case.id for case in chosen}
    cases = cases_of(wire)
    parts = {case.group for case in cases if case.id not in ids and not case.last}
    return frozenset(case.group for case in cases) - parts


def _is_alone(case: AnyCase, bench: Bench) -> bool:
    """Tell whether a case disturbs others: it floods, or it moves the endpoint's clock."""
    return case.alone or (case.slow and bench.target.clock is not None)


def _play(case: AnyCase, bench: Bench) -> Result:
    began = time.monotonic()
    exchanges: Sequence[Exchange] = ()
    status, said = Status.PASSED, ""
    try:
        _see_needs(case, bench)
        play: AnyPlay = play_of(bench, case)
        exchanges = play.exchanges
        case.play(play)
    except Skipped as skipped:
        status, said = Status.SKIPPED, str(skipped)
    except (Failed, Unreachable) as failed:
        status, said = Status.FAILED, str(failed)
    except Exception as error:  # noqa: BLE001 - one odd answer must not end the run
        status = Status.FAILED
        said = f"the case does not foresee this answer ({type(error).__name__}: {error})"
    said = printable(bench.masked(said)) if said else ""
    return Result(case, status, said, exchanges, time.monotonic() - began)


def _see_needs(case: AnyCase, bench: Bench) -> None:
    """Skip a case for which something is missing.

    :raises Skipped: with what is missing.
    """
    missing = [need.value for need in sorted(case.needs) if not bench.target.has(need)]
    if missing:
        raise Skipped(f"the configuration has no: {', '.join(missing)}")
    if case.slow and not bench.can_wait():
        raise Skipped("it waits for minutes; use --slow, or let the kit move the clock")
