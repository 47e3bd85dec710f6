"""Both prefixes of AMS: every request gets a signed answer, and no log or file holds a secret."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from flask_otp_mpp import Caller, Message, Reason, refuse
from flask_otp_mpp.callers.ams import PREFIX, SANDBOX_PREFIX
from flask_otp_mpp.protocols.alipay import ams
from tests.ams import MERCHANT, SANDBOXED, Shop, open_shop
from tests.codes import LONG_CODE, wrong_code
from tests.wallet import User, Wallet

MakeWallet = Callable[..., Wallet]
TOKEN = "tok-canary-token"
PHONE, EMAIL = "+86130canary", "canary-mail@users.example"


@pytest.fixture
def shop(make_wallet: MakeWallet) -> Shop:
    return open_shop(make_wallet)


@pytest.mark.parametrize(("client", "prefix"), [(MERCHANT, PREFIX), (SANDBOXED, SANDBOX_PREFIX)])
def test_every_method_on_every_path_gets_a_signed_answer(
    client: str, prefix: str, shop: Shop
) -> None:
    """G9: below the usual prefix and below the sandbox."""
    merchant = shop.calling(client_id=client)
    expected = {
        "/initAuthentication": ("METHOD_NOT_SUPPORTED", "PARAM_ILLEGAL"),
        "/verifyAuthentication": ("METHOD_NOT_SUPPORTED", "PARAM_ILLEGAL"),
        "/sendOTP": ("API_INVALID", "API_INVALID"),
        "/": ("API_INVALID", "API_INVALID"),
        "//x?y=z": ("API_INVALID", "API_INVALID"),
    }
    verbs = ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "POST")
    for (path, (refused, posted)), verb in itertools.product(expected.items(), verbs):
        answer = merchant.call(path, {}, method=verb)
        assert answer.call.uri == prefix + path
        assert (answer.response.status, answer.verified) == (200, True), (path, verb)
        assert answer.code == (posted if verb == "POST" else refused), (path, verb)


def test_other_paths_belong_to_the_host(shop: Shop) -> None:
    """F3: a prefix covers only the paths below it."""
    for path in ("/ams", "/ams/api/v1", "/ams/sandbox/api/v1/user", "/ams/api/v1/users2/x"):
        answer = shop.wallet.app.test_client().post(path)
        assert answer.status_code == 404
        assert "signature" not in answer.headers


def test_no_log_answer_or_file_holds_code_token_phone_or_email(
    make_wallet: MakeWallet,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P1, P4: logs, answers and the store's file; in success, refusal, conflict and error."""
    monkeypatch.setattr(ams, "WAIT_FOR_PENDING", timedelta(milliseconds=1))
    codes: list[str] = []
    faults: list[str] = []

    def gateway(user: User, message: Message) -> None:
        codes.append(message.code)
        if faults:
            raise TimeoutError(f"{user.phone} {message.body}")

    def load(token: str, caller: Caller) -> User | None:
        if token != TOKEN:
            refuse(Reason.TOKEN_EXPIRED)
        return User("u1", PHONE, EMAIL)

    shop = open_shop(
        make_wallet, store="sqlite", sender=gateway, loader=load, OTP_MPP_CODE_DIGITS=LONG_CODE
    )
    with caplog.at_level(logging.DEBUG):
        answers = [shop.init(TOKEN, "one"), shop.init(TOKEN, "one")]
        answers += [shop.init(TOKEN, "one", channel="EMAIL"), shop.init("tok-stale", "two")]
        answers += [shop.caller.verify("one", code) for code in (wrong_code(codes[0]), codes[0])]
        faults.append("the gateway is away")
        answers += [shop.init(TOKEN, "three"), shop.init(TOKEN, "three")]
    assert [answer.code for answer in answers] == [
        "SUCCESS",
        "SUCCESS",
        "PARAM_ILLEGAL",
        "INVALID_ACCESS_TOKEN",
        "VERIFY_UNMATCHED",
        "SUCCESS",
        "UNKNOWN_EXCEPTION",
        "UNKNOWN_EXCEPTION",
    ]
    shown = caplog.text + "".join(answer.response.body.decode() for answer in answers)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("otp.db*"))
    assert b"u1" in stored
    for canary in (TOKEN, "tok-stale", PHONE, EMAIL):
        assert canary not in shown, canary
        assert canary.encode() not in stored, canary
    for code in (*codes, wrong_code(codes[0])):
        assert code not in shown, code
