"""The acceptance mode provokes every result code, as the page for testers says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Flask

from flask_otp_mpp import AlipayPlus, Ams, GoogleStandardPayments, OtpMpp
from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.testing.contract.race import together
from flask_otp_mpp.web.doc_tables import code_rows
from flask_otp_mpp.web.trial import SLOW_SECONDS
from tests.ams import MERCHANT, SANDBOXED, open_shop
from tests.commands import run
from tests.protocols.google import sides
from tests.wallet import CLIENT, PSP, Wallet, key, open_wallet
from tests.web.google_wallet import GoogleWallet, open_google
from tests.web.test_google_cli import SEALED

PAGE: Final = (Path(__file__).parent.parent.parent / "docs/acceptance.md").read_text()
ROW: Final = re.compile(r"^\| (\w+) \| (`.*`) \|$", re.MULTILINE)
ROWS: Final = {
    section.partition("\n")[0]: [(code, re.findall("`(.*?)`", steps)) for code, steps in found]
    for section in PAGE.split("\n## ")
    if (found := ROW.findall(section))
}
SENDS: Final = {"send", "init"}


def cases(section: str) -> pytest.MarkDecorator:
    rows = ROWS[section]
    ids = [f"{code}-{number}" for number, (code, _) in enumerate(rows)]
    return pytest.mark.parametrize(("code", "steps"), rows, ids=ids)


def asked(app: Any, *command: str) -> dict[str, Any]:
    """Run a step of the simulator; return what it was answered."""
    done = run(app, "simulate", *command, "--json")
    shown = json.loads(done.stdout)
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = shown["answer"]
    return answer


@pytest.fixture(scope="module")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("alipay+", "merchant"):
        (folder / name).write_bytes(private_pem(key(name)))
    return {name: str(folder / name) for name in ("alipay+", "merchant")}


@pytest.fixture(scope="module")
def wallet() -> Iterator[Wallet]:
    opened = open_wallet(OTP_MPP_TRIAL=True)
    opened.clock.now = datetime.now(UTC)
    yield opened
    opened.close()


@cases("Alipay+")
@pytest.mark.alike(6)
def test_a_row_of_alipayplus_is_answered_with_its_code(
    code: str, steps: list[str], wallet: Wallet, key_files: dict[str, str]
) -> None:
    """O5: by the simulator, with a client of the sandbox; nothing is delivered."""
    who = ["--client-id", CLIENT, "--key", key_files["alipay+"], "--psp-id", PSP]
    sent, result = "", {}
    for step in steps:
        options = [sent if word == "ID" else word for word in step.split()]
        body = asked(wallet.app, *options, *who)["body"]
        sent, result = body.get("verifyRequestId", sent), body["result"]
    assert result["resultCode"] == code
    assert len(wallet.inbox) == 0


@pytest.fixture(scope="module")
def shop() -> Iterator[Wallet]:
    opened = open_shop(open_wallet, OTP_MPP_TRIAL=True, config={"TESTING": True}).wallet
    opened.clock.now = datetime.now(UTC)
    yield opened
    opened.close()


@cases("AMS")
@pytest.mark.alike(6)
def test_a_row_of_ams_is_answered_with_its_code(
    code: str, steps: list[str], shop: Wallet, key_files: dict[str, str]
) -> None:
    """O5: by the simulator, with a client of the sandbox."""
    who = ["--client-id", SANDBOXED, "--key", key_files["merchant"]]
    bodies = [asked(shop.app, "ams", *step.split(), *who)["body"] for step in steps]
    assert bodies[-1]["result"]["resultCode"] == code
    assert len(shop.inbox) == 0


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleWallet]:
    accounts = {"SANDBOX_gpay": sides.jose_wallet()}
    opened = open_google(accounts=accounts, testing=False, OTP_MPP_TRIAL=True)
    opened.clock.now = datetime.now(UTC)
    yield opened
    opened.close()


@cases("Google")
@pytest.mark.alike(6)
def test_a_row_of_google_is_answered_with_its_code(
    code: str, steps: list[str], google: GoogleWallet
) -> None:
    """O5: by the simulator, with an account of the sandbox."""
    answers = [asked(google.app, "google", *step.split(), *SEALED) for step in steps]
    last = answers[-1]
    if code.isdigit():
        assert (last["status"], last["payload"]) == (int(code), None)
        return
    payload = last["payload"]
    found = payload.get("result") or payload.get("errorResponseCode") or "SUCCESS"
    assert found == code
    assert len(google.inbox) == 0


@pytest.mark.parametrize(("section", "protocol"), [("Alipay+", AlipayPlus), ("AMS", Ams)])
def test_the_page_has_every_code_of_both_apis(
    section: str, protocol: type[AlipayPlus] | type[Ams]
) -> None:
    """O5: and no other one; a code of both APIs is shown for both."""
    shown = {(code, steps[-1].split()[0] in SENDS) for code, steps in ROWS[section]}
    assert shown == {
        (code, is_send)
        for code, _, send, verify, _ in code_rows(protocol)
        for is_send, listed in ((True, send), (False, verify))
        if listed
    }


def test_the_page_has_every_code_of_google() -> None:
    """O5: errors are the same for all methods; it tells how to see 409 and 413."""
    wanted = {
        status if code.startswith(("(", "INVALID_PAYLOAD")) else code
        for code, status, *_ in code_rows(GoogleStandardPayments)
    }
    # No media type is refused: a body that is not sealed does not open.
    assert wanted - {"409", "413", "415"} == {code for code, _ in ROWS["Google"]}


@pytest.mark.slow
def test_a_repeat_is_pending_while_a_slow_delivery_is_at_work() -> None:
    """O5: 409 of Google; a repeat of AMS waits three seconds, and is then answered U."""
    assert SLOW_SECONDS > 3
    wallet = open_google(OTP_MPP_TRIAL=True)

    def send() -> None:
        answer = wallet.google.send(None, associationId="TRIAL_SLOW", request_id="r")
        statuses.append(answer.response.status)

    statuses: list[int] = []
    together([send, send])
    assert statuses == [409, 200]
    send()
    assert statuses[-1] == 200
    wallet.close()


def test_the_mode_is_refused_where_a_caller_of_production_is_served() -> None:
    """F2: each such client is named; a hook for keys may know one."""
    production = {"5Y00000000000000": {"1": one_line(key("alipay+").public_key())}}
    with pytest.raises(ConfigurationError) as caught:
        open_wallet(OTP_MPP_TRIAL=True, OTP_MPP_ALIPAYPLUS_CLIENTS=production)
    assert "'OTP_MPP_TRIAL': is on, and '5Y00000000000000' is no client of the sandbox" in str(
        caught.value
    )
    with pytest.raises(ConfigurationError, match=f"is on, and '{MERCHANT}' is no client"):
        open_shop(open_wallet, OTP_MPP_TRIAL=True)
    accounts = {"gpay": sides.jose_wallet()}
    with pytest.raises(ConfigurationError, match="is on, and 'gpay' is no client of the sandbox"):
        open_google(accounts=accounts, testing=False, OTP_MPP_TRIAL=True)

    def add_hook(app: Flask, otp: OtpMpp) -> None:
        otp.client_key(lambda client, version: None)

    with pytest.raises(ConfigurationError, match=r"@otp\.client_key.* may know clients of pro"):
        open_wallet(OTP_MPP_TRIAL=True, prepare=add_hook)


@pytest.mark.parametrize("mode", ["DEBUG", "TESTING"])
def test_in_debug_and_testing_mode_any_client_may_use_it(mode: str) -> None:
    """F2: as on a developer's machine."""
    production = {"5Y00000000000000": {"1": one_line(key("alipay+").public_key())}}
    opened = open_wallet(
        OTP_MPP_TRIAL=True, OTP_MPP_ALIPAYPLUS_CLIENTS=production, config={mode: True}
    )
    caller = opened.calling(client_id="5Y00000000000000")
    assert caller.send("TRIAL_USER_MISSING").code == "USER_NOT_EXIST"


