"""The commands of ``flask otp-mpp``: keys, the store, tables, and calls of Alipay+."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from flask_otp_mpp import AlipayPlus, Reason, SQLAlchemyStore
from flask_otp_mpp.signing.keys import load_private_key, load_public_key, one_line, private_pem
from flask_otp_mpp.stores.sql.schema import REVISION, VERSION_TABLE, metadata
from flask_otp_mpp.web.doc_tables import PROTOCOLS
from tests.commands import run
from tests.servers import serving
from tests.wallet import CLIENT, PSP, Wallet, key

MakeWallet = Callable[..., Wallet]


@pytest.fixture
def broken_app() -> Flask:
    """Return an app that can't start yet."""

    class Broken(Flask):
        def app_context(self) -> Iterator[None]:  # type: ignore[override]
            raise RuntimeError("not configured yet")

    return Broken(__name__)


def call_options(tmp_path: Path) -> list[str]:
    path = tmp_path / "alipay.pem"
    path.write_bytes(private_pem(key("alipay+")))
    return ["--client-id", CLIENT, "--key", str(path), "--psp-id", PSP, "--token", "tok-ada"]


@contextmanager
def working_directory(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.mark.parametrize("bits", [2048, 3072])
def test_keygen_makes_a_key_for_its_owner_only(
    bits: int, tmp_path: Path, broken_app: Flask
) -> None:
    """G12: mode 0600 from the start; the printed line is the public key."""
    path = tmp_path / "own.pem"
    result = run(broken_app, "keygen", "--bits", str(bits), "--out", str(path))
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    private = load_private_key(str(path))
    assert private.key_size == bits
    assert load_public_key(result.stdout.strip()) == private.public_key()
    assert "PRIVATE" not in result.output


def test_keygen_overwrites_nothing(tmp_path: Path, broken_app: Flask) -> None:
    """G12: a lost key is worse than a refused command."""
    path = tmp_path / "own.pem"
    path.write_text("precious")
    result = run(broken_app, "keygen", "--out", str(path))
    assert result.exit_code == 1
    assert "is not overwritten" in result.output
    assert path.read_text() == "precious"
    nowhere = run(broken_app, "keygen", "--out", str(tmp_path / "no" / "dir.pem"))
    assert nowhere.exit_code == 1
    assert "can't be written: No such file or directory" in nowhere.output


def test_keygen_prints_json(tmp_path: Path, broken_app: Flask) -> None:
    with working_directory(tmp_path):
        result = run(broken_app, "keygen", "--json")
    made = json.loads(result.stdout)
    assert (made["private_key"], made["bits"]) == ("otp-mpp-private.pem", 2048)
    assert load_public_key(made["public_key"]).key_size == 2048


def test_init_db_creates_the_tables(make_wallet: MakeWallet) -> None:
    wallet = make_wallet(store="sqlite")
    store = wallet.state.store
    assert isinstance(store, SQLAlchemyStore)
    with store.engine.begin() as db:
        for table in ("challenges", "requests", "user_limits"):
            db.exec_driver_sql(f"DROP TABLE otp_mpp_{table}")
    assert wallet.send().code == "UNKNOWN_EXCEPTION"
    failed = run(wallet.app, "purge")
    assert failed.exit_code == 1
    assert "flask otp-mpp init-db" in failed.output
    place = store.engine.url.render_as_string()
    assert run(wallet.app, "init-db").output == (
        f"{place}: created 3 tables: otp_mpp_challenges, otp_mpp_requests, otp_mpp_user_limits.\n"
    )
    again = run(wallet.app, "init-db")
    assert again.output == f"{place}: nothing to do, the tables are of revision {REVISION}.\n"
    assert again.exit_code == 0
    assert wallet.send("tok-bob").code == "SUCCESS"


def test_init_db_says_that_older_tables_need_an_upgrade(make_wallet: MakeWallet) -> None:
    """F2: tables of an older release are upgraded by another command, not created again."""
    wallet = make_wallet(store="sqlite")
    store = wallet.state.store
    assert isinstance(store, SQLAlchemyStore)
    with store.engine.begin() as db:
        db.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
    result = run(wallet.app, "init-db")
    assert result.exit_code == 1
    assert "revision 0000" in result.output
    assert "flask otp-mpp upgrade-db" in result.output


def test_memory_needs_no_tables(wallet: Wallet) -> None:
    assert run(wallet.app, "init-db").output == "MemoryStore needs no tables.\n"


def test_purge_deletes_expired_rows_and_prints_how_many(make_wallet: MakeWallet) -> None:
    """T5: and none that can still change an answer."""
    wallet = make_wallet(store="sqlite")
    wallet.sent()
    assert json.loads(run(wallet.app, "purge", "--json").stdout) == {"deleted": 0}
    wallet.clock.forward(days=2)
    request_id, code = wallet.sent("tok-bob")
    result = run(wallet.app, "purge", "--batch", "1")
    assert result.output == "3 rows deleted.\n"
    assert wallet.caller.verify("tok-bob", request_id, code).code == "SUCCESS"


def test_codes_lists_every_reason(broken_app: Flask) -> None:
    """O5: for people in columns, for machines as JSON."""
    listed = json.loads(run(broken_app, "codes", "--json").stdout)
    assert {(row["protocol"], row["reason"]): row["code"] for row in listed} == {
        (protocol.name, reason.name): protocol.codes[reason].code
        for protocol in PROTOCOLS
        for reason in Reason
    }
    lines = run(broken_app, "codes").output.splitlines()
    assert len(lines) == len(PROTOCOLS) * len(Reason) + 1
    assert lines[0].split() == ["protocol", "reason", "code", "status", "message"]


def test_codes_lists_what_the_app_answers(make_wallet: MakeWallet) -> None:
    """O5: the codes that its settings choose, of the protocols that it serves."""
    wallet = make_wallet(OTP_MPP_ALIPAYPLUS_CODES={"PSP_UNKNOWN": "PARAM_ILLEGAL"})
    listed = json.loads(run(wallet.app, "codes", "--served", "--json").stdout)
    answered = {row["reason"]: row["code"] for row in listed}
    usual = {reason.name: AlipayPlus.codes[reason].code for reason in Reason}
    assert answered == {**usual, "PSP_UNKNOWN": "PARAM_ILLEGAL"}
    assert {row["protocol"] for row in listed} == {"alipayplus"}


def test_settings_lists_every_key(broken_app: Flask) -> None:
    """O4: for people in columns, for machines as JSON."""
    listed = json.loads(run(broken_app, "settings", "--json").stdout)
    assert {"OTP_MPP_PEPPER", "OTP_MPP_ALIPAYPLUS_PSP_ID"} <= {row["key"] for row in listed}
    assert "OTP_MPP_STORE" in run(broken_app, "settings").output


def test_simulate_sends_and_verifies_inside_the_app(
    make_wallet: MakeWallet, tmp_path: Path
) -> None:
    """G9: it prints string to sign, request, answer, and whether the signature is valid."""
    wallet = make_wallet(store="sqlite")
    wallet.clock.now = datetime.now(UTC)
    options = call_options(tmp_path)
    sent = run(wallet.app, "simulate", "send", *options)
    assert sent.exit_code == 0, sent.output
    for part in (
        "POST /aps/api/v1/users/sendOTP",
        "String to sign",
        '"resultCode":"SUCCESS"',
        "The answer's signature holds.",
    ):
        assert part in sent.output
    request_id = sent.output.rpartition('"verifyRequestId":"')[2].split('"')[0]
    verified = run(
        wallet.app,
        *("simulate", "verify", *options, "--id", request_id, "--code", wallet.inbox.code),
        "--json",
    )
    shown = json.loads(verified.stdout)
    assert shown["signature_holds"] is True
    assert shown["answer"]["body"]["result"]["resultCode"] == "SUCCESS"
    assert shown["request"]["body"]["accessToken"] == "tok-ada"
    assert shown["string_to_sign"].endswith(json.dumps(shown["request"]["body"]))


def test_simulate_calls_a_running_wallet(make_wallet: MakeWallet, tmp_path: Path) -> None:
    """G9: without the app; only the wallet's public key is needed to check its answer."""
    wallet = make_wallet(store="sqlite")
    wallet.clock.now = datetime.now(UTC)
    own = one_line(key("wallet").public_key())
    other_key = one_line(key("wallet 2").public_key())
    options = call_options(tmp_path)
    with serving(wallet.app) as url:
        command = ["simulate", "send", *options, "--url", url]
        good = run(Flask("elsewhere"), *command, "--server-key", f"1={own}")
        forged = run(
            Flask("elsewhere"), *command, "--server-key", f"1={own}", "--tamper", "signature"
        )
        unverified = run(Flask("elsewhere"), *command, "--server-key", f"1={other_key}")
        unknown = run(Flask("elsewhere"), *command)
    assert good.exit_code == 0
    assert '"resultCode":"SUCCESS"' in good.output
    assert forged.exit_code == 0
    assert '"resultCode":"INVALID_SIGNATURE"' in forged.output
    assert unverified.exit_code == 1
    assert "DOES NOT HOLD" in unverified.output
    assert unknown.exit_code == 2
    assert "--server-key" in unknown.output


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:5000", "http://127.0.0.1/prefix"])
def test_simulate_reports_a_url_that_it_can_not_use(url: str, tmp_path: Path) -> None:
    options = [*call_options(tmp_path), "--server-key", f"1={one_line(key('wallet').public_key())}"]
    result = run(Flask("elsewhere"), "simulate", "send", *options, "--url", url)
    assert result.exit_code == 1
    assert "no http or https URL without a path" in result.output


def test_simulate_reports_a_client_id_that_no_client_can_have(tmp_path: Path) -> None:
    """X3, F2: in place of a traceback."""
    options = [*call_options(tmp_path), "--client-id", "a.b"]
    result = run(Flask("elsewhere"), "simulate", "send", *options)
    assert result.exit_code == 1
    assert "--client-id is 'a.b'; it has 1 to 64 letters" in result.output


@pytest.mark.slow
def test_the_commands_are_a_plugin_of_flask() -> None:
    """F2: an installed `flask` finds them, without an app."""
    result = subprocess.run(
        [sys.executable, "-m", "flask", "otp-mpp", "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(sys.executable).parent,
    )
    assert result.returncode == 0, result.stderr
    assert {"keygen", "init-db", "purge", "codes", "simulate"} <= set(result.stdout.split())


def test_unlock_prints_whether_there_was_anything_to_remove(make_wallet: MakeWallet) -> None:
    """O5: for people and for machines."""
    wallet = make_wallet(store="sqlite")
    request_id, _ = wallet.sent()
    wallet.caller.verify("tok-ada", request_id, "000000")
    nothing = {"unlocked": False, "locks": [], "failures": 0, "sends": 0}
    for expected in ({**nothing, "unlocked": True, "failures": 1}, nothing):
        assert json.loads(run(wallet.app, "unlock", "ada", "--json").stdout) == expected
    assert run(wallet.app, "unlock", "ada").output == "The user had no lock or failures.\n"


def test_forget_prints_whether_there_was_anything_to_delete(make_wallet: MakeWallet) -> None:
    """X9: for people and for machines; the code that is out is not accepted any more."""
    wallet = make_wallet(store="sqlite")
    request_id, code = wallet.sent()
    assert json.loads(run(wallet.app, "forget", "ada", "--json").stdout) == {"forgotten": True}
    assert json.loads(run(wallet.app, "forget", "ada", "--json").stdout) == {"forgotten": False}
    assert run(wallet.app, "forget", "ada").output == "Nothing was stored of the user.\n"
    answer = wallet.caller.verify("tok-ada", request_id, code)
    assert answer.code == "VERIFY_REQUEST_ID_INVALID"
    wallet.sent()
    assert run(wallet.app, "forget", "ada").output == "The user is forgotten.\n"


def test_a_store_that_fails_is_told_by_each_command(make_wallet: MakeWallet) -> None:
    """F2: with what to check."""
    wallet = make_wallet(store="sqlite")
    store = wallet.state.store
    assert isinstance(store, SQLAlchemyStore)
    metadata.drop_all(store.engine)
    for command in ("purge", "show ada", "unlock ada", "forget ada"):
        result = run(wallet.app, *command.split())
        assert result.exit_code == 1
        assert "check OTP_MPP_STORE, and that `flask otp-mpp init-db` created" in result.output


def test_a_host_unlocks_and_forgets_users_itself(make_wallet: MakeWallet) -> None:
    """A5, X9: by methods of the extension, for the current app."""
    wallet = make_wallet()
    request_id, _ = wallet.sent()
    wallet.caller.verify("tok-ada", request_id, "000000")
    with wallet.app.app_context():
        assert [wallet.otp.unlock("ada") for _ in range(2)] == [True, False]
        assert [wallet.otp.forget("ada") for _ in range(2)] == [True, False]
    with pytest.raises(RuntimeError):
        wallet.otp.forget("ada")
    with Flask("another").app_context(), pytest.raises(RuntimeError, match="has no OtpMpp"):
        wallet.otp.unlock("ada")
