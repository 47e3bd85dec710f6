"""An event tells all that is known of a request, however it ends; the log line carries it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from flask import Flask, abort

from flask_otp_mpp import (
    Act,
    Channel,
    Event,
    Message,
    Operation,
    OtpMpp,
    Reason,
    operator_acted,
    otp_refused,
    otp_sent,
    otp_verified,
    refuse,
)
from tests.codes import wrong_code
from tests.commands import run
from tests.wallet import ACQUIRER, CLIENT, PSP, User, Wallet, request_fields

MakeWallet = Callable[..., Wallet]


@contextmanager
def heard(wallet: Wallet) -> Iterator[list[Event]]:
    """Collect the events of an app."""
    events: list[Event] = []

    def hear(_app: Flask, event: Event) -> None:
        events.append(event)

    with (
        otp_sent.connected_to(hear, wallet.app),
        otp_verified.connected_to(hear, wallet.app),
        otp_refused.connected_to(hear, wallet.app),
    ):
        yield events


def slow_sender(user: User, _message: Message) -> None:
    """Take a while; the provider is away for one user, and refuses another one."""
    time.sleep(0.02)
    if user.id == "away":
        raise TimeoutError("canary")
    if user.id == "barred":
        refuse(Reason.DELIVERY_REFUSED)


def mailed(wallet: Wallet, name: str, **headers: str) -> str:
    fields = request_fields(f"tok-{name}", verifyType="EMAIL")
    call, _ = wallet.caller.prepare("/sendOTP", fields)
    return wallet.caller.deliver(replace(call, headers={**call.headers, **headers})).code


def test_a_send_and_its_verification_are_told_completely(make_wallet: MakeWallet) -> None:
    """O9: who, whom, by which channel, what was answered, and what it took."""
    wallet = make_wallet(store="sqlite")
    with heard(wallet) as events:
        answer = wallet.send()
        wallet.caller.verify("tok-ada", answer.verify_request_id, "000000x")
        wallet.caller.verify("tok-ada", answer.verify_request_id, wallet.inbox.code)
    sent, wrong, right = events
    assert sent.caller is not None
    assert (sent.caller.client, sent.caller.acquirer, sent.caller.psp) == (CLIENT, ACQUIRER, PSP)
    assert (sent.operation, sent.code, sent.reason) == (Operation.SEND, "SUCCESS", None)
    assert (sent.subject, sent.channel) == ("ada", Channel.MOBILE)
    assert sent.challenge_id == answer.verify_request_id
    assert (wrong.subject, wrong.code) == ("", "PARAM_ILLEGAL")
    assert (right.subject, right.challenge_id) == ("ada", answer.verify_request_id)
    assert (right.operation, right.code) == (Operation.VERIFY, "SUCCESS")
    for event, attempts in ((sent, 2), (right, 1)):
        assert event.attempts == attempts
        assert set(event.seconds) >= {"total", "hooks", "store"}
        parts = sum(took for part, took in event.seconds.items() if part != "total")
        assert 0 < parts <= event.seconds["total"] < 10
        assert abs(event.time.timestamp() - time.time()) < 60


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("away", "UNKNOWN_EXCEPTION", Reason.UNFORESEEN),
        ("barred", "PROCESS_FAIL", Reason.DELIVERY_REFUSED),
    ],
)
def test_a_send_that_fails_names_user_challenge_and_time(
    make_wallet: MakeWallet, name: str, code: str, reason: Reason
) -> None:
    """O9: by an exception of the sender, too; support is asked why nothing came."""
    wallet = make_wallet(sender=slow_sender, store="sqlite")
    with heard(wallet) as events:
        assert mailed(wallet, name) == code
    [event] = events
    assert (event.reason, event.code) == (reason, code)
    assert (event.subject, event.channel) == (name, Channel.EMAIL)
    assert event.challenge_id
    assert event.caller is not None
    assert event.caller.client == CLIENT
    assert event.seconds["delivery"] >= 0.02
    assert bool(event.reference) is (reason is Reason.UNFORESEEN)


@pytest.mark.parametrize("hook", ["user_loader", "user_identity", "client_key"])
def test_an_exception_of_a_hook_is_told_as_a_failure_of_the_hooks(
    make_wallet: MakeWallet, hook: str
) -> None:
    """O9: whichever hook it is, so that nobody looks at the store."""

    def fail(*_: object) -> NoReturn:
        raise LookupError

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        if hook != "user_loader":
            getattr(otp, hook)(fail)

    how: dict[str, Any] = {"loader": fail} if hook == "user_loader" else {}
    wallet = make_wallet(prepare=prepare, **how)
    caller = wallet.calling(client_id="A_HOOK_KNOWS_IT") if hook == "client_key" else wallet.caller
    with heard(wallet) as events:
        caller.send("tok-ada")
    [event] = events
    assert (event.reason, event.failed) == (Reason.UNFORESEEN, "hooks")


def test_a_refusal_names_its_user_and_its_end(make_wallet: MakeWallet) -> None:
    """O9: a limit, a lock, and a repeat."""
    wallet = make_wallet()
    with heard(wallet) as events:
        first = wallet.send()
        wallet.caller.send("tok-ada")
        challenge = first.verify_request_id
        for guess in range(6):
            wallet.caller.verify("tok-ada", challenge, wrong_code(wallet.inbox.code, guess))
    limited = events[1]
    assert (limited.subject, limited.reason) == ("ada", Reason.SEND_LIMITED)
    assert limited.challenge_id == ""
    assert limited.until is not None
    assert {(event.subject, event.challenge_id) for event in events[2:]} == {("ada", challenge)}


def test_a_request_that_a_hook_of_the_host_stops_is_told_as_far_as_it_came(
    make_wallet: MakeWallet,
) -> None:
    """O9: nobody is proven then."""

    def prepare(app: Flask, _otp: OtpMpp) -> None:
        app.before_request(lambda: abort(403))

    wallet = make_wallet(prepare=prepare)
    with heard(wallet) as events:
        wallet.send()
    [event] = events
    assert (event.caller, event.reason, event.code) == (None, Reason.ACCESS_DENIED, "ACCESS_DENIED")


def test_a_line_of_the_log_needs_nothing_but_a_json_formatter(
    make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture
) -> None:
    """O9: every field is a text, a number, a truth value or nothing; their names are ours."""
    caplog.set_level(logging.INFO)
    wallet = make_wallet(sender=slow_sender)
    assert mailed(wallet, "away", tracerid="0af7-1") == "UNKNOWN_EXCEPTION"
    [record] = [one for one in caplog.records if hasattr(one, "otp_protocol")]
    fields = {name: value for name, value in vars(record).items() if name.startswith("otp_")}
    told = json.loads(json.dumps(fields))
    assert told["otp_client"] == CLIENT
    assert (told["otp_subject"], told["otp_channel"]) == ("away", "EMAIL")
    assert (told["otp_reason"], told["otp_code"]) == ("UNFORESEEN", "UNKNOWN_EXCEPTION")
    assert f"unforeseen, reference {told['otp_reference']}" in caplog.text
    assert told["otp_tracer"] == "0af7-1"
    assert told["otp_seconds_delivery"] >= 0.02
    line = record.getMessage()
    assert line.startswith("alipayplus send: UNKNOWN_EXCEPTION (UNFORESEEN) client=")
    assert " user=away " in line
    assert "delivery" in line


def test_a_name_that_a_host_gives_can_not_forge_a_field(
    make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture
) -> None:
    """P1: a user's name may hold anything."""
    caplog.set_level(logging.INFO)

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.user_identity(lambda _user: "ada code=SUCCESS\nalipayplus verify: SUCCESS")

    make_wallet(prepare=prepare).send()
    [line] = [text for text in caplog.messages if text.startswith("alipayplus")]
    assert "\n" not in line
    assert "user='ada code=SUCCESS\\nalipayplus verify: SUCCESS'" in line


