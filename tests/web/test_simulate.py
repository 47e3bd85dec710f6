"""``flask otp-mpp simulate``: what it reads from the app, and how it tells what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask, request

from flask_otp_mpp import Channel, Message
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.signing.keys import LocalSigner, one_line, private_pem
from flask_otp_mpp.web.cli.simulate.verified import explain
from tests.ams import MERCHANT, SANDBOXED, open_shop
from tests.commands import run
from tests.protocols.google import sides
from tests.servers import free_port, serving
from tests.wallet import CLIENT, PSP, User, Wallet, key
from tests.web.google_wallet import ADA, open_google
from tests.web.test_google_cli import files

MakeWallet = Callable[..., Wallet]
PUBLIC = "/public/otp"


@pytest.fixture
def caller_key(tmp_path: Path) -> list[str]:
    path = tmp_path / "caller.pem"
    path.write_bytes(private_pem(key("alipay+")))
    return ["--key", str(path)]


def now(wallet: Wallet) -> Flask:
    """Set the wallet's clock to the caller's, which is the system's."""
    wallet.clock.now = datetime.now(UTC)
    return wallet.app


def send(app: Flask, *options: str) -> Result:
    return run(app, "simulate", "send", "--token", "tok-ada", *options)


def test_the_key_of_the_caller_is_all_that_a_call_needs(
    make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    """G9: the app knows its client, its version, pspId, prefixes, paths and the public keys."""
    wallet = make_wallet(
        OTP_MPP_ALIPAYPLUS_CLIENTS={
            "OTHER": {"keys": {"1": one_line(key("wallet 2").public_key())}, "psp_ids": [PSP]},
            "LISTED": {
                "keys": {
                    "1": one_line(key("merchant").public_key()),
                    "7": one_line(key("alipay+").public_key()),
                },
                "psp_ids": ["second"],
                "acquirers": ["acquirer-2"],
            },
        },
        OTP_MPP_ALIPAYPLUS_PSP_ID=[PSP, "second"],
        OTP_MPP_ALIPAYPLUS_PREFIX="/inner/otp",
        OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX=PUBLIC,
        OTP_MPP_ALIPAYPLUS_SEND_PATH="/s",
        OTP_MPP_ALIPAYPLUS_VERIFY_PATH="/v",
    )
    sent = json.loads(send(now(wallet), *caller_key, "--expect", "SUCCESS", "--json").stdout)
    assert sent["request"]["uri"] == f"{PUBLIC}/s"
    assert sent["request"]["headers"]["client-id"] == "LISTED"
    assert "keyVersion=7," in sent["request"]["headers"]["signature"]
    assert sent["request"]["body"] == {
        "pspId": "second",
        "acquirerId": "acquirer-2",
        "accessToken": "tok-ada",
        "verifyType": "MOBILE",
    }
    assert sent["signature_holds"] is True
    request_id = sent["answer"]["body"]["verifyRequestId"]
    answered = ["--id", request_id, "--code", wallet.inbox.code, "--expect", "SUCCESS"]
    options = ["--token", "tok-ada", *caller_key, *answered]
    assert run(wallet.app, "simulate", "verify", *options).exit_code == 0


def test_a_running_wallet_is_called_by_what_the_app_knows_of_it(
    make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    """G9: with --url too, if there is an app."""
    wallet = make_wallet()
    now(wallet)
    with serving(wallet.app) as url:
        assert send(wallet.app, *caller_key, "--url", url, "--expect", "SUCCESS").exit_code == 0


@pytest.mark.parametrize("client", [MERCHANT, SANDBOXED])
def test_a_merchant_calls_the_public_prefix_of_its_kind(
    client: str, make_wallet: MakeWallet, tmp_path: Path
) -> None:
    """G11: the sandbox has one of its own; in-process a call takes the way of a proxy."""
    shop = open_shop(
        make_wallet,
        OTP_MPP_AMS_PUBLIC_PREFIX="/live",
        OTP_MPP_AMS_SANDBOX_PUBLIC_PREFIX="/trial",
    )
    path = tmp_path / "shop.pem"
    path.write_bytes(private_pem(key("merchant")))
    options = ["--key", str(path), "--client-id", client, "--id", "one", "--token", "tok-ada"]
    done = run(now(shop.wallet), "simulate", "ams", "init", *options, "--expect", "SUCCESS")
    assert done.exit_code == 0, done.output
    assert f"POST /{'live' if client == MERCHANT else 'trial'}/init" in done.output


def test_google_needs_its_own_keys_only() -> None:
    """G9: envelope, path and the wallet's public keys are those of the app's account."""
    wallet = open_google(accounts={"gpay": sides.jose_wallet(paths=["/e/v1"])}, testing=False)
    wallet.clock.now = datetime.now(UTC)
    google = files("--key", "google-sig-1.private", "google-enc-1.private")
    options = ["--phone", ADA, "--request-id", "one", "--expect", "SUCCESS", "--json"]
    sent = run(wallet.app, "simulate", "google", "send", *google, *options)
    assert sent.exit_code == 0, sent.output
    shown = json.loads(sent.stdout)
    assert shown["request"]["uri"] == "/google/e/v1/sendOtp"
    assert shown["answer"]["payload"]["result"] == "SUCCESS"
    refused = ["--tamper", "encryption", "--expect"]
    echo = ["simulate", "google", "echo", *google]
    assert run(wallet.app, *echo, "--expect", "SUCCESS").exit_code == 0
    assert run(wallet.app, *echo, *refused, "400").exit_code == 0
    other = run(wallet.app, *echo, *refused, "401")
    assert other.exit_code == 1
    assert "Expected 401, and the wallet answered 400." in other.stderr


def test_another_code_than_the_expected_one_is_exit_status_1(
    make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    """G9: so that a script can test a wallet."""
    app = now(make_wallet())
    assert send(app, *caller_key, "--tamper", "client", "--expect", "INVALID_CLIENT").exit_code == 0
    other = send(app, *caller_key, "--tamper", "client", "--expect", "SUCCESS", "--json")
    assert other.exit_code == 1
    assert other.stderr.endswith("Expected SUCCESS, and the wallet answered INVALID_CLIENT.\n")
    assert json.loads(other.stdout)["answer"]["body"]["result"]["resultCode"] == "INVALID_CLIENT"


def test_a_wallet_that_is_not_there_is_told_in_one_line(caller_key: list[str]) -> None:
    """F2: no traceback."""
    url = f"http://127.0.0.1:{free_port()}"
    own = f"1={one_line(key('wallet').public_key())}"
    options = ["--url", url, "--client-id", CLIENT, "--psp-id", PSP, "--server-key", own]
    result = send(Flask("elsewhere"), *caller_key, *options)
    assert result.exit_code == 1
    assert result.output == f"Error: {url} can't be called: Connection refused\n"
    google = ["simulate", "google", "echo", "--envelope", "plain", "--url", url]
    result = run(Flask("elsewhere"), *google)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("left_out", "named"),
    [("--client-id", "--client-id"), ("--psp-id", "--psp-id"), ("--server-key", "--server-key")],
)
def test_an_option_that_no_app_knows_is_asked_for(
    left_out: str, named: str, caller_key: list[str]
) -> None:
    own = f"1={one_line(key('wallet').public_key())}"
    given = {"--client-id": CLIENT, "--psp-id": PSP, "--server-key": own}
    options = [word for name, value in given.items() if name != left_out for word in (name, value)]
    result = send(Flask("elsewhere"), *caller_key, "--url", "http://127.0.0.1:1", *options)
    assert result.exit_code == 2
    assert f"without an app that knows it, {named}" in result.output


def test_a_key_that_no_client_has_is_told(make_wallet: MakeWallet, tmp_path: Path) -> None:
    path = tmp_path / "unknown.pem"
    path.write_bytes(private_pem(key("wallet 2")))
    result = send(now(make_wallet()), "--key", str(path))
    assert result.exit_code == 2
    assert "no client of alipayplus has the public half of this key; name --client-id" in (
        result.output
    )


def test_an_app_that_does_not_serve_the_protocol_is_told(
    make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    ams = ["simulate", "ams", "init", *caller_key, "--id", "one", "--token", "tok-ada"]
    result = run(make_wallet().app, *ams)
    assert result.exit_code == 1
    assert "this app does not serve Ams; pass it to OtpMpp" in result.output
    bare = send(Flask("bare"), *caller_key)
    assert bare.exit_code == 1
    assert "this app has no OtpMpp" in bare.output


def test_the_keys_of_a_host_s_signer_are_asked_for(
    make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    """An HSM tells no public key."""
    signer = LocalSigner("kms-5", key("wallet 2"))
    wallet = make_wallet(options={"signer": signer}, OTP_MPP_PRIVATE_KEYS=None)
    result = send(now(wallet), *caller_key)
    assert (result.exit_code, "--server-key VERSION=KEY" in result.output) == (2, True)
    own = f"kms-5={one_line(key('wallet 2').public_key())}"
    assert send(wallet.app, *caller_key, "--server-key", own).exit_code == 0


def refused_signature(tamper: Tamper, app: Flask, caller_key: list[str]) -> dict[str, Any]:
    options = (*caller_key, "--tamper", tamper, "--expect", "INVALID_SIGNATURE", "--json")
    done = send(app, *options)
    assert done.exit_code == 0, done.output
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


@pytest.mark.parametrize(
    ("tamper", "signed", "verified"),
    [
        ("path", "sendOTP\n", "verifyOTP\n"),
        ("query", "\n", "?x=1\n"),
        ("body", '"}', '" }'),
    ],
)
def test_a_refused_signature_is_explained_by_what_the_wallet_verified(
    tamper: Tamper, signed: str, verified: str, make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    """G9: the first character that differs, in the string that was signed and in the other."""
    app = now(make_wallet())
    shown = refused_signature(tamper, app, caller_key)
    index = shown["first_difference"]
    assert shown["string_to_sign"][:index] == shown["string_verified"][:index]
    assert shown["string_to_sign"][index:].startswith(signed[:1] if tamper != "body" else "}")
    assert verified in shown["string_verified"]
    text = send(app, *caller_key, "--tamper", tamper).output
    assert f"another string; character {index + 1} is the first to differ:" in text
    *_, first, second, mark, _empty, _end = text.splitlines()
    column = mark.index("^")
    assert first[:column].removeprefix("  signed  ") == second[:column].removeprefix("  verified")


def test_a_host_that_changes_the_request_is_found(
    make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    """G11: what is compared is what the wallet has read, behind the host's middleware."""

    def finish(app: Flask) -> None:
        inner = app.wsgi_app

        def middleware(environ: dict[str, Any], start_response: Any) -> Any:
            environ["HTTP_REQUEST_TIME"] = environ["HTTP_REQUEST_TIME"].replace("T", "t")
            return inner(environ, start_response)

        app.wsgi_app = middleware  # type: ignore[method-assign]

    result = send(now(make_wallet(finish=finish)), *caller_key)
    assert "another string; character" in result.output
    assert f"{CLIENT}.{datetime.now(UTC):%Y-%m-%d}t" in result.output


def test_a_wrong_key_is_told_from_a_string_that_differs(
    make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    app = now(make_wallet())
    shown = refused_signature("key", app, caller_key)
    assert shown["first_difference"] is None
    assert shown["string_verified"] == shown["string_to_sign"]
    text = send(app, *caller_key, "--tamper", "key").output
    assert "verified the same string, so it is the key that differs" in text
    assert "string_verified" not in json.loads(send(app, *caller_key, "--json").stdout)


def test_a_string_that_ends_earlier_differs_at_its_end() -> None:
    assert "character 4 is the first" in explain("abc", "abcd")
    assert "character 4 is the first" in explain("abcd", "abc")


def test_what_the_host_prints_is_not_in_the_json(
    make_wallet: MakeWallet, caller_key: list[str]
) -> None:
    """G9: its hooks, and what it does around a request."""

    def deliver(user: User, message: Message) -> None:
        print(f"to {user.phone} by {Channel(message.channel)}")  # noqa: T201 - as hosts do

    def finish(app: Flask) -> None:
        app.before_request(lambda: print(request.path))  # noqa: T201

    app = now(make_wallet(sender=deliver, finish=finish))
    result = send(app, *caller_key, "--json")
    assert json.loads(result.stdout)["answer"]["body"]["result"]["resultCode"] == "SUCCESS"
    assert "to +86130ada" in result.stderr
    assert "/aps/api/v1/users/sendOTP" in result.stderr
