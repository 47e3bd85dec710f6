"""The audit trail of an app: what requests and commands leave in it, and what its failure does."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from prometheus_client import CollectorRegistry

from flask_otp_mpp import (
    Act,
    AlipayPlus,
    Channel,
    ConfigurationError,
    Event,
    GoogleStandardPayments,
    Operation,
    OtpMpp,
    Reason,
    SQLAlchemyStore,
    init_metrics,
    operator_acted,
    state_of,
)
from flask_otp_mpp.audit.trail import AuditTrail
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.protocols.google.settings import read_accounts
from flask_otp_mpp.protocols.values import AuthenticatedRequest, Inbound, RequestContext
from flask_otp_mpp.web.audit import key_prints
from flask_otp_mpp.web.events import announce
from tests.codes import LONG_CODE, wrong_code
from tests.commands import flask, run
from tests.protocols.google import sides
from tests.wallet import CLIENT, PEPPER, Wallet, make_audit_table, open_wallet, settings
from tests.web.google_wallet import open_google


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'audit.db'}"


@pytest.fixture
def make(make_wallet: Callable[..., Wallet], url: str) -> Iterator[Callable[..., Wallet]]:
    """Open wallets with an audit trail in a file of its own, as ``init-db`` makes it."""
    made: list[Wallet] = []

    def open_one(**how: object) -> Wallet:
        def create(app: Flask, _otp: OtpMpp) -> None:
            trail = SQLAlchemyStore(url)
            make_audit_table(trail)
            trail.engine.dispose()

        Path(sa.make_url(url).database or "").touch()
        wallet = make_wallet(**{"OTP_MPP_AUDIT": url, "prepare": create, **how})
        made.append(wallet)
        return wallet

    yield open_one
    for wallet in made:
        trail_of(wallet).table.store.engine.dispose()


def trail_of(wallet: Wallet) -> AuditTrail:
    trail = wallet.state.audit
    assert trail is not None
    return trail


def recorded(wallet: Wallet) -> list[tuple[object, ...]]:
    """Return what is recorded of requests and acts, in their order."""
    wanted = ("operation", "client", "reason", "code")
    return [
        (row.subject, *(row.fields.get(name) for name in wanted))
        for row in trail_of(wallet).table.by_chain()
        if row.kind != "anchor"
    ]


def test_decisions_are_recorded_before_their_answer_and_strangers_are_not(
    make: Callable[..., Wallet],
) -> None:
    """O11: granted and refused ones, by whom, of whom, and with which code."""
    wallet = make()
    challenge, code = wallet.sent()
    wallet.caller.verify("tok-ada", challenge, wrong_code(code))
    assert wallet.caller.verify("tok-ada", challenge, code).code == "SUCCESS"
    wallet.send("frozen")
    stranger = wallet.calling(client_id="A_STRANGER")
    for _ in range(3):
        stranger.send("tok-ada")
    assert recorded(wallet) == [
        ("ada", "send", CLIENT, None, "SUCCESS"),
        ("ada", "verify", CLIENT, "CODE_UNMATCHED", "OTP_VERIFY_UNMATCHED"),
        ("ada", "verify", CLIENT, None, "SUCCESS"),
        ("", "send", CLIENT, "USER_ABNORMAL", "USER_STATUS_ABNORMAL"),
    ]


def test_an_exception_of_a_hook_is_recorded_with_its_reference(
    make: Callable[..., Wallet],
) -> None:
    """O11: so that the log and the trail tell of the same request."""

    def fail(_user: object, _message: object) -> None:
        raise OSError("the provider is away")

    wallet = make(sender=fail)
    wallet.send()
    [row] = [row for row in trail_of(wallet).table.by_chain() if row.kind == "decision"]
    assert (row.subject, row.fields["reason"]) == ("ada", "UNFORESEEN")
    assert row.fields["failed"] == "delivery"
    assert row.fields["reference"]


def test_an_answer_that_is_not_recorded_is_unforeseen_unless_the_trail_is_open(
    make: Callable[..., Wallet], caplog: pytest.LogCaptureFixture
) -> None:
    """O11: what was done is not undone; a row that can't be written is a line in the log."""
    for failure, code in (("closed", "UNKNOWN_EXCEPTION"), ("open", "SUCCESS")):
        wallet = make(OTP_MPP_AUDIT_FAILURE=failure)
        engine = trail_of(wallet).table.store.engine
        with engine.begin() as db:
            db.execute(sa.text("DROP TABLE otp_mpp_audit"))
        assert wallet.send().code == code
        assert len(wallet.inbox) == 1
    assert "'OTP_MPP_AUDIT_FAILURE' is 'open'" in caplog.text


