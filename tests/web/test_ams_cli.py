"""``flask otp-mpp simulate ams``: calls of a merchant, inside the app or to a running wallet."""

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
def test_simulate_ams_sends_and_verifies_inside_the_app(
    client: str, prefix: str, make_wallet: MakeWallet, options: list[str]
) -> None:
    """G9: init, its repeat, and verify; the path follows from the client id."""
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
    assert shown["answer"]["body"]["isPassed"] == "true"


def test_simulate_ams_sends_faults_to_a_running_wallet(
    make_wallet: MakeWallet, options: list[str]
) -> None:
    """G9: and accepts only answers that are signed by the given key."""
    shop = open_shop(make_wallet)
    shop.wallet.clock.now = datetime.now(UTC)
    who = ["--client-id", MERCHANT, *options, "--token", "tok-ada", "--channel", "EMAIL"]
    with serving(shop.wallet.app) as url:
        command = ["simulate", "ams", "init", *who, "--url", url, "--server-key"]
        own, other_key = (f"1={one_line(key(n).public_key())}" for n in ("wallet", "wallet 2"))
        forged = run(Flask("elsewhere"), *command, own, "--tamper", "path")
        misplaced = run(Flask("elsewhere"), *command, own, "--prefix", "/ams/sandbox/api/v1/users")
        good = run(Flask("elsewhere"), *command, own)
        unverified = run(Flask("elsewhere"), *command, other_key)
    assert '"resultCode":"SIGNATURE_INVALID"' in forged.output
    assert '"resultCode":"ACCESS_DENIED"' in misplaced.output
    assert '"resultCode":"SUCCESS"' in good.output
    assert [result.exit_code for result in (forged, misplaced, good, unverified)] == [0, 0, 0, 1]
    assert "DOES NOT HOLD" in unverified.output
    assert [message.channel for _, message in shop.wallet.inbox.received] == ["EMAIL"]


def test_the_codes_of_both_protocols_are_listed() -> None:
    """O5: the same reason has a code in each protocol."""
    listed = json.loads(run(Flask("any"), "codes", "--json").stdout)
    codes = {row["protocol"]: row["code"] for row in listed if row["reason"] == "SEND_LIMITED"}
    assert codes["alipayplus"] == "OTP_SEND_TIMES_EXCEED_LIMIT"
    assert codes["ams"] == "PROCESS_FAIL"
    tables = run(Flask("any"), "codes", "--markdown").output
    assert "`AUTHENTICATION_REQUEST_ID_INVALID` | F |  | x |" in tables
    assert "`VERIFY_REQUEST_ID_INVALID` | F |  | x |" in tables
