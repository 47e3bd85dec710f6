"""Metrics: what they count, that their labels are bounded, and that they change no answer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from flask_otp_mpp import Message, OtpMpp, Reason, StoreUnavailable, init_metrics, refuse
from flask_otp_mpp.web.metric_table import METRICS, Kind
from flask_otp_mpp.web.prometheus import exposition
from tests.codes import wrong_code
from tests.commands import run
from tests.protocols.google import sides
from tests.wallet import CLIENT, User, Wallet, key, open_wallet
from tests.web.google_wallet import ADA, open_google

MakeWallet = Callable[..., Wallet]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def counted(make_wallet: MakeWallet, registry: CollectorRegistry) -> Callable[..., Wallet]:
    """Open wallets whose metrics are in the registry of the test."""

    def make(**how: Any) -> Wallet:
        return make_wallet(finish=lambda app: init_metrics(app, registry), **how)

    return make


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return a metric as Prometheus reads it, None if there is none with those labels."""
    text = exposition(registry)[0].decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None


@pytest.mark.parametrize("first", [True, False])
def test_it_counts_whether_it_is_called_before_or_after_init_app(
    make_wallet: MakeWallet, registry: CollectorRegistry, first: bool
) -> None:
    """O10: requests by protocol, operation and code, and how long they took."""

    def before(app: Flask, _otp: OtpMpp) -> None:
        init_metrics(app, registry)

    def after(app: Flask) -> None:
        init_metrics(app, registry)

    wallet = make_wallet(prepare=before) if first else make_wallet(finish=after)
    challenge, code = wallet.sent()
    wallet.caller.verify("tok-ada", challenge, "000000" if code != "000000" else "000001")
    wallet.caller.verify("tok-ada", challenge, code)
    for operation, reason, count in (
        ("send", "", 1),
        ("verify", "CODE_UNMATCHED", 1),
        ("verify", "", 1),
    ):
        labels = {"protocol": "alipayplus", "operation": operation, "reason": reason}
        assert value(registry, "otp_mpp_requests_total", **labels) == count
    named = {"protocol": "alipayplus", "client": CLIENT}
    sent = value(registry, "otp_mpp_sends_total", channel="MOBILE", result="sent", **named)
    verified = value(registry, "otp_mpp_verifications_total", result="verified", **named)
    assert (sent, verified) == (1, 1)
    for part in ("request", "store", "hooks"):
        count = value(registry, f"otp_mpp_{part}_duration_seconds_count", operation="verify")  # type: ignore[assignment]
        assert count == 2, part
    assert value(registry, "otp_mpp_delivery_duration_seconds_count", channel="MOBILE") == 1
    assert value(registry, "otp_mpp_private_key_operations_total", operation="sign") == 3


def test_labels_are_those_of_the_tables_whatever_callers_send(
    counted: MakeWallet, registry: CollectorRegistry
) -> None:
    """O10: thirty invented clients and paths are one series each, as `other` and `none`."""
    wallet = counted()
    for number in range(30):
        stranger = wallet.calling(client_id=f"STRANGER_{number}", key=key("other"))
        stranger.send("tok-ada")
        wallet.app.test_client().post(f"/aps/api/v1/users/{number}")
    text = exposition(registry)[0].decode()
    assert "STRANGER" not in text
    assert len(re.findall(r"^otp_mpp_requests_total\{", text, re.MULTILINE)) <= 4
    assert 'operation="none"' in text


def test_a_bad_signature_in_the_name_of_a_known_client_is_counted_for_it(
    counted: MakeWallet, registry: CollectorRegistry
) -> None:
    """O10: of others as `other`; it is no send of that client."""
    wallet = counted()
    wallet.caller.send("tok-ada", tamper="signature")
    name = "otp_mpp_signature_failures_total"
    assert value(registry, name, client=CLIENT, reason="SIGNATURE_INVALID") == 1
    assert value(registry, "otp_mpp_sends_total") is None


