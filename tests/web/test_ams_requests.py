"""Idempotency on AMS: the merchant's id stands for one request, and a repeat sends nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from flask_otp_mpp import Caller, Message, OtpMpp, Reason, otp_sent, refuse
from flask_otp_mpp.callers.ams import AmsAnswer
from flask_otp_mpp.callers.transport import over_http
from flask_otp_mpp.protocols.alipay import ams
from flask_otp_mpp.protocols.values import Event
from tests.ams import OTHER, Shop, open_shop
from tests.codes import wrong_code
from tests.servers import serving
from tests.wallet import User, Wallet, load_user

MakeWallet = Callable[..., Wallet]
STORES = ["memory://", "sqlite"]


@pytest.fixture
def shop(make_wallet: MakeWallet) -> Shop:
    return open_shop(make_wallet)


@pytest.mark.parametrize("store", STORES)
def test_a_repeat_gets_the_same_answer_and_no_second_message(
    store: str, make_wallet: MakeWallet
) -> None:
    """S10: also if it is signed again, and during the cool-down of the first one."""
    shop = open_shop(make_wallet, store=store)
    first = shop.init(request_id="one")
    repeats = [shop.caller.init("tok-ada", "one") for _ in range(3)]
    assert first.code == "SUCCESS"
    assert {answer.response.body for answer in repeats} == {first.response.body}
    assert all(answer.verified for answer in repeats)
    assert len(shop.wallet.inbox) == 1
    assert shop.caller.verify("one", shop.wallet.inbox.code).code == "SUCCESS"


def test_a_repeat_is_reported_as_one(shop: Shop) -> None:
    events: list[Event] = []

    def receive(sender: object, event: Event) -> None:
        events.append(event)

    with otp_sent.connected_to(receive, shop.wallet.app):
        for _ in range(2):
            shop.caller.init("tok-ada", "one")
    assert [event.repeated for event in events] == [False, True]
    assert len({event.challenge_id for event in events}) == 1
    assert {event.subject for event in events} == {"ada"}


def test_a_repeat_calls_no_hook(make_wallet: MakeWallet) -> None:
    """S10: a token that has expired meanwhile does not change the answer."""
    expired: set[str] = set()
    shop = open_shop(make_wallet, loader=lambda token, caller: None if token in expired else token)
    first = shop.init(request_id="one")
    expired.add("tok-ada")
    assert shop.caller.init("tok-ada", "one").response.body == first.response.body
    assert shop.init(request_id="two").code == "INVALID_ACCESS_TOKEN"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("frozen", "USER_STATUS_ABNORMAL"),
        ("nobody", "INVALID_ACCESS_TOKEN"),
        ("gone", "USER_NOT_EXIST"),
    ],
)
def test_a_refusal_of_the_host_is_decided_anew(
    token: str, code: str, make_wallet: MakeWallet
) -> None:
    """X6: a refusal before the user is known is not stored, under whatever id it came."""
    mended: list[str] = []
    shop = open_shop(
        make_wallet,
        loader=lambda asked, caller: "somebody" if asked in mended else load_user(asked, caller),
    )
    refused = shop.init(token, "one")
    assert (refused.code, refused.request_id) == (code, "one")
    mended.append(token)
    sent = shop.init(token, "one")
    assert sent.code == "SUCCESS"
    assert shop.init(token, "one").response.body == sent.response.body
    assert len(shop.wallet.inbox) == 1


def test_a_refused_delivery_is_final_for_its_id(make_wallet: MakeWallet) -> None:
    """S4, S10: the provider is called once."""
    asked: list[str] = []

    def refusing(user: User, message: Message) -> None:
        asked.append(user.id)
        refuse(Reason.DELIVERY_REFUSED, "the number is blocked")

    shop = open_shop(make_wallet, sender=refusing)
    first = shop.init(request_id="one")
    again = shop.init(request_id="one")
    assert first.code == "PROCESS_FAIL"
    assert first.message.endswith("the number is blocked")
    assert again.response.body == first.response.body
    assert asked == ["ada"]


@pytest.mark.parametrize("store", STORES)
def test_an_unknown_result_is_decided_anew(store: str, make_wallet: MakeWallet) -> None:
    """S10: U is not final; nothing was sent, so the repeat may send."""
    away = [True]

    def load(token: str, caller: Caller) -> User | None:
        if away:
            raise ConnectionError("the user database is away")
        return load_user(token, caller)

    shop = open_shop(make_wallet, store=store, loader=load)
    assert shop.init(request_id="one").code == "UNKNOWN_EXCEPTION"
    away.clear()
    assert shop.init(request_id="one").code == "SUCCESS"
    assert len(shop.wallet.inbox) == 1


@pytest.mark.parametrize("store", STORES)
def test_a_send_that_was_cut_off_is_never_sent_again(
    store: str, make_wallet: MakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5, S10: nobody knows whether the message was sent; if it arrives, its code is right."""
    monkeypatch.setattr(ams, "WAIT_FOR_PENDING", timedelta(milliseconds=1))
    arrived: list[str] = []

    def timing_out(user: User, message: Message) -> None:
        arrived.append(message.code)
        raise TimeoutError("the gateway did not answer")

    shop = open_shop(make_wallet, store=store, sender=timing_out)
    for _ in range(3):
        answer = shop.init(request_id="one")
        assert (answer.code, answer.status) == ("UNKNOWN_EXCEPTION", "U")
    assert len(arrived) == 1
    assert shop.caller.verify("one", arrived[0]).passed is True


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    "change", [{"token": "tok-bob"}, {"channel": "EMAIL"}, {"token": "nobody's"}], ids=str
)
@pytest.mark.alike(3)
def test_an_id_with_other_parameters_is_refused_and_changes_nothing(
    change: dict[str, str], store: str, make_wallet: MakeWallet
) -> None:
    """S10: PARAM_ILLEGAL and no message; the code of the first request is still accepted."""
    shop = open_shop(make_wallet, store=store)
    request_id, code = shop.sent()
    changed: dict[str, Any] = {"token": "tok-ada", "request_id": request_id, **change}
    conflict = shop.init(**changed)
    assert (conflict.code, conflict.request_id) == ("PARAM_ILLEGAL", request_id)
    assert "authenticationRequestId" in conflict.message
    assert len(shop.wallet.inbox) == 1
    assert shop.caller.verify(request_id, code).code == "SUCCESS"


