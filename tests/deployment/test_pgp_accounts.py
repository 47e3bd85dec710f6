"""Accounts of Google by PGP on real servers: they start, and a flood there stops nobody else."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.transport import Call, over_http
from tests.deployment.processes import Deployed, run
from tests.protocols.google import sides
from tests.protocols.google.programs import Program
from tests.protocols.google.test_pgp_packets import hidden_ones
from tests.vectors import google

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.usefixtures("gnupg")]

A_SECOND = 15
FLOOD_SECONDS = 6
UNLIMITED = {
    "OTP_MPP_ADDRESS_LIMIT": "1000 per second",
    "OTP_MPP_CLIENT_LIMIT": "1000 per second",
}


@pytest.fixture
def temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be the temporary directory of the server, by a short name."""
    made = Path(tempfile.mkdtemp(prefix="t"))
    monkeypatch.setenv("TMPDIR", str(made))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture(scope="module")
def pgp_caller() -> Iterator[GoogleCaller]:
    caller = GoogleCaller.from_account(over_http("http://127.0.0.1:1"), sides.pgp_google())
    yield caller
    caller.close()


def accounts(**more: Any) -> dict[str, Any]:
    return {
        "OTP_MPP_GOOGLE_ACCOUNTS": {
            "pgp": sides.pgp_wallet(**{"paths": "/pgp", **more}),
            "jose": sides.jose_wallet(paths="/jose"),
        },
        **UNLIMITED,
    }


def echo(server: Deployed, caller: GoogleCaller, path: str) -> int:
    """Call echo of an account, and return the status of the answer."""
    call, _ = caller.prepare("echo", {"clientMessage": "hello"})
    call = Call(call.method, f"/google{path}/echo", call.headers, call.body)
    return over_http(f"http://127.0.0.1:{server.port}", 30)(call).status


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_a_pgp_account_starts_and_answers_many_at_once(
    kind: str, temp: Path, program: Program, pgp_caller: GoogleCaller, tmp_path: Path
) -> None:
    """F9, X5: under gevent the processes, their pipes and the locks are gevent's."""
    changed = accounts(program=str(program.path))
    with (
        run(tmp_path, "-k", kind, "-w", "1", **changed) as server,
        ThreadPoolExecutor(8) as pool,
    ):
        program.forget()
        asked = list(pool.map(lambda _: echo(server, pgp_caller, "/pgp"), range(24)))
    assert asked == [200] * 24
    assert program.count == 48
    assert program.most <= 4  # two that open, two that seal
    assert "Traceback" not in (tmp_path / "server.log").read_text()


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_a_worker_that_was_killed_leaves_no_keys(
    kind: str, temp: Path, pgp_caller: GoogleCaller, tmp_path: Path
) -> None:
    """X5: the one that takes its place removes them."""
    with run(tmp_path, "-k", kind, "-w", "1", **accounts()) as server:
        (killed,) = server.workers()
        (left,) = temp.glob("otp-mpp-gpg-*")
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while server.workers() in ({killed}, set()) or left.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert echo(server, pgp_caller, "/pgp") == 200
        (home,) = temp.glob("otp-mpp-gpg-*")
        assert home != left
    assert "removed 1 PGP key directories" in (tmp_path / "server.log").read_text()


def flood(server: Deployed, body: bytes, others: list[Any]) -> tuple[Counter[int], list[float]]:
    """Send a body to the account by PGP 15 times a second, and call somebody else meanwhile.

    :param others: call the wallet, each in its turn.
    :returns: the statuses that the flood got, and how long each of the others took.
    """
    send = over_http(f"http://127.0.0.1:{server.port}", 60)
    call = Call("POST", "/google/pgp/sendOtp", {"content-type": "application/octet-stream"}, body)
    took: list[float] = []
    sent = []
    with ThreadPoolExecutor(100) as pool:
        begin = time.monotonic()
        for number in range(A_SECOND * FLOOD_SECONDS):
            time.sleep(max(0.0, begin + number / A_SECOND - time.monotonic()))
            sent.append(pool.submit(send, call))
            if number % 5 == 4:
                asked = time.monotonic()
                others[number // 5 % len(others)](number)
                took.append(time.monotonic() - asked)
        return Counter(one.result(60).status for one in sent), took


@pytest.fixture
def jose_caller() -> GoogleCaller:
    return GoogleCaller.from_account(over_http("http://127.0.0.1:1"), sides.jose_google())


def others(server: Deployed, jose_caller: GoogleCaller) -> list[Any]:
    """Return calls of another account and of another protocol that fail unless they are served."""

    def by_account(_: int) -> None:
        assert echo(server, jose_caller, "/jose") == 200

    def by_alipay(number: int) -> None:
        answer = server.caller().send(f"tok-u{number}")
        assert (answer.code, answer.verified) == ("SUCCESS", True)

    return [by_account, by_alipay]


def test_a_flood_of_hidden_recipients_costs_no_process(
    temp: Path, program: Program, jose_caller: GoogleCaller, tmp_path: Path
) -> None:
    """X5: 15 a second of 56 bytes each stopped all others before."""
    arguments = ("-k", "gthread", "-w", "1", "--threads", "4")
    with run(tmp_path, *arguments, **accounts(program=str(program.path))) as server:
        program.forget()
        body = base64.urlsafe_b64encode(hidden_ones(56))
        answers, took = flood(server, body, others(server, jose_caller))
    assert answers == {400: A_SECOND * FLOOD_SECONDS}
    assert program.count == 0
    assert len(took) == A_SECOND * FLOOD_SECONDS // 5
    assert max(took) < 1.0


def test_a_gpg_that_hangs_stops_nobody_else(
    temp: Path, program: Program, jose_caller: GoogleCaller, tmp_path: Path
) -> None:
    """X5: a message that comes as far as gpg, and takes all the time that it may."""
    arguments = ("-k", "gthread", "-w", "1", "--threads", "8")
    changed = accounts(program=str(program.path), timeout=3)
    with run(tmp_path, *arguments, **changed) as server:
        program.forget()
        program.first("exec sleep 600\n")
        answers, took = flood(server, google.pgp("01_ok_binary.pgp"), others(server, jose_caller))
        started = program.count
    assert answers == {503: A_SECOND * FLOOD_SECONDS}
    assert started <= 2 * (FLOOD_SECONDS / 3 + 2)
    assert len(took) == A_SECOND * FLOOD_SECONDS // 5
    assert sorted(took)[len(took) // 2] < 1.0
    assert max(took) < 3.0
