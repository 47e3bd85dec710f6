"""Commands of ``flask`` load an app without its secrets, and ask for what they need."""

from __future__ import annotations

import json
import stat
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from flask.cli import with_appcontext

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    Channel,
    ConfigurationError,
    GoogleStandardPayments,
    OtpMpp,
    PhoneNumber,
    state_of,
)
from flask_otp_mpp.core.users import AssociationId
from flask_otp_mpp.signing.keys import load_public_key, one_line, private_pem
from flask_otp_mpp.testing import Inbox
from flask_otp_mpp.web.cli import cli
from flask_otp_mpp.web.doc_tables import plain, setting_rows
from tests.commands import flask, run
from tests.wallet import Wallet, key, load_user, make_tables, open_wallet, settings

NO_SECRETS = {
    "OTP_MPP_PRIVATE_KEYS": None,
    "OTP_MPP_PEPPER": None,
    "OTP_MPP_STORE": None,
    "OTP_MPP_ALIPAYPLUS_CLIENTS": None,
    "OTP_MPP_ALIPAYPLUS_PSP_ID": None,
}


class Host:
    """A wallet's factory, with settings of the test's choosing."""

    def __init__(self, **changed: Any) -> None:
        self.config = settings(**changed)
        self.app: Flask | None = None

    def __call__(self) -> Flask:
        self.app = app = Flask("tests.host")
        app.config.update(self.config)
        otp = OtpMpp(AlipayPlus, Ams)
        otp.user_loader(load_user)
        otp.sender(Channel.MOBILE)(Inbox())
        otp.init_app(app)

        @app.cli.command("call")
        @with_appcontext
        def call() -> None:
            answer = app.test_client().post("/aps/api/v1/users/sendOTP")
            click.echo(f"answered {answer.status_code} {answer.data!r}")

        return app


@pytest.fixture
def bare() -> Host:
    """Return a wallet whose secrets are all missing."""
    return Host(**NO_SECRETS)


def test_the_routes_are_shown_without_secrets(bare: Host, caplog: pytest.LogCaptureFixture) -> None:
    """F2: one line tells what is missing."""
    result = flask(bare, "routes")
    assert result.exit_code == 0, result.output
    for path in ("/aps/api/v1/users/sendOTP", "/ams/sandbox/api/v1/users/initAuthentication"):
        assert path in result.stdout
    [warning] = caplog.messages
    assert all(name in warning for name in (*NO_SECRETS, "OTP_MPP_AMS_CLIENTS"))
    assert "no request is served" in warning


def test_the_routes_of_google_are_shown_without_the_other_secrets() -> None:
    """F2: an account is served where its path says."""

    def factory() -> Flask:
        app = Flask("tests.google")
        app.config.update(OTP_MPP_GOOGLE_ACCOUNTS={"gpay": {"envelope": "plain"}}, TESTING=True)
        otp = OtpMpp(GoogleStandardPayments)
        for kind in (PhoneNumber, AssociationId):
            otp.user_loader(kind)(load_user)
        otp.sender(Channel.MOBILE)(Inbox())
        otp.init_app(app)
        return app

    assert "/google/v1/sendOtp" in flask(factory, "routes").stdout


@pytest.mark.parametrize(
    "command", ["purge", "show ada", "unlock ada", "forget ada", "init-db", "upgrade-db"]
)
def test_a_command_names_what_it_misses_and_nothing_else(command: str, bare: Host) -> None:
    """F2: the store's settings, and not the pepper."""
    result = flask(bare, "otp-mpp", *command.split())
    assert result.exit_code == 1
    assert "flask-otp-mpp: 1 configuration error:\n  'OTP_MPP_STORE': is missing" in result.stderr
    assert "OTP_MPP_PEPPER': is" not in result.output


def test_the_store_is_prepared_and_purged_without_other_secrets(tmp_path: Path) -> None:
    """F2: as the job that migrates has only the database's password."""
    host = Host(**NO_SECRETS)
    host.config["OTP_MPP_STORE"] = f"sqlite:///{tmp_path}/otp.db"
    assert "/otp.db: created 4 tables: " in flask(host, "otp-mpp", "init-db").stdout
    purged = flask(host, "otp-mpp", "purge", "--json")
    assert json.loads(purged.stdout) == {"deleted": 0}
    unlocked = flask(host, "otp-mpp", "unlock", "ada", "--json")
    assert json.loads(unlocked.stdout)["unlocked"] is False


