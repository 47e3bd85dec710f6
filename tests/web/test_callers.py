"""Every hook learns who asks, so that a token for one client serves no other one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from flask_otp_mpp import (
    AccessTokens,
    AlipayPlus,
    Caller,
    ConfigurationError,
    Event,
    Message,
    OtpMpp,
    otp_refused,
    otp_sent,
    otp_verified,
)
from flask_otp_mpp.callers import Call, Response
from flask_otp_mpp.signing import LocalSigner, one_line, rsa256
from tests.ams import MERCHANT, OTHER, SANDBOXED, open_shop
from tests.wallet import ACQUIRER, CLIENT, PSP, User, Wallet, key, load_user, open_wallet
from tests.web.google_wallet import open_google

MakeWallet = Callable[..., Wallet]
TOKENS = AccessTokens("a secret that only these tests use", timedelta(hours=1))


def test_a_token_for_one_merchant_is_invalid_for_another(make_wallet: MakeWallet) -> None:
    """C1: a merchant that has seen it can't have a code sent, and no message goes out."""
    shop = open_shop(make_wallet, loader=TOKENS.load)
    token = TOKENS.mint("ada", client=MERCHANT)
    thief = shop.calling(client_id=OTHER)
    assert thief.init(token, "stolen").code == "INVALID_ACCESS_TOKEN"
    assert len(shop.wallet.inbox) == 0
    assert shop.caller.init(token, "own").code == "SUCCESS"
    stolen = thief.verify("own", shop.wallet.inbox.code)
    assert stolen.code == "AUTHENTICATION_REQUEST_ID_INVALID"
    assert shop.caller.verify("own", shop.wallet.inbox.code).code == "SUCCESS"


@pytest.mark.parametrize("protocol", ["alipayplus", "ams"])
def test_a_token_for_a_merchant_is_invalid_on_alipayplus_and_the_other_way_round(
    protocol: str, make_wallet: MakeWallet
) -> None:
    """C1: clients of different protocols are different clients."""
    shop = open_shop(make_wallet, loader=TOKENS.load)
    alipays, merchants = (TOKENS.mint("ada", client=name) for name in (CLIENT, MERCHANT))
    if protocol == "ams":
        assert shop.init(alipays).code == "INVALID_ACCESS_TOKEN"
        assert shop.init(merchants).code == "SUCCESS"
    else:
        assert shop.wallet.send(merchants).code == "INVALID_TOKEN"
        assert shop.wallet.send(alipays).code == "SUCCESS"


def test_a_sandbox_client_can_be_kept_from_production_users(make_wallet: MakeWallet) -> None:
    """C4: a loader sees the client, whatever the client says of itself."""

    def load(token: str, caller: Caller) -> User | None:
        return None if caller.client == SANDBOXED else load_user(token, caller)

    shop = open_shop(make_wallet, loader=load)
    sandbox = shop.calling(client_id=SANDBOXED)
    assert sandbox.init("tok-ada", "one").code == "INVALID_ACCESS_TOKEN"
    assert shop.init("tok-ada").code == "SUCCESS"


def test_loaders_messages_and_events_name_the_caller(make_wallet: MakeWallet) -> None:
    """C1: protocol and client, and on Alipay+ acquirer and pspId; the client is proven."""
    loaded: list[Caller] = []
    sent: list[Caller] = []
    heard: list[Caller | None] = []

    def load(token: str, caller: Caller) -> User | None:
        loaded.append(caller)
        return load_user(token, caller)

    def text(user: User, message: Message) -> None:
        sent.append(message.caller)

    def hear(sender: object, event: Event) -> None:
        heard.append(event.caller)

    shop = open_shop(make_wallet, loader=load, sender=text)
    alipayplus = Caller("alipayplus", CLIENT, ACQUIRER, PSP)
    merchant = Caller("ams", MERCHANT)
    with (
        otp_sent.connected_to(hear, shop.wallet.app),
        otp_refused.connected_to(hear, shop.wallet.app),
        otp_verified.connected_to(hear, shop.wallet.app),
    ):
        shop.wallet.send()
        shop.init("tok-bob")
        shop.wallet.caller.verify("tok-ada", "no such id", "123456")
        shop.calling(client_id="STRANGER").init("tok-ada", "one")
    assert loaded == [alipayplus, merchant, alipayplus]
    assert sent == [alipayplus, merchant]
    assert heard == [alipayplus, merchant, alipayplus, None]


def entry(**more: object) -> dict[str, object]:
    return {"keys": {"1": one_line(key("alipay+").public_key())}, **more}


SANDBOX, PRODUCTION = "SANDBOX_CLIENT", "CLIENT_1"
DIVIDED = {
    SANDBOX: entry(psp_ids=["P-SANDBOX"], acquirers=["A-1"]),
    PRODUCTION: entry(psp_ids=["P-1", "P-2"]),
}


