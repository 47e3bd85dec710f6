"""Two protocols in one app: users are shared; routes, clients and challenges are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    Caller,
    ConfigurationError,
    OtpMpp,
    otp_sent,
    user_locked,
)
from flask_otp_mpp.callers.signed import SignedAnswer
from flask_otp_mpp.protocols.values import Event
from flask_otp_mpp.signing.keys import one_line
from tests.ams import MERCHANT, Shop, open_shop
from tests.codes import wrong_code
from tests.commands import run
from tests.wallet import CLIENT, PSP, Wallet, key, open_wallet

MakeWallet = Callable[..., Wallet]
BOTH = "BOTH_5X00000000000000"
ALIPAYPLUS, AMS = "/aps/api/v1/users", "/ams/api/v1/users"
PATHS = {
    ALIPAYPLUS: ("/sendOTP", "/verifyOTP"),
    AMS: ("/initAuthentication", "/verifyAuthentication"),
}


def open_both(make_wallet: MakeWallet, **settings: Any) -> Shop:
    """Open a wallet that serves both protocols to one client with one key."""
    public = {"1": one_line(key("merchant").public_key())}
    shop = open_shop(
        make_wallet,
        store="sqlite",
        OTP_MPP_CODE_LIFE=600,
        OTP_MPP_ALIPAYPLUS_CLIENTS={BOTH: public},
        OTP_MPP_AMS_CLIENTS={BOTH: public},
        **settings,
    )
    shop.wallet.caller = shop.wallet.calling(client_id=BOTH, key=key("merchant"))
    shop.caller = shop.calling(client_id=BOTH)
    return shop


@pytest.fixture
def shop(make_wallet: MakeWallet) -> Shop:
    return open_both(make_wallet)


def test_wrong_codes_at_a_merchant_lock_the_user_there_and_not_at_alipayplus(shop: Shop) -> None:
    """C2: ten at the merchant; nine at Alipay+ are not added to them."""
    locks: list[str] = []

    def receive(sender: object, subject: str, until: object, caller: Caller) -> None:
        locks.append(subject)

    wallet = shop.wallet
    by_mail, mail_code = shop.sent(channel="EMAIL")
    with user_locked.connected_to(receive, wallet.app):
        for tries in (5, 4):
            verify_request_id, code = wallet.sent()
            for attempt in range(tries):
                wallet.caller.verify("tok-ada", verify_request_id, wrong_code(code, attempt))
        for _ in range(2):
            request_id, merchants_code = shop.sent()
            for attempt in range(5):
                assert locks == []
                shop.caller.verify(request_id, wrong_code(merchants_code, attempt))
    assert locks == ["ada"]
    locked = shop.caller.verify(by_mail, mail_code)
    assert locked.code == "VERIFY_TIMES_EXCEED_LIMIT"
    assert "Not before" in locked.message
    assert shop.init().code == "PROCESS_FAIL"
    assert shop.init("tok-bob").code == "SUCCESS"
    assert wallet.caller.verify("tok-ada", verify_request_id, code).code == "SUCCESS"
    assert wallet.send().code == "SUCCESS"
    assert run(wallet.app, "unlock", "ada").exit_code == 0
    assert shop.caller.verify(by_mail, mail_code).code == "SUCCESS"


def test_wrong_codes_on_both_protocols_disable_the_user_on_both(make_wallet: MakeWallet) -> None:
    """A3: OTP_MPP_DISABLE_AFTER counts over all clients, and only an unlock ends it."""
    shop = open_both(make_wallet, OTP_MPP_DISABLE_AFTER=6)
    wallet = shop.wallet
    verify_request_id, code = wallet.sent()
    request_id, merchants_code = shop.sent()
    for attempt in range(3):
        wallet.caller.verify("tok-ada", verify_request_id, wrong_code(code, attempt))
        shop.caller.verify(request_id, wrong_code(merchants_code, attempt))
    disabled = wallet.caller.verify("tok-ada", verify_request_id, code)
    assert disabled.code == "OTP_VERIFY_TIMES_EXCEED_LIMIT"
    assert "OTP is disabled for this user." in disabled.message
    wallet.clock.forward(days=400)
    assert wallet.send().code == "OTP_SEND_TIMES_EXCEED_LIMIT"
    assert shop.init().code == "PROCESS_FAIL"
    assert run(wallet.app, "unlock", "ada").exit_code == 0
    assert wallet.caller.verify("tok-ada", *wallet.sent()).code == "SUCCESS"


def test_the_sends_of_a_merchant_delay_none_of_alipayplus(shop: Shop) -> None:
    """C3: the cool-down is the merchant's own, though SMS and MOBILE are one channel."""
    shop.sent()
    assert shop.wallet.caller.send("tok-ada").code == "SUCCESS"
    assert shop.caller.init("tok-ada", "again").code == "PROCESS_FAIL"
    assert len(shop.wallet.inbox) == 2