def test_an_unknown_field_does_not_make_another_request(shop: Shop) -> None:
    """F6: it is not read, so it changes nothing."""
    assert shop.init(request_id="one").code == "SUCCESS"
    assert shop.init(request_id="one", extendInfo="x").code == "SUCCESS"
    assert len(shop.wallet.inbox) == 1


def test_two_merchants_may_choose_the_same_id(shop: Shop) -> None:
    """L8: each has its own challenge, and neither can answer the other's."""
    other = shop.calling(client_id=OTHER)
    assert shop.init(request_id="one").code == "SUCCESS"
    code = shop.wallet.inbox.code
    assert other.verify("one", code).code == "AUTHENTICATION_REQUEST_ID_INVALID"
    assert other.init("tok-bob", "one").code == "SUCCESS"
    assert other.verify("one", shop.wallet.inbox.code).code == "SUCCESS"
    assert shop.caller.verify("one", code).code == "SUCCESS"


def test_a_second_guess_is_a_second_try(shop: Shop) -> None:
    """A1: verifyAuthentication is not idempotent by its id, only byte by byte."""
    request_id, code = shop.sent()
    call, signed = shop.caller.prepare(
        "/verifyAuthentication",
        {
            "authenticationType": "OTP",
            "authenticationRequestId": request_id,
            "authenticationValue": wrong_code(code),
        },
    )
    assert {shop.caller.deliver(call, signed).code for _ in range(9)} == {"VERIFY_UNMATCHED"}
    codes = [shop.caller.verify(request_id, wrong_code(code)).code for _ in range(5)]
    assert codes == ["VERIFY_UNMATCHED"] * 4 + ["VERIFY_TIMES_EXCEED_LIMIT"]