@pytest.mark.parametrize(
    ("client", "psp", "acquirer", "code"),
    [
        (SANDBOX, "P-SANDBOX", "A-1", "SUCCESS"),
        (SANDBOX, "P-SANDBOX", "A-2", "ACCESS_DENIED"),
        (SANDBOX, "P-1", "A-1", "INVALID_CLIENT"),
        (SANDBOX, "P-3", "A-1", "INVALID_CLIENT"),
        (PRODUCTION, "P-SANDBOX", "A-2", "INVALID_CLIENT"),
        (PRODUCTION, "P-1", "A-2", "SUCCESS"),
        (PRODUCTION, "P-2", "A-3", "ACCESS_DENIED"),
        ("HOOKED", "P-1", "A-2", "INVALID_CLIENT"),
        ("HOOKED", "P-SANDBOX", "A-1", "INVALID_CLIENT"),
    ],
)
def test_psp_ids_and_acquirers_belong_to_a_client(
    client: str, psp: str, acquirer: str, code: str, make_wallet: MakeWallet
) -> None:
    """C4: a sandbox client with the pspId of production serves no user of production."""

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.client_key(lambda client, version: one_line(key("alipay+").public_key()))

    wallet = make_wallet(
        prepare=prepare,
        OTP_MPP_ALIPAYPLUS_CLIENTS=DIVIDED,
        OTP_MPP_ALIPAYPLUS_PSP_ID=["P-SANDBOX", "P-1", "P-2"],
        OTP_MPP_ALIPAYPLUS_ACQUIRERS=["A-1", "A-2"],
    )
    caller = wallet.calling(client_id=client, psp_id=psp, acquirer_id=acquirer)
    assert caller.send("tok-ada").code == code
    assert len(wallet.inbox) == (code == "SUCCESS")


@pytest.mark.parametrize(
    ("clients", "psp_ids", "hooked", "finding"),
    [
        (
            {"C1": entry(), "C2": entry(psp_ids=["P1"])},
            ["P1", "P2"],
            False,
            "client 'C1': does not say which",
        ),
        ({"C1": entry(psp_ids=["P3"])}, ["P1", "P2"], False, "client 'C1': 'psp_ids' holds 'P3'"),
        ({"C1": entry()}, ["P1", "P2"], True, "client 'C1': does not say which pspIds"),
        (None, ["P1", "P2"], True, "has no client, and several pspIds"),
        ({"C1": {"psp_ids": ["P1"]}}, ["P1", "P2"], False, "client 'C1' has no keys"),
        ({"C1": entry(psp_id="P1")}, "P1", False, "did you mean 'psp_ids'?"),
        ({"C.1": entry()}, "P1", False, "1 to 64 letters, digits"),
        ({"C" * 65: entry()}, "P1", False, "1 to 64 letters, digits"),
        ({"": entry()}, "P1", False, "1 to 64 letters, digits"),
        ({"C1": entry(psp_ids={"P1": 1})}, "P1", False, "client 'C1': 'psp_ids' found a mapping"),
    ],
)
def test_what_belongs_to_a_client_must_be_said(
    clients: object, psp_ids: object, finding: str, *, hooked: bool
) -> None:
    """C4, X3, F2: at start-up, with what to write."""

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        if hooked:
            otp.client_key(lambda client, version: None)

    with pytest.raises(ConfigurationError) as caught:
        open_wallet(
            prepare=prepare, OTP_MPP_ALIPAYPLUS_CLIENTS=clients, OTP_MPP_ALIPAYPLUS_PSP_ID=psp_ids
        )
    (found,) = caught.value.faults
    assert found[0] == "OTP_MPP_ALIPAYPLUS_CLIENTS"
    assert finding in found[1]


@pytest.mark.parametrize(
    ("clients", "psp_ids"),
    [
        ({"C1": {"1": one_line(key("alipay+").public_key())}}, ["P1", "P2"]),
        ({"C1": entry(), "C2": entry()}, "P1"),
        ({"C1": entry(psp_ids=None, acquirers=None)}, "P1"),
    ],
)
def test_one_client_or_one_psp_id_needs_no_division(
    clients: object, psp_ids: str | list[str]
) -> None:
    """C4: nothing could be confused; the client may name every pspId of the wallet."""
    wallet = open_wallet(OTP_MPP_ALIPAYPLUS_CLIENTS=clients, OTP_MPP_ALIPAYPLUS_PSP_ID=psp_ids)
    for number, psp in enumerate([psp_ids] if isinstance(psp_ids, str) else psp_ids):
        caller = wallet.calling(client_id="C1", psp_id=psp)
        assert caller.send(f"tok-{number}").code == "SUCCESS"