def test_locks_and_disabled_users_are_counted(
    counted: MakeWallet, registry: CollectorRegistry
) -> None:
    """O10: a lock when it begins, and not for each request that it refuses."""
    wallet = counted(OTP_MPP_FAILURE_LIMIT=5)
    challenge, code = wallet.sent()
    for guess in range(1, 8):
        wrong = wrong_code(code, guess)
        wallet.caller.verify("tok-ada", challenge, wrong)
    assert value(registry, "otp_mpp_locks_total", kind="lock") == 1
    assert value(registry, "otp_mpp_locks_total", kind="disabled") == 0


def test_it_tells_which_part_has_failed(counted: MakeWallet, registry: CollectorRegistry) -> None:
    """O10: a provider that times out is no failure of the store; a refusal is no failure."""

    def sender(user: User, _message: Message) -> None:
        if user.id == "away":
            raise TimeoutError
        refuse(Reason.DELIVERY_REFUSED)

    wallet = counted(sender=sender)
    for name in ("away", "barred"):
        wallet.send(f"tok-{name}")
    parts = {part: value(registry, "otp_mpp_failures_total", part=part) for part in PARTS}
    assert parts == {"delivery": 1, "store": 0, "hooks": 0}
    labels = {"reason": "UNFORESEEN", "status": "U", "code": "UNKNOWN_EXCEPTION"}
    assert value(registry, "otp_mpp_requests_total", **labels) == 1


PARTS = ("delivery", "store", "hooks")