def test_an_operators_act_is_recorded_and_an_error_if_it_is_not(
    make: Callable[..., Wallet],
) -> None:
    """O11: whatever announces it."""
    wallet = make()
    event = Event("operator", Act.FORGET, subject="ada", count=1)
    announce(wallet.app, event)
    assert recorded(wallet) == [("ada", "forget", None, None, None)]
    with trail_of(wallet).table.store.engine.begin() as db:
        db.execute(sa.text("DROP TABLE otp_mpp_audit"))
    with pytest.raises(Exception, match="the audit trail could not be written"):
        announce(wallet.app, event)


def test_no_row_holds_a_code_a_token_or_an_address(
    make: Callable[..., Wallet], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """O11: canaries in everything that a caller or a host can pass; the whole file is searched."""
    caplog.set_level(logging.DEBUG)
    wallet = make(OTP_MPP_CODE_DIGITS=LONG_CODE)
    challenge, code = wallet.sent("tok-canaryuser")
    typed = wrong_code(code)
    wallet.caller.verify("tok-canaryuser", challenge, typed)
    wallet.caller.verify("canary-token", challenge, typed)
    trail_of(wallet).table.store.engine.dispose()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("audit.db*"))
    assert b"canaryuser" in held  # the user, as the host names it
    for secret in (typed, "tok-canaryuser", "canary-token", PEPPER, "@users.example"):
        assert secret.encode() not in held
    assert f"+86130{'canaryuser'}".encode() not in held
    assert code.encode() not in held


def test_an_app_does_not_start_with_a_trail_that_it_can_not_write(url: str, tmp_path: Path) -> None:
    """O11: the error says what to do."""
    for given, said in (
        (url, "run `flask otp-mpp init-db`"),
        ("store", "MemoryStore is no SQL store; set it to a URL"),
        ("http://somewhere", "is not a store URL"),
    ):
        with pytest.raises(ConfigurationError) as error:
            open_wallet(OTP_MPP_AUDIT=given)
        [(key, finding)] = error.value.faults
        assert key == "OTP_MPP_AUDIT"
        assert said in finding
    store = f"sqlite:///{tmp_path / 'otp.db'}"
    with pytest.raises(ConfigurationError, match="lacks 'otp_mpp_audit'"):
        open_wallet(store=store, OTP_MPP_AUDIT="store")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """Make an app whose trail is in the database of its store; ``init-db`` made all tables."""
    app = Flask("tests.audit")
    url = f"sqlite:///{tmp_path / 'otp.db'}"
    app.config.update(settings(url, OTP_MPP_AUDIT="store", OTP_MPP_AUDIT_KEEP=24 * 3600))
    otp = OtpMpp(AlipayPlus)
    otp.user_loader(lambda token, caller: None)
    for channel in Channel:
        otp.sender(channel)(lambda user, message: None)

    def init(app: Flask) -> Flask:
        if "otp_mpp" not in app.extensions:
            otp.init_app(app)
        return app

    made = flask(lambda: init(app), "otp-mpp", "init-db")
    assert "created otp_mpp_audit" in made.output
    yield app
    app.extensions["otp_mpp"].store.engine.dispose()