ODD_IDS = ["a.b", "a b", "a,b", "a:b", "\xe9", "x" * 65, "", "a\n"]


@pytest.mark.parametrize(
    ("sandbox", "production", "warned"),
    [
        (entry(), entry(), True),
        (entry(psp_ids=["P1", "P2"]), entry(psp_ids=["P2"]), True),
        (entry(psp_ids=["P1"]), entry(psp_ids=["P2"]), False),
    ],
)
def test_a_sandbox_client_with_a_psp_id_of_production_is_warned_of(
    sandbox: object, production: object, *, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """C4: when the app starts, by the id of the client."""
    divided = isinstance(sandbox, dict) and "psp_ids" in sandbox
    open_wallet(
        OTP_MPP_ALIPAYPLUS_CLIENTS={SANDBOX: sandbox, PRODUCTION: production},
        OTP_MPP_ALIPAYPLUS_PSP_ID=["P1", "P2"] if divided else "P1",
    )
    assert ("client 'SANDBOX_CLIENT' of the sandbox may name" in caplog.text) is warned


@pytest.mark.parametrize("client", ODD_IDS[:-1])  # no server lets a line feed through
def test_a_client_id_holds_nothing_that_parts_a_signed_text(
    client: str, make_wallet: MakeWallet
) -> None:
    """X3: such a client is unknown, no hook is called for it, and it is not written in answers."""
    asked: list[str] = []

    def find(client: str, version: str | None) -> str:
        asked.append(client)
        return one_line(key("alipay+").public_key())

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.client_key(find)

    wallet = make_wallet(prepare=prepare)
    call, _ = wallet.caller.prepare("/sendOTP", {})
    time = call.headers["request-time"]
    signed = rsa256.canonical(call.method, call.uri, client, time, call.body)
    signature = rsa256.signature_header(LocalSigner("1", key("alipay+")), signed)
    headers = {**call.headers, "client-id": client, "signature": signature}
    answer = wallet.caller.deliver(replace(call, headers=headers))
    assert answer.code == "INVALID_CLIENT"
    assert asked == []
    assert dict(answer.response.headers).get("client-id", "") == ""


@pytest.mark.parametrize(("shifted", "verified"), [(0, True), (1, False)])
def test_an_answer_is_verified_in_one_reading_only(
    shifted: int, *, verified: bool, make_wallet: MakeWallet
) -> None:
    """X3: the start of a signed body can't be called the end of its time."""

    def answer(call: Call) -> Response:
        parts = ["2026-01-01T00:00:00Z", "x", "{}"]
        signed = rsa256.canonical(call.method, call.uri, CLIENT, parts[0], b"x.{}")
        headers = (
            ("client-id", CLIENT),
            ("response-time", ".".join(parts[: 1 + shifted])),
            ("signature", rsa256.signature_header(LocalSigner("1", key("alipay+")), signed)),
        )
        return Response(200, headers, ".".join(parts[1 + shifted :]).encode())

    known = {"1": key("alipay+").public_key()}
    caller = make_wallet().calling(answer, server_keys=known)
    assert caller.send("tok-ada").verified is verified


@pytest.mark.parametrize("client", ODD_IDS)
def test_no_id_is_made_that_no_client_can_have(client: str, make_wallet: MakeWallet) -> None:
    """X3: neither our caller nor a token is made for it, and no account of Google has it."""
    with pytest.raises(ValueError, match="a client id has 1 to 64 letters, digits"):
        make_wallet().calling(client_id=client)
    with pytest.raises(ValueError, match="a client id has 1 to 64 letters, digits"):
        TOKENS.mint("ada", client=client)
    with pytest.raises(ConfigurationError, match="a name has 1 to 64 letters, digits"):
        open_google(accounts={client: {"envelope": "plain"}})


@pytest.mark.parametrize(
    ("hook", "advice"),
    [
        (lambda token: None, "write def <lambda>(access_token, caller)"),
        (load_user.__get__("bound"), "write def load_user(access_token, caller)"),
    ],
)
def test_a_loader_without_the_caller_is_refused_at_start_up(
    hook: Callable[..., Any], advice: str
) -> None:
    """C1, F2: such a hook could not tell one client's token from another's."""
    with pytest.raises(TypeError) as caught:
        OtpMpp(AlipayPlus).user_loader(hook)
    assert advice in str(caught.value)


def test_a_loader_that_takes_the_caller_as_a_default_finds_no_user(
    make_wallet: MakeWallet,
) -> None:
    """C1: dict.get returns its second argument for an unknown token."""
    wallet = make_wallet(loader={"tok-ada": "ada"}.get)
    assert wallet.send("tok-ada").code == "SUCCESS"
    assert wallet.send("tok-eve").code == "UNKNOWN_EXCEPTION"
    assert len(wallet.inbox) == 1