def test_a_store_that_is_down_is_told_by_failures_and_an_open_circuit(
    counted: MakeWallet, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O10: five failures open it."""

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    wallet = counted()
    assert value(registry, "otp_mpp_circuit_open", service="store") == 0
    monkeypatch.setattr(type(wallet.state.store), "reserve", away)
    for _ in range(6):
        wallet.send()
    assert value(registry, "otp_mpp_failures_total", part="store") == 6
    assert value(registry, "otp_mpp_circuit_open", service="store") == 1


def test_what_can_not_be_signed_is_counted(
    counted: MakeWallet, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O10: an answer without a body is an answer; its event names the reference of the log."""
    wallet = counted()
    signer = wallet.state.protocols[0]

    def broken(*_: object) -> None:
        raise OSError("the HSM is away")

    monkeypatch.setattr(type(signer), "answer", broken)
    response = wallet.app.test_client().post("/aps/api/v1/users/sendOTP")
    assert (response.status_code, response.data) == (503, b"")
    assert value(registry, "otp_mpp_requests_total", code="503", reason="UNFORESEEN") == 1


def test_no_error_of_a_metric_changes_an_answer(
    counted: MakeWallet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """O10: it is one line of the log."""

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    wallet = counted()
    monkeypatch.setattr(Counter, "inc", full)
    assert wallet.send().code == "SUCCESS"
    assert "a sink of events raised OSError" in caplog.text


def test_metrics_are_served_only_if_asked_for(
    make_wallet: MakeWallet, registry: CollectorRegistry
) -> None:
    """O10: at the path that is named, by GET."""
    silent = make_wallet(finish=lambda app: init_metrics(app, CollectorRegistry()))
    assert silent.app.test_client().get("/metrics").status_code == 404
    wallet = make_wallet(finish=lambda app: init_metrics(app, registry, path="/metrics"))
    wallet.send()
    response = wallet.app.test_client().get("/metrics")
    assert response.content_type.startswith("text/plain")
    assert "otp_mpp_sends_total{" in response.text
    assert wallet.app.test_client().post("/metrics").status_code == 405


def test_apps_that_share_a_registry_are_counted_together(registry: CollectorRegistry) -> None:
    """O10: a host's tests make one app after the other, with the registry of the process."""
    for _ in range(2):
        open_wallet(finish=lambda app: init_metrics(app, registry)).send()
    assert value(registry, "otp_mpp_sends_total", result="sent") == 2


def test_a_second_call_for_an_app_is_refused(counted: MakeWallet) -> None:
    """F2: it would count twice."""
    wallet = counted()
    with pytest.raises(RuntimeError, match="call init_metrics once"):
        init_metrics(wallet.app)


def test_the_registry_holds_the_metrics_of_the_table(
    counted: MakeWallet, registry: CollectorRegistry
) -> None:
    """O10: by name, kind and labels."""
    counted().send()
    families = text_string_to_metric_families(exposition(registry)[0].decode())
    found = {
        family.name: family.type for family in families if not family.name.endswith("_created")
    }
    told = {
        one.name.removesuffix("_total"): one.kind.value
        for one in METRICS
        if one.kind is not Kind.FILE
    }
    assert found == told


def test_the_age_of_secrets_is_that_of_their_files(
    make_wallet: MakeWallet, registry: CollectorRegistry, tmp_path: Path
) -> None:
    """O10: as they were read; a secret that is in a setting itself has none."""
    pepper = tmp_path / "pepper.txt"
    pepper.write_text("a pepper of a file, of more than thirty-two bytes")
    os.chmod(pepper, 0o600)
    os.utime(pepper, (1_700_000_000, 1_700_000_000))
    make_wallet(OTP_MPP_PEPPER=f"file:{pepper}", finish=lambda app: init_metrics(app, registry))
    name = "otp_mpp_secret_file_modified_timestamp_seconds"
    assert value(registry, name, setting="OTP_MPP_PEPPER", file="pepper.txt") == 1_700_000_000
    assert value(registry, name, setting="OTP_MPP_PRIVATE_KEYS") is None


@pytest.mark.slow
def test_the_package_imports_neither_library() -> None:
    """F2: they are extras; without prometheus-client the error says what to install."""
    program = """
import sys
for name in ("prometheus_client", "opentelemetry"):
    sys.modules[name] = None
import flask, flask_otp_mpp
assert flask_otp_mpp.init_tracing(flask.Flask("x")) is False
try:
    flask_otp_mpp.init_metrics(flask.Flask("x"))
except RuntimeError as error:
    print(error)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.stderr == ""
    assert "pip install 'flask-otp-mpp[prometheus]'" in done.stdout


@pytest.mark.slow
def test_the_processes_of_a_server_are_counted_together(tmp_path: Path) -> None:
    """O10: by files that they share, as the workers of gunicorn do."""
    program = """
from prometheus_client import CollectorRegistry, Counter
from flask_otp_mpp import init_metrics
from tests.commands import run
from tests.protocols.google import sides
from tests.web.google_wallet import ADA, open_google
from tests.wallet import open_wallet
wallet = open_wallet(finish=lambda app: init_metrics(app, CollectorRegistry(), path="/metrics"))
wallet.send()
print(wallet.app.test_client().get("/metrics").text)
"""
    environ = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=False,
            env=environ,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("otp_mpp_sends_total{")]
    assert [line.split()[-1] for line in lines] == ["2.0"]


@pytest.mark.parametrize(
    ("failure", "code"), [("open", "SUCCESS"), ("closed", "UNKNOWN_EXCEPTION")]
)
def test_a_limiter_that_is_away_is_counted_whether_requests_pass_or_not(
    counted: MakeWallet, registry: CollectorRegistry, failure: str, code: str
) -> None:
    """O10: nobody listens on the port of its storage; a call that was not made counts too."""
    wallet = counted(OTP_MPP_LIMITER_STORAGE="redis://127.0.0.1:1", OTP_MPP_LIMITER_FAILURE=failure)
    codes = [wallet.send(f"tok-{number}").code for number in range(6)]
    assert set(codes) == {code}
    failures = value(registry, "otp_mpp_limiter_failures_total")
    assert failures is not None
    assert failures >= 6
    assert value(registry, "otp_mpp_circuit_open", service="limiter") == 1


def test_deliveries_at_work_are_told_beside_their_places(
    counted: MakeWallet, registry: CollectorRegistry
) -> None:
    """O10: read while a sender is at work, and after it."""
    seen: list[float | None] = []

    def sender(_user: User, _message: Message) -> None:
        seen.append(value(registry, "otp_mpp_deliveries_at_work"))

    wallet = counted(sender=sender, OTP_MPP_DELIVERIES=3)
    wallet.send()
    assert [*seen, value(registry, "otp_mpp_deliveries_at_work")] == [1, 0]
    assert value(registry, "otp_mpp_delivery_places") == 3


def test_the_purge_leaves_a_file_for_node_exporter_when_it_has_succeeded(
    make_wallet: MakeWallet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O10: whole and readable by others; a purge that fails leaves the one before."""
    wallet = make_wallet(store="sqlite")
    wallet.sent()
    wallet.clock.forward(days=2)
    file = tmp_path / "otp_mpp.prom"
    before = time.time()
    assert run(wallet.app, "purge", "--metrics-file", str(file)).exit_code == 0
    families = {one.name: one for one in text_string_to_metric_families(file.read_text())}
    assert set(families) == {one.name for one in METRICS if one.kind is Kind.FILE}
    [purged] = families["otp_mpp_purge_last_success_timestamp_seconds"].samples
    [rows] = families["otp_mpp_purge_deleted_rows"].samples
    assert before - 1 <= purged.value <= time.time()
    assert rows.value == 3
    assert file.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.glob("*.prom*")] == [file.name]

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    left = file.read_text()
    monkeypatch.setattr(type(wallet.state.store), "purge", away)
    assert run(wallet.app, "purge", "--metrics-file", str(file)).exit_code == 1
    assert file.read_text() == left


def test_a_file_of_the_purge_that_can_not_be_written_is_told(
    make_wallet: MakeWallet, tmp_path: Path
) -> None:
    """O10: by the status of the command, although the purge is done."""
    wallet = make_wallet()
    result = run(wallet.app, "purge", "--metrics-file", str(tmp_path / "missing/otp.prom"))
    assert result.exit_code == 1
    assert "can't be written (FileNotFoundError); the purge itself is done" in result.output


@pytest.mark.parametrize("pgp", [False, pytest.param(True, marks=pytest.mark.server)])
def test_the_keys_of_google_accounts_are_counted_and_their_queue_is_told(
    registry: CollectorRegistry, pgp: bool, request: pytest.FixtureRequest
) -> None:
    """O10: a message is decrypted, and its answer signed; nothing waits then."""
    if pgp:
        request.getfixturevalue("gnupg")
    account = sides.pgp_wallet() if pgp else sides.jose_wallet()
    wallet = open_google(
        accounts={"gpay": account}, prepare=lambda app, _otp: init_metrics(app, registry)
    )
    caller = wallet.calling(sides.pgp_google() if pgp else sides.jose_google())
    caller.send(ADA)
    for operation in ("decrypt", "sign"):
        name = "otp_mpp_private_key_operations_total"
        assert value(registry, name, operation=operation) == 1
    queue = value(registry, "otp_mpp_pgp_messages", work="opening", state="waiting")
    assert queue == 0
    body = {"protocol": "google", "client": "gpay", "result": "sent"}
    assert value(registry, "otp_mpp_sends_total", **body) == 1
    for sealer in wallet.sealers:
        sealer.close()


def test_a_store_that_is_asked_again_is_counted(
    counted: MakeWallet, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O10: the end of a delivery is stored at the second try; nobody sees it in the answer."""
    wallet = counted()
    settle, tries = type(wallet.state.store).settle, []

    def unsteady(*given: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise StoreUnavailable("away")
        settle(*given)

    monkeypatch.setattr(type(wallet.state.store), "settle", unsteady)
    assert wallet.send().code == "SUCCESS"
    assert value(registry, "otp_mpp_store_retries_total") == 1
    assert value(registry, "otp_mpp_failures_total", part="store") == 0
