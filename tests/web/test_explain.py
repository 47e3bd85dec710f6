"""``flask otp-mpp explain-signature``: the keys and prefixes are those of the app's settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from flask import Flask

from flask_otp_mpp import AlipayPlus, OtpMpp
from flask_otp_mpp.callers import Call
from flask_otp_mpp.signing import one_line
from tests.ams import MERCHANT, open_shop
from tests.commands import flask, run
from tests.conformance.exchanges import header
from tests.wallet import CLIENT, Wallet, key, request_fields, settings

MakeWallet = Callable[..., Wallet]


def saved(path: Path, call: Call, **changed: str) -> str:
    """Save a request as it is on the wire."""
    headers = {**call.headers, **changed, "content-length": str(len(call.body))}
    lines = [f"{call.method} {call.uri} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
    path.write_bytes("\r\n".join(lines).encode() + b"\r\n\r\n" + call.body)
    return str(path)


def signed_by(name: str, data: str) -> str:
    return header(key(name).sign(data.encode(), padding.PKCS1v15(), hashes.SHA256()))


def explained(app: Flask, *arguments: str) -> tuple[int, dict[str, Any]]:
    result = run(app, "explain-signature", *arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


def found(shown: dict[str, Any]) -> list[str]:
    return [mistake["id"] for mistake in shown["found"]]


def test_the_keys_are_those_of_the_captured_client(make_wallet: MakeWallet, tmp_path: Path) -> None:
    """G4: of Alipay+ and of a merchant of AMS; a key of another client is named."""
    shop = open_shop(make_wallet)
    alipay, _ = shop.wallet.caller.prepare("/sendOTP", request_fields())
    merchant, _ = shop.caller.prepare("/initAuthentication", {})
    for call, other in ((alipay, MERCHANT), (merchant, CLIENT)):
        capture = tmp_path / "request.http"
        assert explained(shop.wallet.app, saved(capture, call))[0] == 0
        status, shown = explained(shop.wallet.app, saved(capture, call, **{"client-id": other}))
        assert status == 1
        assert "key-other-client" in found(shown)
        assert call.headers["client-id"] in shown["key"]


def test_an_answer_is_verified_by_the_wallets_own_key(
    make_wallet: MakeWallet, tmp_path: Path
) -> None:
    """G9: over the URI of its request."""
    wallet = make_wallet()
    answer = wallet.send()
    lines = ["HTTP/1.1 200 OK", *(f"{n}: {v}" for n, v in answer.response.headers)]
    capture = tmp_path / "answer.http"
    capture.write_bytes("\r\n".join(lines).encode() + b"\r\n\r\n" + answer.response.body)
    status, shown = explained(wallet.app, str(capture), "--uri", answer.call.uri)
    assert (status, shown["verified"], shown["key"]) == (0, True, "1")
    assert run(wallet.app, "explain-signature", str(capture)).exit_code == 2


def test_a_prefix_of_the_app_that_was_signed_is_named(
    make_wallet: MakeWallet, tmp_path: Path
) -> None:
    """G11: the public one is right, also for a capture from behind the proxy."""
    wallet = make_wallet(
        OTP_MPP_ALIPAYPLUS_PREFIX="/inside", OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX="/public/otp"
    )
    caller = wallet.calling(prefix="/public/otp")
    call, signed = caller.prepare("/sendOTP", request_fields())
    inner = Call(call.method, "/inside/sendOTP", call.headers, call.body)
    status, shown = explained(wallet.app, saved(tmp_path / "inner.http", inner))
    assert (status, found(shown)) == (0, [])
    assert "callers sign /public/otp" in shown["notes"][0]
    wrong = signed_by("alipay+", signed.replace("/public/otp", "/inside"))
    status, shown = explained(wallet.app, saved(tmp_path / "wrong.http", call, signature=wrong))
    assert (status, found(shown)) == (1, ["uri-prefix"])


def test_the_hook_is_asked_for_the_key_of_a_client_that_is_not_listed(
    make_wallet: MakeWallet, tmp_path: Path
) -> None:
    """G4: by client and version; a client that is unknown has no key."""
    asked = []

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        @otp.client_key(AlipayPlus)
        def key_of(client: str, version: str | None) -> str | None:
            asked.append((client, version))
            return one_line(key("alipay+").public_key()) if client == "HOOKED" else None

    wallet = make_wallet(OTP_MPP_ALIPAYPLUS_CLIENTS=None, prepare=prepare)
    call, _ = wallet.calling(client_id="HOOKED").prepare("/sendOTP", request_fields())
    assert explained(wallet.app, saved(tmp_path / "one.http", call))[0] == 0
    assert asked == [("HOOKED", "1")]
    status, shown = explained(wallet.app, saved(tmp_path / "two.http", call, **{"client-id": "X"}))
    assert (status, shown["key"], shown["explained"]) == (1, None, False)
    assert "The app has no key for the client" in shown["notes"][0]


def test_a_token_is_masked(make_wallet: MakeWallet, tmp_path: Path) -> None:
    """It needs --show-secrets."""
    wallet = make_wallet()
    call, _ = wallet.caller.prepare("/sendOTP", request_fields("tok-ada"))
    capture = saved(tmp_path / "request.http", call)
    assert "tok-ada" not in run(wallet.app, "explain-signature", capture).output
    shown = run(wallet.app, "explain-signature", capture, "--show-secrets")
    assert "tok-ada" in shown.stdout


def test_an_app_with_faults_says_them(make_wallet: MakeWallet, tmp_path: Path) -> None:
    """F2: the command needs the keys of the settings."""

    def faulty() -> Flask:
        app = Flask("tests.faulty")
        app.config.update(settings(OTP_MPP_ALIPAYPLUS_CLIENTS=None))
        OtpMpp(AlipayPlus).init_app(app)
        return app

    call, _ = make_wallet().caller.prepare("/sendOTP", request_fields())
    capture = saved(tmp_path / "request.http", call)
    result = flask(faulty, "otp-mpp", "explain-signature", capture)
    assert result.exit_code == 1
    assert "OTP_MPP_ALIPAYPLUS_CLIENTS" in result.stderr
    assert result.stdout == ""
