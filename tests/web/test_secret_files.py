"""Secrets in files: read at start, kept out of app.config, and watched for their permissions."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp import ConfigurationError, SQLAlchemyStore
from flask_otp_mpp.signing import generate_jwk_sets
from flask_otp_mpp.signing.keys import one_line, private_pem
from tests.protocols.google import sides
from tests.wallet import CLIENT, PEPPER, Wallet, key, open_wallet
from tests.web.google_wallet import open_google


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """Let new files be readable by everybody, unless their maker says otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def written(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return f"file:{path}"


def findings(**changed: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        open_wallet(**changed)
    return str(caught.value)


def test_no_secret_is_in_the_configuration_if_all_are_in_files(
    tmp_path: Path, make_wallet: Callable[..., Wallet]
) -> None:
    """X7: codes that were digested under the text itself are verified, and a new key signs."""
    pem, database = private_pem(key("wallet")).decode(), f"sqlite:///{tmp_path / 'otp.db'}"
    before = make_wallet(store="sqlite")
    request_id, code = before.sent()
    wallet = make_wallet(
        OTP_MPP_PEPPER=[written(tmp_path / "pepper", f"{PEPPER}\n")],
        OTP_MPP_PRIVATE_KEYS={"1": written(tmp_path / "key.pem", pem)},
        OTP_MPP_STORE=written(tmp_path / "url", f"{database}\n"),
        OTP_MPP_LIMITER_STORAGE=written(tmp_path / "limits", "memory://"),
        OTP_MPP_ALIPAYPLUS_CLIENTS={
            CLIENT: {"1": written(tmp_path / "alipay", one_line(key("alipay+").public_key()))}
        },
    )
    wallet.clock.forward(seconds=61)
    assert wallet.caller.verify("tok-ada", request_id, code).code == "SUCCESS"
    shown = repr(dict(wallet.app.config))
    for secret in (PEPPER, database, "memory://", *pem.splitlines()[1:-1]):
        assert secret not in shown


def test_a_file_is_read_anew_at_each_start(tmp_path: Path) -> None:
    """X7: a secret is changed in its file, without a change of the configuration."""
    pepper = written(tmp_path / "pepper", "")
    for text, starts in [("short", False), ("x" * 32, True), ("x" * 31 + "\n", False)]:
        (tmp_path / "pepper").write_text(text)
        if starts:
            open_wallet(OTP_MPP_PEPPER=pepper)
        else:
            assert "'OTP_MPP_PEPPER': is too short" in findings(OTP_MPP_PEPPER=pepper)


@pytest.mark.parametrize("setting", ["OTP_MPP_PEPPER", "OTP_MPP_STORE", "OTP_MPP_LIMITER_STORAGE"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "can't be read (No such file or directory)"),
        (b"", "is empty; write the secret into it"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "can't be read (UnicodeDecodeError)"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_with_the_cause(
    setting: str, content: bytes | None, told: str, tmp_path: Path
) -> None:
    """F2: which file, and why."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    assert f"{setting!r}: file {str(path)!r} {told}" in findings(**{setting: f"file:{path}"})


def test_a_key_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """F2: also where a path without file: is taken."""
    path = tmp_path / "no.pem"
    told = findings(OTP_MPP_PRIVATE_KEYS={"1": f"file:{path}"})
    assert f"key '1': file {str(path)!r} does not exist" in told


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604, 0o644, 0o602])
def test_a_secret_that_others_can_read_is_warned_of(
    mode: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """G12: pepper, keys, URLs and the database; the group may read them."""
    url = f"sqlite:///{tmp_path / 'otp.db'}"
    SQLAlchemyStore(url).create_tables()
    (tmp_path / "otp.db").chmod(mode)
    settings: dict[str, Any] = {
        "OTP_MPP_PEPPER": written(tmp_path / "pepper", PEPPER, mode),
        "OTP_MPP_PRIVATE_KEYS": {
            "7": written(tmp_path / "key.pem", private_pem(key("wallet")).decode(), mode)
        },
        "OTP_MPP_STORE": written(tmp_path / "url", url, mode),
        "OTP_MPP_LIMITER_STORAGE": written(tmp_path / "limits", "memory://", mode),
    }
    open_wallet(**settings).close()
    warned = [text for text in caplog.messages if "everybody on this machine" in text]
    exposed = mode & (stat.S_IROTH | stat.S_IWOTH)
    names = ["'pepper'", "of key '7'", "'url'", "'limits'", "'otp.db'"] if exposed else []
    assert len(warned) == len(names)
    for name in names:
        assert any(f"{name}; chmod 600 it" in text for text in warned), name


@pytest.mark.parametrize("reference", ["file:", ""])
def test_a_jwk_set_that_others_can_read_is_warned_of(
    reference: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """G12: our private set, by its account; Google's public one may be read."""
    ours, _ = generate_jwk_sets("wallet")
    _, theirs = generate_jwk_sets("google")
    written(tmp_path / "ours.jwks", ours, 0o644)
    written(tmp_path / "theirs.jwks", theirs, 0o644)
    account = {
        "envelope": "jose",
        "our_keys": [f"{reference}{tmp_path / 'ours.jwks'}"],
        "their_keys": f"{reference}{tmp_path / 'theirs.jwks'}",
    }
    open_google(accounts={"gpay": account})
    warned = [text for text in caplog.messages if "everybody on this machine" in text]
    assert len(warned) == 1
    assert "the file 'ours.jwks' with keys of account 'gpay'; chmod 600 it" in warned[0]


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite:///file:{}?uri=true"])
def test_the_files_of_a_database_are_their_owners_from_the_first_moment(
    form: str, tmp_path: Path
) -> None:
    """X11: the database, its -wal and its -shm; SQLite never opens a file that it has to make."""
    path = tmp_path / "otp.db"
    store = SQLAlchemyStore(form.format(path))
    store.create_tables()
    with store.engine.begin() as db:
        db.exec_driver_sql("CREATE TABLE another (id INTEGER)")
        files = sorted(tmp_path.iterdir())
        assert [file.name for file in files] == ["otp.db", "otp.db-shm", "otp.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    store.engine.dispose()


def test_a_database_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "otp.db"
    path.touch()
    path.chmod(0o640)
    store = SQLAlchemyStore(f"sqlite:///{path}")
    store.create_tables()
    store.engine.dispose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_account_without_signatures_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """G12: mutual TLS is then the only proof, and only the host can see it."""
    caplog.set_level(logging.WARNING)
    for signed in (True, False):
        caplog.clear()
        open_google(accounts={"gpay": {**sides.jose_wallet(), "signed": signed}})
        assert ("account 'gpay' has 'signed': false" in caplog.text) is not signed