def test_the_commands_verify_export_and_purge(app: Flask, tmp_path: Path) -> None:
    """O11: and tell by their exit status what they found."""
    for subject in ("ada", "=formula"):
        announce(app, Event("operator", Act.UNLOCK, subject=subject, count=1))
    head = tmp_path / "head.json"
    head.write_text(run(app, "audit", "head", "--json").stdout)
    verified = run(app, "audit", "verify", "--head", str(head))
    assert verified.exit_code == 0
    assert "3 rows in 1 chains, against the heads of 1: as they were written." in verified.output
    exported = run(app, "audit", "export", "--from", "2020-01-01")
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    assert [line["subject"] for line in lines] == ["", "ada", "=formula"]
    assert lines[1]["operation"] == "unlock"
    assert run(app, "audit", "export", "--from", "2020-01-01", "--to", "2020-01-02").stdout == ""
    as_csv = run(app, "audit", "export", "--from", "2020-01-01", "--format", "csv").stdout
    rows = list(csv.DictReader(as_csv.splitlines()))
    assert [row["subject"] for row in rows] == ["", "ada", "'=formula"]
    assert json.loads(run(app, "audit", "purge", "--json").stdout) == {"deleted": 0}
    with app.extensions["otp_mpp"].store.engine.begin() as db:
        db.execute(sa.text("DELETE FROM otp_mpp_audit WHERE number = 3"))
    assert run(app, "audit", "verify").exit_code == 0
    found = run(app, "audit", "verify", "--head", str(head), "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["findings"][0]["finding"].endswith("row 3 was cut off")
    head.write_text("{}")
    assert "no head of an audit trail" in run(app, "audit", "verify", "--head", str(head)).output


def test_the_commands_of_an_app_without_a_trail_say_so() -> None:
    """O11: and change nothing."""
    app = open_wallet().app
    for command in ("head", "verify", "purge", "export"):
        more = ["--from", "2026-01-01"] if command == "export" else []
        done = run(app, "audit", command, *more)
        assert done.exit_code == 1
        assert "OTP_MPP_AUDIT is not set" in done.output


def test_changed_keys_are_told_once_by_row_signal_log_and_metric(
    make: Callable[..., Wallet], caplog: pytest.LogCaptureFixture
) -> None:
    """O11: when a process first records something; the names of keys are told, and no key."""
    make().send()
    registry, heard = CollectorRegistry(), list[Event]()
    wallet = make(
        OTP_MPP_PEPPER=[f"another {PEPPER}", PEPPER],
        finish=lambda app: init_metrics(app, registry),
    )

    def hear(_app: Flask, event: Event) -> None:
        heard.append(event)

    with operator_acted.connected_to(hear, wallet.app):
        wallet.send()
        wallet.send()
    added = trail_of(wallet).keys.ids[0]
    [event] = heard
    assert (event.operation, event.count) == (Act.KEY_CHANGE, 1)
    assert event.changes == {"peppers_added": [added]}
    line = f"operator key_change: done count=1 changes='peppers_added: {added}'"
    assert [one.levelname for one in caplog.records if one.message == line] == ["WARNING"]
    name = "otp_mpp_operator_acts_total"
    assert registry.get_sample_value(name, {"act": "key_change"}) == 1
    [row] = [row for row in trail_of(wallet).table.by_chain() if row.kind == "change"]
    assert row.fields["peppers_added"] == [added]


def test_a_receiver_of_changed_keys_may_act_itself(make: Callable[..., Wallet]) -> None:
    """O11: the trail waits for nothing while others are told."""
    make().send()
    wallet = make(OTP_MPP_PEPPER=[f"another {PEPPER}", PEPPER])

    def unlock(app: Flask, event: Event) -> None:
        if event.operation is Act.KEY_CHANGE:
            with app.app_context():
                wallet.otp.unlock("ada")

    with operator_acted.connected_to(unlock, wallet.app):
        assert wallet.send().code == "SUCCESS"
    kinds = [row.kind for row in trail_of(wallet).table.by_chain()]
    assert sorted(kinds) == ["act", "anchor", "anchor", "change", "decision", "decision"]


@pytest.mark.parametrize("operation", [Operation.SEND, Operation.VERIFY])
def test_the_code_that_is_recorded_with_a_decision_is_that_of_its_answer(
    operation: Operation,
) -> None:
    """O11: for each reason, of each protocol; the answer is written only later."""
    protocols = (GoogleStandardPayments, AlipayPlus)
    wallet = open_google(protocols=protocols, accounts={"gpay": {"envelope": "plain"}})
    request = IdempotencyKey("request", timedelta(1))
    for protocol in state_of(wallet.app).protocols:
        inbound = Inbound("POST", "/", "/", {}, b"", prefix=protocol.mounts[0].prefix)
        proven = AuthenticatedRequest("client", request, b"")
        for reason in (None, *Reason):
            answer = protocol.answer(
                RequestContext(inbound, operation, proven), Outcome("challenge", reason)
            )
            assert protocol.told_code(operation, reason) == answer.told


def test_the_keys_of_googles_accounts_have_fingerprints_too() -> None:
    """O11: ours and Google's; a change of any of them is a change of keys."""
    accounts = {"gpay": sides.jose_wallet()}
    wallet = open_google(protocols=(GoogleStandardPayments, AlipayPlus), accounts=accounts)
    prints = key_prints(state_of(wallet.app).public_keys, state_of(wallet.app).protocols)
    assert sorted(prints) == [
        f"alipayplus {CLIENT} 1",
        "google gpay ours integrator-enc-1",
        "google gpay ours integrator-enc-2",
        "google gpay ours integrator-sig-1",
        "google gpay theirs google-enc-1",
        "google gpay theirs google-sig-1",
        "google gpay theirs google-sig-2",
        "own 1",
    ]
    assert len(set(prints.values())) == len(prints)
    assert {len(one) for one in prints.values()} == {32}


@pytest.mark.server
@pytest.mark.usefixtures("gnupg")
def test_a_pgp_key_is_named_by_its_fingerprint_and_known_by_its_parts() -> None:
    """O11: a subkey that is exchanged is a change, though the fingerprint stays."""
    [account] = read_accounts({"old": sides.pgp_wallet()})
    sealer = account.sealer()
    sealer.close()
    ours = [name.split() for name in sealer.key_prints if name.startswith("ours ")]
    assert [len(fingerprint) for _, fingerprint in ours] == [40, 40]
    assert len(set(sealer.key_prints.values())) == len(sealer.key_prints) == 5
    assert {len(one) for one in sealer.key_prints.values()} == {64}