def test_a_purge_by_a_policy_at_fault_is_refused(tmp_path: Path) -> None:
    """T5: the defaults in its place could delete too early."""
    url = f"sqlite:///{tmp_path}/otp.db"
    make_tables(url)
    host = Host(OTP_MPP_RETENTION="long", OTP_MPP_STORE=url)
    result = flask(host, "otp-mpp", "purge")
    assert result.exit_code == 1
    assert "'OTP_MPP_RETENTION': found a text" in result.stderr
    assert flask(host, "otp-mpp", "unlock", "ada").exit_code == 0


@pytest.mark.parametrize("command", ["codes --served", "simulate send --key x --token y", "pubkey"])
def test_what_needs_the_app_as_it_serves_is_told_its_faults(
    command: str, bare: Host, tmp_path: Path
) -> None:
    path = tmp_path / "caller.pem"
    path.write_bytes(private_pem(key("alipay+")))
    result = flask(bare, "otp-mpp", *command.replace("--key x", f"--key {path}").split())
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "'OTP_MPP_PRIVATE_KEYS': is missing" in result.stderr


def test_an_app_with_faults_serves_nothing(bare: Host, caplog: pytest.LogCaptureFixture) -> None:
    """G9: a command that serves it nevertheless answers each request as unforeseen."""
    result = flask(bare, "call")
    assert result.stdout == "answered 503 b''\n"
    assert "ConfigurationError" in caplog.text
    result = flask(Host(OTP_MPP_PEPPER=None), "call")  # what can sign signs
    assert '"resultCode":"UNKNOWN_EXCEPTION"' in result.stdout


def test_all_else_that_is_asked_of_an_app_with_faults_is_there_or_raises(bare: Host) -> None:
    """F2: what no fault concerns can be used."""
    flask(bare, "routes")
    assert bare.app is not None
    state = state_of(bare.app)
    assert state.policy.digits == 6
    assert not hasattr(state, "nothing")
    for name in ("store", "public_keys"):
        with pytest.raises(ConfigurationError):
            getattr(state, name)


@pytest.mark.parametrize("arguments", [["run"], []])
def test_an_app_that_is_to_serve_does_not_start_with_faults(
    arguments: list[str], bare: Host
) -> None:
    """F2: ``flask run``, and every server that calls the factory."""
    if not arguments:
        with pytest.raises(ConfigurationError):
            bare()
        return
    result = flask(bare, *arguments)
    assert isinstance(result.exception, ConfigurationError)


@pytest.mark.parametrize("value", [False, "false"])
def test_an_app_can_be_switched_off(value: object, caplog: pytest.LogCaptureFixture) -> None:
    """F2: no routes, no secrets needed, and each that asks is told why."""
    host = Host(**NO_SECRETS)
    host.config["OTP_MPP_ENABLED"] = value
    app = host()
    assert caplog.messages == ["'OTP_MPP_ENABLED' is false: this app serves no OTP"]
    assert [rule.rule for rule in app.url_map.iter_rules()] == ["/static/<path:filename>"]
    assert app.test_client().post("/aps/api/v1/users/sendOTP").status_code == 404
    otp = OtpMpp(AlipayPlus)
    with app.app_context():
        for act in (otp.unlock, otp.forget):
            with pytest.raises(RuntimeError, match="'OTP_MPP_ENABLED' is false, so this app has"):
                act("ada")
    for command in ("purge", "init-db", "unlock ada", "codes --served", "pubkey"):
        result = flask(host, "otp-mpp", *command.split())
        assert result.exit_code == 1
        assert "Error: 'OTP_MPP_ENABLED' is false, so this app has no OTP" in result.stderr


def test_a_switch_that_is_neither_is_a_fault_beside_the_others() -> None:
    """F2: an app that was to be off does not go on."""
    with pytest.raises(ConfigurationError) as caught:
        open_wallet(OTP_MPP_ENABLED="no", OTP_MPP_PEPPER="short")
    assert {name for name, _ in caught.value.faults} == {"OTP_MPP_ENABLED", "OTP_MPP_PEPPER"}


@pytest.mark.parametrize("batch", ["0", "-5", "1.5", "100001", "many"])
def test_a_purge_takes_a_sensible_batch_only(batch: str, wallet: Wallet) -> None:
    """T5: none would never end."""
    result = run(wallet.app, "purge", "--batch", batch)
    assert result.exit_code == 2
    assert "Invalid value for '--batch'" in result.output


@pytest.mark.parametrize("command", ["show", "unlock", "forget"])
@pytest.mark.parametrize("subject", ["", "x" * 129, "\udcff"])
@pytest.mark.alike(4)
def test_a_name_that_no_user_can_have_is_refused(
    command: str, subject: str, wallet: Wallet
) -> None:
    """F2: bytes that are no UTF-8 too, as a shell may pass them."""
    result = run(wallet.app, command, subject)
    assert result.exit_code == 2
    assert "a user's name has 1 to 128 characters in UTF-8" in result.output


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        words = (*path, name)
        yield " ".join(words), command
        if isinstance(command, click.Group):
            yield from commands(command, *words)


