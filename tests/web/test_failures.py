"""Failures at every step: no count is lost, and no message is sent twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_otp_mpp import (
    Caller,
    Channel,
    Message,
    SQLAlchemyStore,
    otp_refused,
    otp_sent,
    otp_verified,
    user_locked,
)
from flask_otp_mpp.signing.keys import LocalSigner
from tests.codes import wrong_code
from tests.commands import run
from tests.wallet import ACQUIRER, CLIENT, PSP, User, Wallet, key, request_fields

MakeWallet = Callable[..., Wallet]


class FlakySigner:
    """Sign as the wallet does, but not while it is set to fail."""

    version = "1"

    def __init__(self) -> None:
        self.down = False
        self._signer = LocalSigner("1", key("wallet"))

    def sign(self, data: bytes) -> bytes:
        if self.down:
            raise ConnectionError("the key server is away")
        return self._signer.sign(data)


def tries_left(wallet: Wallet, request_id: str, code: str) -> int:
    """Return how many wrong codes are still compared."""
    answers = [wallet.caller.verify("tok-ada", request_id, wrong_code(code)).code for _ in range(6)]
    return answers.count("OTP_VERIFY_UNMATCHED")


@pytest.mark.parametrize("store", ["memory://", "sqlite"])
def test_an_attempt_counts_if_the_answer_can_not_be_signed(
    store: str, make_wallet: MakeWallet
) -> None:
    """A7: and no unsigned answer is sent instead."""
    signer = FlakySigner()
    wallet = make_wallet(store=store, options={"signer": signer}, OTP_MPP_PRIVATE_KEYS=None)
    wallet.caller = wallet.calling(server_keys={"1": key("wallet").public_key()})
    request_id, code = wallet.sent()
    signer.down = True
    answer = wallet.caller.verify("tok-ada", request_id, wrong_code(code))
    assert (answer.response.status, answer.response.body) == (503, b"")
    signer.down = False
    assert tries_left(wallet, request_id, code) == 4


@pytest.mark.parametrize("store", ["memory://", "sqlite"])
def test_an_attempt_counts_if_a_hook_of_the_host_raises_after_it(
    store: str, make_wallet: MakeWallet
) -> None:
    """A7: an after_request function that raises can't undo the count."""

    def finish(app: Flask) -> None:
        @app.after_request
        def fail(response: Any) -> Any:
            if app.config.get("FAIL"):
                raise RuntimeError("after the fact")
            return response

    wallet = make_wallet(store=store, finish=finish)
    request_id, code = wallet.sent()
    wallet.app.config["FAIL"] = True
    answer = wallet.caller.verify("tok-ada", request_id, wrong_code(code))
    assert (answer.code, answer.verified) == ("OTP_VERIFY_UNMATCHED", True)
    wallet.app.config["FAIL"] = False
    assert tries_left(wallet, request_id, code) == 4


