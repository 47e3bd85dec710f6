"""The command line plays a merchant too, inside the app or against a running wallet."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from flask_otp_mpp.signing.keys import one_line, private_pem
from tests.ams import MERCHANT, SANDBOXED, open_shop
from tests.commands import run
from tests.servers import serving
from tests.wallet import Wallet, key

MakeWallet = Callable[..., Wallet]


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    path = tmp_path / "merchant.pem"
    path.write_bytes(private_pem(key("merchant")))
    return ["--key", str(path), "--id", "one"]


@pytest.mark.parametrize(
    ("client", "prefix"),
    [(MERCHANT, "/ams/api/v1/users"), (SANDBOXED, "/ams/sandbox/api/v1/users")],
)
def test_simulate_plays_a_merchants_round_inside_the_app(
    client: str, prefix: str, make_wallet: MakeWallet, options: list[str]
) -> None:
    """G9: init, its repeat, a verification; the path follows from the client."""
    shop = open_shop(make_wallet, store="sqlite")
    shop.wallet.clock.now = datetime.now(UTC)
    who = ["--client-id", client, *options]
    for _ in range(2):
        sent = run(shop.wallet.app, "simulate", "ams", "init", *who, "--token", "tok-ada")
        assert sent.exit_code == 0, sent.output
        for part in (
            f"POST {prefix}/initAuthentication",
            '"resultCode":"SUCCESS"',
            '"authenticationRequestId":"one"',
            "The answer's signature holds.",
        ):
            assert part in sent.output
    assert len(shop.wallet.inbox) == 1
    code = ["--code", shop.wallet.inbox.code]
    verified = run(shop.wallet.app, "simulate", "ams", "verify", *who, *code, "--json")
    shown = json.loads(verified.stdout)
    assert shown["signature_holds"] is True
    assert shown["request"]["uri"] == f"{prefix}/verifyAuthentication"
    assert json.loads(shown["answer"]["body"])["isPassed"] is True


def test_simulate_does_wrong_as_a_merchant_against_a_running_wallet(
    make_wallet: MakeWallet, options: list[str]
) -> None:
    """G9: and believes only the key that it was given."""
    shop = open_shop(make_wallet)
    shop.wallet.clock.now = datetime.now(UTC)
    who = ["--client-id", MERCHANT, *options, "--token", "tok-ada", "--channel", "EMAIL"]
    with serving(shop.wallet.app) as url:
        there = ["simulate", "ams", "init", *who, "--url", url, "--server-key"]
        own, stranger = (f"1={one_line(key(n).public_key())}" for n in ("wallet", "wallet 2"))
        forged = run(Flask("elsewhere"), *there, own, "--tamper", "path")
        misplaced = run(Flask("elsewhere"), *there, own, "--prefix", "/ams/sandbox/api/v1/users")
        good = run(Flask("elsewhere"), *there, own)
        doubted = run(Flask("elsewhere"), *there, stranger)
    assert '"resultCode":"SIGNATURE_INVALID"' in forged.output
    assert '"resultCode":"ACCESS_DENIED"' in misplaced.output
    assert '"resultCode":"SUCCESS"' in good.output
    assert [result.exit_code for result in (forged, misplaced, good, doubted)] == [0, 0, 0, 1]
    assert "DOES NOT HOLD" in doubted.output
    assert [message.channel for _, message in shop.wallet.inbox.received] == ["EMAIL"]


def test_the_codes_of_both_protocols_are_listed() -> None:
    """O5: the same reason, two names for it."""
    listed = json.loads(run(Flask("any"), "codes", "--json").stdout)
    codes = {row["protocol"]: row["code"] for row in listed if row["reason"] == "SEND_LIMITED"}
    assert codes["alipayplus"] == "OTP_SEND_TIMES_EXCEED_LIMIT"
    assert codes["ams"] == "PROCESS_FAIL"
    tables = run(Flask("any"), "codes", "--markdown").output
    assert "`AUTHENTICATION_REQUEST_ID_INVALID` | F |  | x |" in tables
    assert "`VERIFY_REQUEST_ID_INVALID` | F |  | x |" in tables
