"""Idempotency on Google: an answer with 200 is stored and repeated; any other one is not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp import Caller, otp_refused, otp_sent, otp_verified, state_of
from flask_otp_mpp.callers.google_answer import GoogleAnswer
from flask_otp_mpp.protocols.values import Event
from tests.wallet import make_tables
from tests.web.google_wallet import (
    ADA,
    BOB,
    REFUSED_NUMBERS,
    UNKNOWN_NUMBER,
    GoogleWallet,
    open_google,
)
from tests.web.test_google import assert_bare, assert_error

PARALLEL = 16


@pytest.fixture(params=["memory", "sqlite"])
def wallet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GoogleWallet]:
    """Open a wallet on each store: in memory, and in a file."""
    store = "memory://"
    if request.param == "sqlite":
        store = f"sqlite:///{tmp_path / 'otp.db'}"
        make_tables(store)
    opened = open_google(store=store, OTP_MPP_GOOGLE_SEND_RESULTS=["ACCOUNT_ON_HOLD"])
    yield opened
    opened.close()


def business_fields(answer: GoogleAnswer) -> dict[str, Any]:
    """Return all fields of an answer but its time."""
    assert set(answer.json["responseHeader"]) == {"responseTimestamp"}
    return {name: value for name, value in answer.json.items() if name != "responseHeader"}


def test_a_repeated_send_is_one_message(wallet: GoogleWallet) -> None:
    """The same fields come back with a new time, also days later."""
    first = wallet.google.send(ADA, request_id="one")
    for hours in (0, 1, 24 * 10, 24 * 19):
        wallet.clock.forward(hours=hours, seconds=1)
        again = wallet.google.send(ADA, request_id="one")
        assert business_fields(again) == business_fields(first)
        stamp = int(again.json["responseHeader"]["responseTimestamp"])
        assert stamp == int(wallet.clock().timestamp() * 1000)
    assert len(wallet.inbox) == 1


def test_an_answer_expires_after_its_time() -> None:
    """``OTP_MPP_GOOGLE_KEEP``: after it, the id is a new one."""
    wallet = open_google(OTP_MPP_GOOGLE_KEEP=86400)
    wallet.google.send(ADA, request_id="one")
    wallet.clock.forward(seconds=86399)
    state = state_of(wallet.app)
    state.store.purge(state.policy)
    wallet.google.send(ADA, request_id="one")
    assert len(wallet.inbox) == 1
    wallet.clock.forward(seconds=2)
    state.store.purge(state.policy)
    wallet.google.send(ADA, request_id="one")
    assert len(wallet.inbox) == 2


def test_a_repeated_wrong_code_is_one_try(wallet: GoogleWallet) -> None:
    """Nine repeats are not nine tries: the right code still matches."""
    sent, code = wallet.sent()
    first = wallet.google.verify(sent, "x", request_id="guess")
    for _ in range(9):
        wallet.clock.forward(seconds=1)
        assert business_fields(
            wallet.google.verify(sent, "x", request_id="guess")
        ) == business_fields(first)
    assert business_fields(first)["result"] == "OTP_NOT_MATCHED"
    assert wallet.google.verify(sent, code).result == "SUCCESS"


def test_a_repeated_success_is_answered_again(wallet: GoogleWallet) -> None:
    """After the code is used, closed by a new send, or expired."""
    sent, code = wallet.sent()
    first = wallet.google.verify(sent, code, request_id="right")
    assert first.result == "SUCCESS"
    wallet.sent()
    wallet.clock.forward(hours=2)
    assert business_fields(wallet.google.verify(sent, code, request_id="right")) == business_fields(
        first
    )


def test_each_request_has_its_own_id_of_the_integrator(wallet: GoogleWallet) -> None:
    """The same for a repeat, and another one for each request."""
    sent, _ = wallet.sent()
    named = "paymentIntegratorVerifyOtpId"
    ids = [wallet.google.verify(sent, "x", request_id=name).json[named] for name in "aab"]
    assert ids[0] == ids[1] != ids[2]
    sends = {wallet.google.send(number).json["paymentIntegratorSendOtpId"] for number in [BOB]}
    assert sends.isdisjoint(ids)


def test_a_result_of_a_hook_is_answered_again(wallet: GoogleWallet) -> None:
    """A result that a hook names: the hook is asked again."""
    number = next(key for key, (_, named) in REFUSED_NUMBERS.items() if named == "ACCOUNT_ON_HOLD")
    first = wallet.google.send(number, request_id="one")
    assert first.result == "ACCOUNT_ON_HOLD"
    assert business_fields(wallet.google.send(number, request_id="one")) == business_fields(first)


def test_a_send_with_other_parameters_is_a_violation(wallet: GoogleWallet) -> None:
    """412 for any other field; nothing is done."""
    assert wallet.google.send(ADA, request_id="one").result == "SUCCESS"
    others: list[dict[str, Any]] = [
        {"accountPhoneNumber": BOB},
        {"accountPhoneNumber": "+15"},
        {"smsMatchingToken": "AB12345678D"},
        {"otpContext": {"mandateCreation": {}}},
        {"further": 1},
    ]
    for changed in others:
        assert_error(
            wallet.google.send(ADA, request_id="one", **changed), 412, "IDEMPOTENCY_VIOLATION"
        )
    assert wallet.google.send(ADA, request_id="one").result == "SUCCESS"
    assert len(wallet.inbox) == 1


@pytest.mark.parametrize(
    ("number", "result"),
    [
        ("+15", "INVALID_PHONE_NUMBER"),
        (UNKNOWN_NUMBER, "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"),
    ],
)
def test_a_result_without_a_user_is_decided_anew(
    wallet: GoogleWallet, number: str, result: str
) -> None:
    """X6: it is the same again, and is not stored: the id may be used for another number."""
    for _ in range(2):
        assert wallet.google.send(number, request_id="one").result == result
    assert wallet.google.send(ADA, request_id="one").result == "SUCCESS"


def test_a_verify_with_other_parameters_is_a_violation(wallet: GoogleWallet) -> None:
    """Another code under the same id is not compared."""
    sent, code = wallet.sent()
    assert wallet.google.verify(sent, "x", request_id="one").result == "OTP_NOT_MATCHED"
    assert_error(wallet.google.verify(sent, code, request_id="one"), 412, "IDEMPOTENCY_VIOLATION")
    assert wallet.google.verify(sent, code).result == "SUCCESS"


def test_an_error_leaves_the_id_free(wallet: GoogleWallet) -> None:
    """404 and 400 are never stored: the id may come again with anything."""
    assert_error(wallet.google.verify("later", "x", request_id="v"), 404, "INVALID_IDENTIFIER")
    wallet.sent(request_id="later")
    assert wallet.google.verify("later", wallet.inbox.code, request_id="v").result == "SUCCESS"
    assert_error(wallet.google.send(ADA, request_id="s"), 400, "PRECONDITION_VIOLATION")
    assert_error(wallet.google.send(associationId="no", request_id="s"), 404, "INVALID_IDENTIFIER")
    assert wallet.google.send(BOB, request_id="s").result == "SUCCESS"


def test_an_echo_is_not_stored(wallet: GoogleWallet) -> None:
    """It changes nothing, so another word under the same id is no conflict."""
    assert wallet.google.echo("one", request_id="e").json["clientMessage"] == "one"
    assert wallet.google.echo("two", request_id="e").json["clientMessage"] == "two"


def test_a_repeat_during_the_first_request_is_a_conflict() -> None:
    """409 without a body while the provider is called; the stored answer afterwards."""
    working, go = threading.Event(), threading.Event()
    sends: list[str] = []

    def sender(user: Any, message: Any) -> None:
        sends.append(message.code)
        working.set()
        assert go.wait(30)

    wallet = open_google(sender=sender)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(wallet.google.send, ADA, request_id="one")
        assert working.wait(30)
        assert_bare(wallet.google.send(ADA, request_id="one"), 409)
        assert_error(wallet.google.send(BOB, request_id="one"), 412, "IDEMPOTENCY_VIOLATION")
        go.set()
        assert first.result().result == "SUCCESS"
    assert business_fields(wallet.google.send(ADA, request_id="one")) == business_fields(
        first.result()
    )
    assert len(sends) == 1


def test_sixteen_equal_sends_at_once_are_one_message() -> None:
    """Each gets the same answer, or 409 while the first is running."""
    sends: list[str] = []

    def sender(user: Any, message: Any) -> None:
        time.sleep(0.05)
        sends.append(message.code)

    wallet = open_google(sender=sender)
    barrier = threading.Barrier(PARALLEL)

    def ask(_: int) -> GoogleAnswer:
        barrier.wait()
        return wallet.google.send(ADA, request_id="one")

    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(ask, range(PARALLEL)))
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) <= {200, 409}
    assert statuses[200] >= 1
    assert len({str(business_fields(answer)) for answer in answers if answer.status == 200}) == 1
    assert len(sends) == 1


def test_sixteen_wrong_codes_under_one_id_are_one_try(wallet: GoogleWallet) -> None:
    sent, code = wallet.sent()
    barrier = threading.Barrier(PARALLEL)

    def ask(_: int) -> GoogleAnswer:
        barrier.wait()
        return wallet.google.verify(sent, "x", request_id="guess")

    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(ask, range(PARALLEL)))
    assert {answer.result for answer in answers} == {"OTP_NOT_MATCHED"}
    for _ in range(3):
        assert wallet.google.verify(sent, "y").result == "OTP_NOT_MATCHED"
    assert wallet.google.verify(sent, code).result == "SUCCESS"  # the fifth try


def test_sixteen_right_codes_are_one_success(wallet: GoogleWallet) -> None:
    """Under different ids: one succeeds, the others are told that the code was used."""
    sent, code = wallet.sent()
    barrier = threading.Barrier(PARALLEL)

    def ask(_: int) -> GoogleAnswer:
        barrier.wait()
        return wallet.google.verify(sent, code)

    with ThreadPoolExecutor(PARALLEL) as pool:
        results = Counter(answer.result for answer in pool.map(ask, range(PARALLEL)))
    assert results == {"SUCCESS": 1, "OTP_ALREADY_USED": PARALLEL - 1}


def test_each_request_sends_a_signal(wallet: GoogleWallet) -> None:
    """The signal of a repeat says so; there is none for an echo."""
    heard: list[tuple[str, Event]] = []

    def hear(name: str) -> Any:
        return lambda app, event: heard.append((name, event))

    receivers = {signal: hear(signal.name) for signal in (otp_sent, otp_verified, otp_refused)}
    for signal, receiver in receivers.items():
        signal.connect(receiver, wallet.app)
    sent = wallet.google.send(ADA)
    wallet.google.send(ADA, request_id=sent.request_id)
    wallet.google.verify(sent.request_id, "x")
    wallet.google.verify(sent.request_id, wallet.inbox.code)
    wallet.google.echo()
    assert [name for name, _ in heard] == ["otp-sent", "otp-sent", "otp-refused", "otp-verified"]
    assert [event.repeated for _, event in heard] == [False, True, False, False]
    assert {event.caller for _, event in heard} == {Caller("google", "gpay")}
    assert {event.protocol for _, event in heard} == {"google"}
    assert heard[0][1].challenge_id == sent.json["paymentIntegratorSendOtpId"]