def test_a_receiver_that_raises_changes_no_answer_and_no_count(
    wallet: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    """A7: signals inform; they do not decide."""

    def fail(sender: object, **_: Any) -> None:
        raise RuntimeError("receiver failed")

    with (
        otp_sent.connected_to(fail),
        otp_verified.connected_to(fail),
        otp_refused.connected_to(fail),
    ):
        request_id, code = wallet.sent()
        assert wallet.caller.verify("tok-ada", request_id, wrong_code(code)).code.endswith(
            "UNMATCHED"
        )
        assert wallet.caller.verify("tok-ada", request_id, code).code == "SUCCESS"
    assert caplog.text.count("raised RuntimeError") == 3
    assert "receiver failed" not in caplog.text


def test_a_store_that_fails_is_answered_as_unknown(make_wallet: MakeWallet) -> None:
    """S4: signed, without a message sent; the store recovers by itself."""
    wallet = make_wallet(store="sqlite")
    store = wallet.state.store
    assert isinstance(store, SQLAlchemyStore)
    with store.engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE otp_mpp_requests RENAME TO elsewhere")
    answer = wallet.send()
    assert (answer.code, answer.status, answer.verified) == ("UNKNOWN_EXCEPTION", "U", True)
    assert len(wallet.inbox) == 0
    with store.engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE elsewhere RENAME TO otp_mpp_requests")
    assert wallet.send().code == "SUCCESS"


def test_no_transaction_is_open_while_the_provider_is_called(
    make_wallet: MakeWallet, tmp_path: Path
) -> None:
    """S4: nobody reads, so the file's log can be emptied; and another one can write at once."""
    observed: list[tuple[int, int]] = []

    def sender(user: User, message: Message) -> None:
        store = wallet.state.store
        assert isinstance(store, SQLAlchemyStore)
        other = SQLAlchemyStore(str(store.engine.url))
        with closing(sqlite3.connect(str(store.engine.url.database))) as file:
            [in_use, *_] = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        observed.append((in_use, other.purge(wallet.state.policy)))
        other.engine.dispose()

    wallet = make_wallet(store="sqlite", sender=sender)
    assert wallet.send().code == "SUCCESS"
    assert [in_use for in_use, _ in observed] == [0]


@pytest.mark.parametrize("store", ["memory://", "sqlite"])
def test_a_repeat_of_a_send_sends_nothing_and_gets_the_same_answer(
    store: str, make_wallet: MakeWallet
) -> None:
    """S10: the same bytes, ten times within the freshness window."""
    wallet = make_wallet(store=store)
    prepared = wallet.caller.prepare("/sendOTP", request_fields())
    answers = [wallet.caller.deliver(*prepared) for _ in range(10)]
    assert {answer.response.body for answer in answers} == {answers[0].response.body}
    assert answers[0].code == "SUCCESS"
    assert len(wallet.inbox) == 1


@pytest.mark.parametrize("store", ["memory://", "sqlite"])
def test_a_repeat_of_a_refused_send_gets_the_same_refusal(
    store: str, make_wallet: MakeWallet
) -> None:
    """S10: F is final for this request, even when the limit has ended."""
    wallet = make_wallet(store=store)
    wallet.sent()
    prepared = wallet.caller.prepare("/sendOTP", request_fields())
    first = wallet.caller.deliver(*prepared)
    wallet.clock.forward(seconds=100)
    again = wallet.caller.deliver(*prepared)
    assert first.code == "OTP_SEND_TIMES_EXCEED_LIMIT"
    assert again.response.body == first.response.body
    assert len(wallet.inbox) == 1


@pytest.mark.parametrize("store", ["memory://", "sqlite"])
def test_a_repeat_of_a_verify_spends_no_try(store: str, make_wallet: MakeWallet) -> None:
    """S10: a retry of the network costs the user no try, and a lost SUCCESS is answered again."""
    wallet = make_wallet(store=store)
    request_id, code = wallet.sent()
    fields = request_fields(verifyRequestId=request_id)
    guess = wallet.caller.prepare("/verifyOTP", {**fields, "otpCode": wrong_code(code)})
    right = wallet.caller.prepare("/verifyOTP", {**fields, "otpCode": code})
    assert {wallet.caller.deliver(*guess).code for _ in range(7)} == {"OTP_VERIFY_UNMATCHED"}
    assert {wallet.caller.deliver(*right).code for _ in range(7)} == {"SUCCESS"}
    assert wallet.caller.verify("tok-ada", request_id, code).code == "VERIFY_REQUEST_ID_INVALID"


def test_a_send_that_was_cut_off_is_never_sent_again(make_wallet: MakeWallet) -> None:
    """S10, S5: after a crash in the provider's call nobody knows whether the message was sent."""
    calls: list[str] = []

    def sender(user: User, message: Message) -> None:
        calls.append(message.code)
        raise TimeoutError

    wallet = make_wallet(store="sqlite", sender=sender)
    prepared = wallet.caller.prepare("/sendOTP", request_fields())
    answers = [wallet.caller.deliver(*prepared) for _ in range(3)]
    assert {(answer.code, answer.status) for answer in answers} == {("UNKNOWN_EXCEPTION", "U")}
    assert len(calls) == 1


def test_a_lock_is_reported_and_can_be_removed(make_wallet: MakeWallet) -> None:
    """A5: reported in the answer and by a signal, removed by the command line."""
    wallet = make_wallet(store="sqlite", OTP_MPP_FAILURE_LIMIT=3)
    request_id, code = wallet.sent()
    locks: list[dict[str, Any]] = []

    def receive(sender: object, **values: Any) -> None:
        locks.append(values)

    with user_locked.connected_to(receive, wallet.app):
        answers = [wallet.caller.verify("tok-ada", request_id, wrong_code(code)) for _ in range(4)]
    end = wallet.clock.now + timedelta(minutes=15)
    assert locks == [
        {"subject": "ada", "until": end, "caller": Caller("alipayplus", CLIENT, ACQUIRER, PSP)}
    ]
    assert [answer.code for answer in answers[2:]] == [
        "OTP_VERIFY_UNMATCHED",
        "OTP_VERIFY_TIMES_EXCEED_LIMIT",
    ]
    for answer in answers[2:]:
        assert answer.message.endswith(f"Not before {end:%Y-%m-%dT%H:%M:%SZ}.")
    assert run(wallet.app, "unlock", "ada").output == (
        "The user is unlocked. Forgotten: the lock at "
        f"{CLIENT} until {end:%H:%M:%S}, 3 wrong codes.\n"
    )
    assert run(wallet.app, "unlock", "ada").output == "The user had no lock or failures.\n"
    assert wallet.caller.verify("tok-ada", request_id, code).code == "SUCCESS"


def test_a_user_without_an_id_is_an_error_of_the_host(
    make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture
) -> None:
    """S4: nothing can be counted for an object without an id, so nothing is sent."""
    wallet = make_wallet(loader=lambda token, caller: object())
    assert wallet.send().code == "UNKNOWN_EXCEPTION"
    assert "TypeError" in caplog.text
    assert len(wallet.inbox) == 0


def test_a_channel_without_a_sender_is_named(make_wallet: MakeWallet) -> None:
    """S3: the answer names the field that the caller can change."""
    wallet = make_wallet(channels=[Channel.MOBILE])
    answer = wallet.send(verifyType="EMAIL")
    assert answer.code == "PARAM_ILLEGAL"
    assert "verifyType: " in answer.message


def test_the_address_comes_from_the_user_and_never_from_the_request(wallet: Wallet) -> None:
    """S3: a phone number in the body is not used."""
    wallet.sent(phone="+1555attacker", mobile="+1555attacker", email="attacker@evil.example")
    wallet.sent(verifyType="EMAIL", email="attacker@evil.example")
    assert [user for user, _ in wallet.inbox.received] == [
        User("ada", "+86130ada", "ada@users.example")
    ] * 2
