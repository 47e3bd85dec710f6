"""Every hook learns who asks, so that a token for one client serves no other one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flask_otp_mpp import (
    AccessTokens,
    AlipayPlus,
    Caller,
    Event,
    Message,
    OtpMpp,
    otp_refused,
    otp_sent,
    otp_verified,
)
from tests.ams import MERCHANT, OTHER, SANDBOXED, open_shop
from tests.wallet import ACQUIRER, CLIENT, PSP, User, Wallet, load_user

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
