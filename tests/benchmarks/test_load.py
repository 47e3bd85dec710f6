"""Only right answers count in each of the load benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from benchmarks import peers, turns
from benchmarks.driver import drive
from benchmarks.inprocess import PeerApp
from benchmarks.measurement import Measurement, Prepared, measure
from benchmarks.processes import ROOT, Server
from benchmarks.wire import RequestKind
from tests.servers import serving

pytestmark = pytest.mark.slow
GET = b"GET / HTTP/1.1\r\n\r\n"


def bench(*words: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def rows(reports: Any) -> list[dict[str, Any]]:
    return [row for report in reports for table in report["tables"] for row in table["rows"]]


@contextmanager
def floor(folder: Path) -> Iterator[peers.Peer]:
    with peers.opened(["floor"], "sqlite", folder) as [peer]:
        yield peer


def asked(peer: peers.Peer, app: PeerApp, kind: RequestKind) -> Measurement:
    with serving(app.wsgi_app) as url:
        server = Server((int(url.rpartition(":")[2]),), (os.getpid(),))
        [found] = measure([Prepared(peer, server, (kind,), connections=2, count=6)], 30)
        return found


@dataclass
class Mistaken:
    """A users that misreads its codes."""

    users: peers.Users

    def add(self, count: int) -> list[str]:
        return self.users.add(count)

    def codes(self, tokens: Iterable[str]) -> dict[str, str]:
        return dict.fromkeys(tokens, "999999")


def test_a_run_compares_the_package_with_the_floor() -> None:
    status, reports = bench(
        "load", "--store=sqlite", "--server=gunicorn", "--only=lean", "--only=floor",
        "--load=right", "--connections=4", "--rounds=1", "--seconds=0.1",
    )  # fmt: skip
    assert status == 0, reports
    found = {row["peer"]: row for row in rows(reports)}
    assert set(found) == {"lean", "floor"}
    assert found["floor"]["x floor"] == found["floor"]["CPU x floor"] == 1
    for row in found.values():
        assert row["answers"] > 0
        assert row["CPU us"] > 0
        assert row["lowest"] <= row["x floor"] <= row["highest"]


def test_an_answer_that_is_not_the_expected_one_counts_for_nothing(tmp_path: Path) -> None:
    with floor(tmp_path) as peer:
        one = asked(replace(peer, users=Mistaken(peer.users)), PeerApp(peer), RequestKind.RIGHT)
    assert one.wrong == Counter({"OTP_VERIFY_UNMATCHED": 6})
    assert one.rate == one.answers == 0


def test_answers_with_another_signature_are_counted_as_forged(tmp_path: Path) -> None:
    stranger = rsa.generate_private_key(65537, 2048).public_key()
    with floor(tmp_path) as peer:
        right = asked(peer, PeerApp(peer), RequestKind.SEND)
        caller = replace(peer.caller, wallet=stranger)
        other = asked(replace(peer, caller=caller), PeerApp(peer), RequestKind.SEND)
    assert (right.answers, right.sampled, right.forged) == (6, 6, 0)
    assert (other.answers, other.sampled, other.forged) == (6, 6, 6)


def test_wrong_codes_and_forged_signatures_are_expected_to_be_refused(tmp_path: Path) -> None:
    with floor(tmp_path) as peer:
        app = PeerApp(peer)
        for kind in (RequestKind.WRONG, RequestKind.FORGED):
            one = asked(peer, app, kind)
            assert (one.answers, one.wrong) == (6, Counter())


def test_a_call_in_process_must_be_answered_rightly(tmp_path: Path) -> None:
    with floor(tmp_path) as peer:
        app = PeerApp(replace(peer, users=Mistaken(peer.users)))
        app.work(app.prepared(RequestKind.SEND, 2))
        with pytest.raises(RuntimeError, match="OTP_VERIFY_UNMATCHED"):
            app.work(app.prepared(RequestKind.RIGHT, 2))


def test_a_connection_that_is_closed_is_opened_again(tmp_path: Path) -> None:
    with floor(tmp_path) as peer:
        app = PeerApp(peer)
        lines = [request.over_http() for request in app.prepared(RequestKind.SEND, 5)]
        with serving(app.wsgi_app) as url:  # which closes after each answer
            run = drive([int(url.rpartition(":")[2])], lines, 2, 30)
    assert run.sent == len(run.times) == 5
    assert all(run.answers)


def test_servers_get_their_requests_in_turn_until_all_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.1)
    called: list[str] = []
    with recorders(called) as ports:
        many, few = (
            turns.Driven(Server((port,), (os.getpid(),)), [GET] * count, 2)
            for port, count in zip(ports, (100_000, 3), strict=True)
        )
        turns.in_turn([many, few], 0.4)
    assert [name for name, _ in groupby(called)] == ["A", "B", "A"]
    assert called.count("B") == few.run.sent == len(few.run.times) == 3
    assert called.count("A") == many.run.sent == len(many.run.times)
    assert 0.4 <= many.run.seconds < 2
    assert all(many.run.answers[: many.run.sent])


def test_the_workers_get_equal_shares_of_the_connections() -> None:
    called: list[str] = []
    with recorders(called) as ports:
        drive(ports, [GET] * 6, 6, 30)
    assert Counter(called) == {"A": 3, "B": 3}


@contextmanager
def recorders(called: list[str]) -> Iterator[list[int]]:
    """Serve two apps that note their calls; yield their ports."""
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(recorder(name, called))) for name in ("A", "B")]
        yield [int(url.rpartition(":")[2]) for url in urls]


def recorder(name: str, called: list[str]) -> Flask:
    app = Flask(__name__)

    @app.get("/")
    def record() -> str:
        called.append(name)
        return name

    return app


@pytest.mark.parametrize("command", ["purge", "scale"])
def test_a_crowded_store_is_measured(command: str) -> None:
    more = ["--calls=20"] if command == "scale" else []
    status, reports = bench(command, "--store=sqlite", "--rows=900", *more)
    assert status == 0, reports
    assert rows(reports)[-1]["rows"] == 900


def test_the_limits_of_a_request_are_measured_beside_a_decorator() -> None:
    status, reports = bench("limits", "--storage=memory", "--rounds=20")
    assert status == 0, reports
    assert [row["what"] for row in rows(reports)] == [
        "both limits of a request",
        "one limit by a decorator",
    ]
    assert all(row["us"] > 0 for row in rows(reports))


def test_what_is_new_to_a_worker_s_memory_is_measured() -> None:
    status, reports = bench("memory", "--requests=60")
    assert status == 0, reports
    assert [row["peer"] for row in rows(reports)] == ["floor", "lean", "wallet"]
    assert all(row["end, MiB"] > 10 for row in rows(reports))
