"""An instance folder is filled once, readable by its owner only; commands change it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from example_app import create_app, instance
from flask_otp_mpp import ConfigurationError

Wallet = Callable[..., Result]


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in instance.FILES}


@pytest.mark.slow
def test_an_app_without_an_instance_makes_one_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_app(str(tmp_path / "new"))
    said = capsys.readouterr().err
    assert said.startswith("Made a new wallet in ")
    assert all(name in said for name in instance.FILES)


def test_an_app_with_an_instance_makes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(home)
    create_app(str(home))
    assert capsys.readouterr().err == ""
    assert contents(home) == before


def test_only_the_owner_may_read_what_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    instance.fill(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in instance.FILES}
    assert set(modes.values()) == {0o600}, modes


def test_a_broken_off_filling_is_completed_and_keeps_its_keys(home: Path) -> None:
    key = (home / "wallet.pem").read_bytes()
    for name in ("config.py", "otp.db", "wallet.db"):
        (home / name).unlink()
    assert instance.fill(home) == ["wallet.db", "otp.db", "config.py"]
    assert (home / "wallet.pem").read_bytes() == key


def test_a_moved_instance_is_still_one(home: Path, tmp_path: Path) -> None:
    app = create_app(str(shutil.move(home, tmp_path / "a new place")))
    assert app.test_client().get("/phone.json").get_json() == []


def test_no_two_instances_share_a_secret(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    instance.fill(other)
    for name in (
        "wallet.pem",
        "alipayplus.pem",
        "merchant.pem",
        "wallet.jwks",
        "google.jwks",
        "config.py",
    ):
        assert (home / name).read_bytes() != (other / name).read_bytes()


def test_the_environment_wins_over_the_configuration(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_OTP_MPP_CODE_DIGITS", "3")
    with pytest.raises(ConfigurationError, match="OTP_MPP_CODE_DIGITS"):
        create_app(str(home))


def test_setup_may_be_repeated(home: Path, wallet: Wallet) -> None:
    before = contents(home)
    for _ in range(2):
        result = wallet("setup")
        assert result.exit_code == 0
        assert "is ready" in result.output
    assert contents(home) == before


def test_a_fresh_setup_makes_all_anew_and_leaves_other_files(home: Path, wallet: Wallet) -> None:
    (home / "notes.txt").write_text("mine")
    before = contents(home)
    result = wallet("setup", "--fresh")
    assert result.exit_code == 0
    assert "Made anew" in result.output
    after = contents(home)
    assert all(before[name] != after[name] for name in ("wallet.pem", "config.py"))
    assert (home / "notes.txt").read_text() == "mine"


def test_users_lists_every_kind_of_user(wallet: Wallet) -> None:
    wallet("revoke", "nora")
    lines = dict(line.split(maxsplit=1) for line in wallet("users").output.splitlines())
    assert lines == {
        "ada": "active, +63 917 555 0101, ada@mail.example",
        "fred": "frozen, +63 917 555 0102, fred@mail.example",
        "gwen": "account closed",
        "nora": "active, +63 917 555 0103, no e-mail, grant revoked",
    }


def test_a_token_fits_on_the_wire(wallet: Wallet) -> None:
    assert 0 < len(wallet("token", "ada").stdout.strip()) <= 128


@pytest.mark.parametrize("command", ["token", "revoke"])
def test_a_user_who_never_was_is_named_in_the_error(wallet: Wallet, command: str) -> None:
    result = wallet(command, "zoe")
    assert result.exit_code == 2
    assert "there is no user 'zoe'" in result.output