def test_it_is_warned_of_at_each_start(caplog: pytest.LogCaptureFixture) -> None:
    """F2: and only where it is on."""
    open_wallet()
    assert "OTP_MPP_TRIAL" not in caplog.text
    for starts in (1, 2):
        open_wallet(OTP_MPP_TRIAL=True)
        assert caplog.text.count("'OTP_MPP_TRIAL' is on: every client can use") == starts


def test_without_the_mode_its_credentials_are_the_hosts() -> None:
    """S3: they are texts like any other, and mean nothing."""
    opened = open_wallet()
    assert opened.send("TRIAL_USER").code == "INVALID_TOKEN"
    assert opened.send("TRIAL_ACCESS_DENIED").code == "INVALID_TOKEN"


def test_in_the_mode_users_of_the_host_are_served_as_ever() -> None:
    """S3, L11: they get a message, and no other code than that is right."""
    opened = open_wallet(OTP_MPP_TRIAL=True)
    request_id, code = opened.sent("tok-ada")
    if code != "123456":
        assert opened.caller.verify("tok-ada", request_id, "123456").code == "OTP_VERIFY_UNMATCHED"
    assert opened.caller.verify("tok-ada", request_id, code).code == "SUCCESS"
    assert opened.send("frozen").code == "USER_STATUS_ABNORMAL"


@pytest.mark.parametrize(
    "token",
    [
        "TRIAL_",
        "TRIAL_USERS",
        "TRIAL_NOBODY",
        "TRIAL_USER_",
        "TRIAL_USER_a b",
        "TRIAL_USER_" + "x" * 33,
    ],
)
def test_a_misspelt_credential_is_an_invalid_token(token: str) -> None:
    """S3: and the host's hook is not asked, which would not know it."""
    assert open_wallet(OTP_MPP_TRIAL=True).send(token).code == "INVALID_TOKEN"


@pytest.mark.parametrize("digits", [6, 10])
def test_the_code_has_as_many_digits_as_a_code(digits: int) -> None:
    """L11: the first ones of 1234567890; and each trial user has limits of its own."""
    opened = open_wallet(OTP_MPP_TRIAL=True, OTP_MPP_CODE_DIGITS=digits)
    for token in ("TRIAL_USER_a", "TRIAL_USER_b"):
        sent = opened.caller.send(token)
        assert sent.code == "SUCCESS"
        assert opened.caller.send(token).code == "OTP_SEND_TIMES_EXCEED_LIMIT"
        verified = opened.caller.verify(token, sent.verify_request_id, "1234567890"[:digits])
        assert verified.code == "SUCCESS"