def test_the_send_limit_of_the_user_counts_the_messages_of_both(make_wallet: MakeWallet) -> None:
    """S2: six in ten minutes on both together, four on each of them."""
    shop = open_both(
        make_wallet,
        OTP_MPP_SEND_LIMITS="4 per 10 minutes",
        OTP_MPP_USER_SEND_LIMITS="6 per 10 minutes",
    )
    answers: list[SignedAnswer] = []
    for _ in range(3):
        answers += [shop.init(), shop.wallet.send()]
    assert [answer.code for answer in answers] == ["SUCCESS"] * 6
    assert shop.wallet.send().code == "OTP_SEND_TIMES_EXCEED_LIMIT"
    assert shop.init().code == "PROCESS_FAIL"
    assert len(shop.wallet.inbox) == 6


def test_a_code_of_one_protocol_is_not_accepted_by_the_other(shop: Shop) -> None:
    """L8: with the same client, user and channel; not even with the challenge's id."""
    events: list[Event] = []

    def receive(sender: object, event: Event) -> None:
        events.append(event)

    wallet = shop.wallet
    with otp_sent.connected_to(receive, wallet.app):
        request_id, merchants_code = shop.sent()
        verify_request_id, alipays_code = wallet.sent()
    assert [event.protocol for event in events] == ["ams", "alipayplus"]
    for name in (request_id, events[0].challenge_id):
        answer = wallet.caller.verify("tok-ada", name, merchants_code)
        assert answer.code == "VERIFY_REQUEST_ID_INVALID"
    misused = shop.caller.verify(verify_request_id, alipays_code)
    assert misused.code == "AUTHENTICATION_REQUEST_ID_INVALID"
    assert shop.caller.verify(request_id, merchants_code).code == "SUCCESS"
    assert wallet.caller.verify("tok-ada", verify_request_id, alipays_code).code == "SUCCESS"


@pytest.mark.parametrize("operation", [0, 1])
@pytest.mark.parametrize("home", [ALIPAYPLUS, AMS])
def test_a_signed_request_is_valid_on_its_own_path_only(
    home: str, operation: int, shop: Shop
) -> None:
    """G13: with the same client and key, and a body that both could read: the path is signed."""
    body = {
        "acquirerId": "A",
        "pspId": PSP,
        "accessToken": "tok-ada",
        "verifyRequestId": "one",
        "otpCode": "123456",
        "authenticationType": "OTP",
        "authenticationRequestId": "one",
        "authenticationChannelType": "SMS",
        "userIdentityType": "WALLET_TOKEN",
        "userIdentityValue": "tok-ada",
        "authenticationValue": "123456",
    }
    caller: Any = shop.wallet.caller if home == ALIPAYPLUS else shop.caller
    call, signed = caller.prepare(PATHS[home][operation], body)
    refused = {ALIPAYPLUS: "INVALID_SIGNATURE", AMS: "SIGNATURE_INVALID"}
    for prefix, paths in PATHS.items():
        for path in paths:
            if (prefix, path) == (home, PATHS[home][operation]):
                continue
            carried = caller.deliver(replace(call, uri=prefix + path), signed)
            assert carried.code == refused[prefix]
            assert carried.verified
    assert len(shop.wallet.inbox) == 0
    assert caller.deliver(call, signed).code not in refused.values()


def test_a_client_of_one_protocol_is_unknown_to_the_other(make_wallet: MakeWallet) -> None:
    """G13: the key of Alipay+ can't sign for a merchant, nor the other way round."""
    shop = open_shop(make_wallet)
    alipayplus = shop.calling(client_id=CLIENT, key=key("alipay+"), prefix=AMS)
    merchant = shop.wallet.calling(client_id=MERCHANT, key=key("merchant"))
    borrowed = shop.calling(key=key("alipay+"))
    assert alipayplus.init("tok-ada", "one").code == "CLIENT_INVALID"
    assert merchant.send("tok-ada").code == "INVALID_CLIENT"
    assert borrowed.init("tok-ada", "one").code == "SIGNATURE_INVALID"
    assert len(shop.wallet.inbox) == 0