@pytest.mark.parametrize("part", ["body", "path", "time", "client"])
def test_what_a_bad_signature_was_verified_over_is_told_at_debug(
    make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """O9, P1: method, path, client, time, and of the body its length and digest only."""
    caplog.set_level(logging.DEBUG, "flask_otp_mpp")
    wallet = make_wallet()
    call, _ = wallet.caller.prepare("/sendOTP", request_fields("tok-canary"), tamper="signature")
    wallet.caller.deliver(call)
    [line] = [text for text in caplog.messages if "does not hold for" in text]
    seen: dict[str, Any] = {
        "body": f"body of {len(call.body)} bytes, SHA-256 ",
        "path": "POST /aps/api/v1/users/sendOTP ",
        "time": "time=",
        "client": f"client={CLIENT} ",
    }
    assert seen[part] in line
    assert "canary" not in line


def test_no_such_line_without_debug(
    make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flask_otp_mpp")
    wallet = make_wallet()
    call, _ = wallet.caller.prepare("/sendOTP", request_fields(), tamper="signature")
    wallet.caller.deliver(call)
    assert "does not hold for" not in caplog.text


def test_what_an_operator_does_is_told(
    make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture
) -> None:
    """O9: by Python and by the commands, whether it changed anything or not."""
    caplog.set_level(logging.INFO)
    wallet = make_wallet(store="sqlite")
    wallet.send()
    acts: list[tuple[object, str, int | None]] = []

    def hear(_app: Flask, event: Event) -> None:
        acts.append((event.operation, event.subject, event.count))

    with operator_acted.connected_to(hear, wallet.app):
        with wallet.app.app_context():
            wallet.otp.unlock("ada")
            wallet.otp.forget("ada")
        run(wallet.app, "forget", "ada")
        run(wallet.app, "purge")
    assert acts == [
        (Act.UNLOCK, "ada", 0),
        (Act.FORGET, "ada", 1),
        (Act.FORGET, "ada", 0),
        (Act.PURGE, "", 0),
    ]
    assert "operator unlock: done user=ada count=0" in caplog.messages
    assert "operator purge: done count=0" in caplog.messages