@pytest.mark.parametrize(
    ("setting", "status", "later"),
    [
        ("PROCESS_FAIL", "F", "PROCESS_FAIL"),
        ("REQUEST_TRAFFIC_EXCEED_LIMIT", "U", "SUCCESS"),
    ],
)
def test_the_result_code_of_the_send_limit_says_whether_it_is_final(
    setting: str, status: str, later: str, make_wallet: MakeWallet
) -> None:
    """S2: the message says until when; an id that was refused with U may be sent again then."""
    shop = open_shop(make_wallet, OTP_MPP_AMS_CODES={"SEND_LIMITED": setting})
    shop.sent()
    capped = shop.caller.init("tok-ada", "one")
    assert (capped.code, capped.status) == (setting, status)
    assert capped.message.endswith(
        " No OTP can be sent to this user for now. Not before 2026-01-01T00:01:46Z."
    )
    assert shop.init(request_id="one").code == later


@pytest.mark.parametrize("store", STORES)
def test_an_answer_expires_after_its_time(store: str, make_wallet: MakeWallet) -> None:
    shop = open_shop(make_wallet, store=store, OTP_MPP_AMS_KEEP=3600)
    state = shop.wallet.state
    _, code = shop.sent(request_id="one")
    shop.wallet.clock.forward(seconds=3400)
    state.store.purge(state.policy)
    assert shop.init(request_id="one").code == "SUCCESS"
    assert len(shop.wallet.inbox) == 1
    shop.wallet.clock.forward(seconds=300)
    state.store.purge(state.policy)
    assert shop.caller.verify("one", code).code == "AUTHENTICATION_REQUEST_ID_INVALID"
    assert shop.init(request_id="one").code == "SUCCESS"
    assert len(shop.wallet.inbox) == 2


@pytest.mark.parametrize("store", STORES)
def test_sixteen_identical_requests_at_once_send_one_message(
    store: str, make_wallet: MakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1, S10: sixteen equal answers; half of the requests are copies, half are signed again."""
    monkeypatch.setattr(ams, "WAIT_FOR_PENDING", timedelta(seconds=60))
    arrived = threading.Semaphore(0)
    delivered: list[Message] = []

    def slow(user: User, message: Message) -> None:
        for _ in range(16):
            assert arrived.acquire(timeout=60)
        delivered.append(message)

    def announce(app: Flask, _otp: OtpMpp) -> None:
        app.before_request(arrived.release)

    places: dict[str, Any] = {
        "OTP_MPP_WAITING_REPEATS": 15,
        "OTP_MPP_WAITING_REPEATS_OF_CLIENT": 15,
    }
    shop = open_shop(make_wallet, store=store, sender=slow, prepare=announce, **places)
    shop.wallet.clock.now = datetime.now(UTC)
    with serving(shop.wallet.app) as url, ThreadPoolExecutor(16) as pool:
        merchant = shop.calling(over_http(url, 120))
        payload = {
            "authenticationType": "OTP",
            "authenticationRequestId": "one",
            "authenticationChannelType": "SMS",
            "userIdentityType": "WALLET_TOKEN",
            "userIdentityValue": "tok-ada",
        }
        anew = [merchant.prepare("/initAuthentication", payload) for _ in range(9)]
        copies = [anew[0]] * 7
        asked = [pool.submit(merchant.deliver, *request) for request in (*anew, *copies)]
        answers: list[AmsAnswer] = [one.result(120) for one in asked]
    assert Counter(answer.code for answer in answers) == {"SUCCESS": 16}
    assert len({answer.response.body for answer in answers}) == 1
    assert all(answer.verified for answer in answers)
    assert len(delivered) == 1
    assert shop.caller.verify("one", delivered[0].code).code == "SUCCESS"


def test_a_restart_between_a_request_and_its_repeat_changes_nothing(
    make_wallet: MakeWallet,
) -> None:
    """S10: another app on the same store, as a new process would open it."""
    before = open_shop(make_wallet, store="sqlite")
    first = before.init(request_id="one")
    refused = before.init("frozen", "two")
    before.wallet.close()
    after = open_shop(make_wallet, store="sqlite")
    after.wallet.clock.now = before.wallet.clock.now
    repeats = [after.init(request_id="one"), after.init("frozen", "two")]
    assert [answer.response.body for answer in repeats] == [
        first.response.body,
        refused.response.body,
    ]
    assert after.init("tok-bob", "one").code == "PARAM_ILLEGAL"
    assert len(after.wallet.inbox) == 0
    assert after.caller.verify("one", before.wallet.inbox.code).code == "SUCCESS"