def test_a_key_hook_is_called_for_its_own_protocol_only(make_wallet: MakeWallet) -> None:
    """G4, G13: each protocol has its own list; the hook is called for what is not listed."""
    asked: list[tuple[str, str]] = []

    def directory(name: str) -> Callable[[str, str | None], str | None]:
        def find(client: str, version: str | None) -> str | None:
            asked.append((name, client))
            known = client == f"CLIENT_OF_{name}"
            return one_line(key("hooked").public_key()) if known else None

        return find

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.client_key(Ams)(directory("AMS"))
        otp.client_key(AlipayPlus)(directory("ALIPAYPLUS"))

    shop = open_shop(
        make_wallet, prepare=prepare, OTP_MPP_AMS_CLIENTS=None, OTP_MPP_ALIPAYPLUS_CLIENTS=None
    )
    codes = []
    for client in ("CLIENT_OF_AMS", "CLIENT_OF_ALIPAYPLUS"):
        who: dict[str, Any] = {"client_id": client, "key": key("hooked")}
        codes.append(shop.calling(**who).init("tok-ada", "one").code)
        codes.append(shop.wallet.calling(**who).send("tok-bob").code)
    assert codes == ["SUCCESS", "INVALID_CLIENT", "CLIENT_INVALID", "SUCCESS"]
    assert asked == [
        ("AMS", "CLIENT_OF_AMS"),
        ("ALIPAYPLUS", "CLIENT_OF_AMS"),
        ("AMS", "CLIENT_OF_ALIPAYPLUS"),
        ("ALIPAYPLUS", "CLIENT_OF_ALIPAYPLUS"),
    ]


def faults_of(**how: Any) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        open_shop(open_wallet, **how)
    return dict(caught.value.faults)


def test_a_key_hook_must_name_its_protocol() -> None:
    """F2, G13: without it, the clients of one protocol would be accepted by the other."""

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.client_key(lambda client, version: None)

    faults = faults_of(prepare=prepare)
    assert list(faults) == ["@otp.client_key"]
    assert "@otp.client_key(AlipayPlus)" in faults["@otp.client_key"]


def test_a_protocol_without_keys_of_its_own_does_not_start() -> None:
    """F2: the hook of the other one is not called for them."""

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.client_key(AlipayPlus)(lambda client, version: None)

    faults = faults_of(prepare=prepare, OTP_MPP_AMS_CLIENTS=None, OTP_MPP_ALIPAYPLUS_CLIENTS=None)
    assert list(faults) == ["OTP_MPP_AMS_CLIENTS"]
    assert "register @otp.client_key" in faults["OTP_MPP_AMS_CLIENTS"]


@pytest.mark.parametrize(
    "places",
    [
        {"OTP_MPP_AMS_PREFIX": ALIPAYPLUS},
        {"OTP_MPP_AMS_PREFIX": f"{ALIPAYPLUS}/merchants"},
        {"OTP_MPP_AMS_SANDBOX_PREFIX": "/aps"},
        {"OTP_MPP_AMS_SANDBOX_PREFIX": f"{AMS}/sandbox"},
        {"OTP_MPP_AMS_SANDBOX_PREFIX": AMS},
    ],
    ids=str,
)
def test_two_prefixes_can_not_overlap(places: dict[str, str]) -> None:
    """F2, G13: it would be unclear which protocol answers there."""
    faults = faults_of(**places)
    assert len(faults) == 1
    assert all("lies in" in finding for finding in faults.values())


def test_prefixes_that_only_begin_alike_do_not_overlap(make_wallet: MakeWallet) -> None:
    shop = open_shop(make_wallet, OTP_MPP_AMS_PREFIX=f"{ALIPAYPLUS}2")
    merchant = shop.calling(prefix=f"{ALIPAYPLUS}2")
    assert merchant.init("tok-ada", "one").code == "SUCCESS"
    assert shop.wallet.caller.send("tok-bob").code == "SUCCESS"
    assert merchant.call("/", {}).code == "API_INVALID"
    assert shop.wallet.caller.call("/", {}).code == "NO_INTERFACE_DEF"


def test_the_loader_by_subject_is_optional(
    make_wallet: MakeWallet,
) -> None:
    """L8: without it, the user to whom the code was sent is assumed to be active."""
    shop = open_shop(make_wallet, with_subject_loader=False)
    shop.meanwhile["ada"] = lambda: None
    assert shop.caller.verify(*shop.sent()).code == "SUCCESS"


def test_ams_can_be_served_alone(make_wallet: MakeWallet) -> None:
    """F2: then no setting of Alipay+ is required, and a hook needs no protocol."""

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.client_key(lambda client, version: one_line(key("merchant").public_key()))

    shop = open_shop(
        make_wallet,
        protocols=(Ams,),
        prepare=prepare,
        OTP_MPP_AMS_CLIENTS=None,
        OTP_MPP_ALIPAYPLUS_CLIENTS=None,
        OTP_MPP_ALIPAYPLUS_PSP_ID=None,
    )
    assert shop.caller.verify(*shop.sent()).passed is True
    assert shop.wallet.caller.send("tok-ada").response.status == 404