COMMANDS = dict(commands(cli))


def test_every_number_of_every_command_has_bounds() -> None:
    """F2: what is out of them is an error of usage."""
    for name, command in COMMANDS.items():
        for option in command.params:
            if isinstance(option.type, type(click.INT) | type(click.FLOAT)):
                bounded = isinstance(option.type, click.IntRange | click.FloatRange)
                assert bounded, f"{name} {option.name}"


def test_an_option_has_one_meaning_in_all_commands() -> None:
    """F2: --token is a user's access token, wherever it is."""
    meanings = defaultdict(set)
    for command in COMMANDS.values():
        for option in command.params:
            if isinstance(option, click.Option):
                first = (option.help or "").partition(". ")[0].partition(":")[0].rstrip(".")
                meanings[option.opts[0]].add(first)
    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}
    assert meanings["--token"] == {"The user's access token"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.alike(5)
def test_every_command_explains_itself(command: str) -> None:
    """F2: an example that calls this command, and what its exit status means."""
    shown = run(Flask("any"), *command.split(), "--help").output
    assert f"otp-mpp {command}" in shown.partition("Examples:")[2]
    assert "Exit status: " in shown


def test_pubkey_prints_the_public_half_of_a_file(tmp_path: Path) -> None:
    """G12: as one line to upload; no private part is in it."""
    path = tmp_path / "wallet.pem"
    path.write_bytes(private_pem(key("wallet")))
    result = run(Flask("any"), "pubkey", str(path))
    assert result.stdout.count("\n") == 1
    assert load_public_key(result.stdout.strip()) == key("wallet").public_key()
    shown = json.loads(run(Flask("any"), "pubkey", str(path), "--json").stdout)
    assert shown == {"public_key": one_line(key("wallet").public_key())}


def test_pubkey_prints_the_public_set_of_a_jwk_set(tmp_path: Path) -> None:
    path = tmp_path / "ours.jwks"
    made = run(Flask("any"), "keygen", "--jwks", "w", "--out", str(path))
    shown = run(Flask("any"), "pubkey", str(path))
    by_kid = [{one["kid"]: one for one in json.loads(r.stdout)["keys"]} for r in (made, shown)]
    assert by_kid[0] == by_kid[1]


def test_pubkey_prints_the_keys_of_the_app_by_version() -> None:
    """As ``simulate --server-key`` takes them."""
    keys = {"2": private_pem(key("wallet")).decode()}
    host = Host(OTP_MPP_PRIVATE_KEYS=keys, OTP_MPP_PEPPER=None)
    result = flask(host, "otp-mpp", "pubkey")
    assert result.stdout == f"2={one_line(key('wallet').public_key())}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nothing", "is neither a file that exists"),
        (b"{}", "holds a key without 'kid'"),
        (b"[]", "holds no key"),
        (one_line(key("wallet").public_key()).encode(), "this is a public key"),
    ],
)
def test_pubkey_says_what_is_no_private_key(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(stat.S_IRUSR)
    result = run(Flask("any"), "pubkey", str(path))
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("width", [60, 80, 120])
def test_settings_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """O4: every word is there, and no line is longer."""
    monkeypatch.setattr("flask_otp_mpp.web.cli.tables.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run(Flask("any"), "settings").stdout
    assert max(map(len, shown.splitlines())) <= width
    assert shown.split() == [
        word
        for name, kind, default, meaning in setting_rows()
        for word in f"{name} value: {kind} default: {default} meaning: {meaning}".split()
    ]


def test_settings_keep_their_table_in_a_pipe_and_where_they_fit() -> None:
    """O4: so that grep finds a key with its meaning."""
    shown = run(Flask("any"), "settings").stdout
    assert len(shown.splitlines()) == len(setting_rows()) + 1
    head, rows = ("a", "b"), [("one", "two words")]
    assert plain(head, rows, 14) == plain(head, rows) == "a    b\none  two words"
    assert plain(head, rows, 13) == "one\n  b: two\n     words"


def test_commands_on_a_store_print_json_only(wallet: Wallet) -> None:
    """O4: what the host's factory prints goes to the standard error."""

    def factory() -> Flask:
        print("the wallet starts")  # noqa: T201 - as hosts do
        return wallet.app

    for command in ("purge", "show ada", "unlock ada", "forget ada", "codes --served"):
        result = flask(factory, "otp-mpp", *command.split(), "--json")
        json.loads(result.stdout)
        assert "the wallet starts" in result.stderr
