"""The command line: it lists cases, writes a file for an endpoint, plays, reports and replays."""

from __future__ import annotations

import json
import re
import shlex
import stat
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from flask_otp_mpp import AlipayPlus, Ams
from flask_otp_mpp.conformance.case import SIGNED, AnyCase, Group, Source, Wire
from flask_otp_mpp.conformance.cli import main
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay
from flask_otp_mpp.conformance.target import read_target
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.signing.keys import one_line, private_pem
from tests.commands import run as flask_otp_mpp
from tests.conformance.samples import ALL, CASES, FAILING, WARNING, sample_file
from tests.wallet import CLIENT, key, open_wallet

Play = Callable[..., Result]


def call(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=typed)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with sample_file(tmp_path_factory.mktemp("wallet")) as file:
        yield file


@pytest.fixture
def play(file: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Return what plays samples by the command, against a wallet."""

    def play(*arguments: str, cases: Sequence[AnyCase] = ALL) -> Result:
        monkeypatch.setattr("flask_otp_mpp.conformance.cli.run.cases_of", lambda wire: [*cases])
        return call("run", str(file), *arguments)

    return play


def test_all_cases_are_listed_each_in_a_line() -> None:
    lines = call("--list").stdout.splitlines()
    expected = [f"{wire} {case.id} {case.title}" for wire in Wire for case in cases_of(wire)]
    assert lines == expected
    assert len(lines) == len(set(lines)) > 2


@pytest.mark.parametrize("command", [[], ["run"], ["init"]])
def test_the_help_has_an_example_and_says_what_the_exit_status_means(command: list[str]) -> None:
    shown = call(*command, "--help").stdout
    assert "  otp-mpp-conformance init wallet.toml\n" in shown or command == ["run"]
    assert re.search(r"Exit\s+status:", shown)


class TestInit:
    @pytest.mark.parametrize("wire", Wire)
    def test_a_file_is_written_without_asking(self, wire: Wire, tmp_path: Path) -> None:
        path = tmp_path / "wallet.toml"
        done = call("init", str(path), "--protocol", wire.value, "--defaults")
        assert (done.exit_code, f"run {path}" in done.stdout) == (0, True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert tomllib.loads(path.read_text())["protocol"] == wire

    @pytest.mark.parametrize("wire", [Wire.ALIPAYPLUS, Wire.AMS])
    def test_a_file_is_right_as_soon_as_the_keys_are_there(
        self, wire: Wire, tmp_path: Path
    ) -> None:
        """So are its comments: each table and value in them is one that the kit knows."""
        path = tmp_path / "wallet.toml"
        call("init", str(path), "--protocol", wire.value, "--defaults")
        for name in ("client.pem", "second-client.pem", "client-key.pem"):
            (tmp_path / name).write_bytes(private_pem(key("conformance client")))
        (tmp_path / "wallet.pub").write_text(one_line(key("wallet").public_key()))
        assert read_target(path).inbox is None
        text = path.read_text()
        without_tls = text[: text.index("# For https")]
        text = re.sub(r"^# (?=\[|\w+ = )", "", without_tls, flags=re.MULTILINE)
        used = re.split(r"^(?=\[inbox\])", text, flags=re.MULTILINE)
        limits = used[-1][used[-1].index("# What the endpoint promises") :]
        for inbox in used[1:-1]:
            path.write_text(f"{used[0]}{inbox}".replace("valid = ", "# valid = ") + limits)
            target = read_target(path)
            assert target.second_client is not None
            assert target.inbox is not None
            assert target.clock is not None
        assert len(used) == 6

    def test_what_is_particular_is_asked_for(self, tmp_path: Path) -> None:
        path = tmp_path / "wallet.toml"
        answers = [
            *("alipayplus", "http://127.0.0.1:5000", "SANDBOX_1", "", "22", "a.pem", "b.pub"),
            *("tok-{n}", "30", "command", "newest --of '{user} x'"),
        ]
        done = call("init", str(path), typed="\n".join(answers) + "\n")
        assert done.exit_code == 0
        written = tomllib.loads(path.read_text())
        assert written["base_url"] == "http://127.0.0.1:5000"
        assert written["client"] == {
            "id": "SANDBOX_1",
            "private_key": "a.pem",
            "key_version": "1",
            "acquirer_id": "1022188000000000000",
            "psp_id": "22",
        }
        assert written["wallet_keys"] == {"1": "b.pub"}
        assert written["tokens"] == {"template": "tok-{n}", "count": 30}
        assert written["inbox"] == {
            "kind": "command",
            "command": ["newest", "--of", "{user} x"],
        }

    def test_one_token_is_a_list_of_one(self, tmp_path: Path) -> None:
        path = tmp_path / "wallet.toml"
        answers = ["ams", "http://a", "M", "a", "b", 'tok "one"', "none"]
        assert call("init", str(path), typed="\n".join(answers) + "\n").exit_code == 0
        written = tomllib.loads(path.read_text())
        assert written["tokens"] == {"valid": ['tok "one"']}
        assert "inbox" not in written

    def test_a_file_that_exists_stays_unless_it_is_forced(self, tmp_path: Path) -> None:
        path = tmp_path / "wallet.toml"
        path.write_text("mine")
        path.chmod(0o644)
        command = ["init", str(path), "--protocol", "ams", "--defaults"]
        refused = call(*command)
        assert (refused.exit_code, path.read_text()) == (2, "mine")
        assert "--force replaces it" in refused.stderr
        assert call(*command, "--force").exit_code == 0
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_place_that_is_none_is_told(self, tmp_path: Path) -> None:
        done = call("init", str(tmp_path / "a/b"), "--protocol", "ams", "--defaults")
        assert (done.exit_code, "No such file" in done.stderr) == (2, True)
        assert call("init", str(tmp_path / "a"), "--defaults").exit_code == 2


class TestRun:
    @pytest.mark.parametrize(
        ("cases", "status", "verdict"),
        [
            ([*CASES], 0, "conforms"),
            ([*CASES, *FAILING], 1, "does not conform"),
            ([*CASES, *FAILING, *WARNING], 1, "does not conform"),
            ([*CASES, *WARNING], 3, "conforms with warnings"),
        ],
    )
    def test_the_exit_status_is_the_verdict(
        self, cases: list[AnyCase], status: int, verdict: str, play: Play
    ) -> None:
        done = play(cases=cases)
        assert done.exit_code == status
        assert done.stdout.splitlines()[-1].startswith(f"{verdict}: 1 passed, ")

    def test_an_answer_that_a_case_does_not_foresee_ends_that_case_only(self, play: Play) -> None:
        odd = SignedCases(Group.ANSWERS, SIGNED, Source("The Book", "Chapter 3"))

        @odd.add("sample.odd", "It is odd", "Answers have a member.")
        def _(play: SignedPlay) -> None:
            play.send().json["none"]

        done = play(cases=[*odd, *CASES])
        assert "the case does not foresee this answer (KeyError: 'none')" in done.stdout
        assert "1 failed" in done.stdout
        assert done.exit_code == 1

    def test_reports_are_written(self, play: Play, tmp_path: Path) -> None:
        html, xml, text = (str(tmp_path / name) for name in ("a.html", "a.xml", "a.json"))
        done = play("--html", html, "--junit", xml, "--json", text, "--parallel", "2")
        assert done.exit_code == 1
        assert Path(html).read_text().startswith("<!doctype html>")
        assert ET.parse(xml).getroot().get("tests") == "4"
        [failed] = [
            case
            for case in json.loads(Path(text).read_text())["cases"]
            if case["id"] == "sample.failed"
        ]
        assert shlex.split(failed["replay"])[:2] == ["otp-mpp-conformance", "run"]

    def test_a_printed_report_is_all_that_is_printed(self, play: Play) -> None:
        done = play("--json", "-")
        assert json.loads(done.stdout)["verdict"] == "does not conform"
        assert "does not conform: 1 passed" in done.stderr

    def test_cases_are_chosen_by_the_beginning_of_their_ids(self, play: Play) -> None:
        done = play("--only", "sample.p", "--only", "sample.s")
        assert done.stdout.splitlines()[-1].startswith("conforms: 1 passed, 0 failed, 1 skipped")

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (["--only", "sampel"], "no case of alipayplus begins with sampel; see --list"),
            (["--replay", "sample.pased"], "is it sample.passed or "),
            (["--replay", "x"], "alipayplus has no case 'x'; see --list"),
            (["--html", "missing/a.html"], "missing/a.html: there is no folder missing"),
            (["--json", "-", "--junit", "-"], "two reports can't be written to one place"),
            (["--html", "/dev/full"], "/dev/full: No space left on device"),
        ],
    )
    def test_what_cannot_be_done_is_told(self, options: list[str], told: str, play: Play) -> None:
        done = play(*options)
        assert done.exit_code == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr

    def test_an_endpoint_that_does_not_answer_is_told_before_all_cases(
        self, play: Play, file: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other.toml"
        other.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", file.read_text()))
        done = call("run", str(other))
        assert (done.exit_code, done.stdout) == (2, "")
        assert "127.0.0.1:9 gave no answer: Connection refused" in done.stderr

    def test_all_faults_of_the_file_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "wallet.toml"
        path.write_text('protocol = "ams"\nbase_url = "a"\n')
        done = call("run", str(path))
        assert done.exit_code == 2
        assert "base_url: write an http or https URL" in done.stderr
        assert "client.id: is missing" in done.stderr


class TestReplay:
    def test_one_case_is_played_and_printed_without_secrets(self, play: Play) -> None:
        done = play("--replay", "sample.failed")
        assert done.exit_code == 1
        assert "tok-user" not in done.output
        assert '"accessToken":"<user ' in done.stdout
        assert "Signature: <signature>" in done.stdout
        assert "\x1b" not in done.stdout
        assert done.stdout.rstrip().endswith("> had the code <code>\ufffd[2J\ufffd")

    def test_with_secrets_curl_sends_what_was_signed(self, play: Play) -> None:
        done = play("--replay", "sample.passed", "--show-secrets")
        assert done.exit_code == 0
        sections = done.stdout.split("The request again\n")[1:]
        assert len(sections) == 3
        for before, section in zip(
            done.stdout.split("The request again\n"), sections, strict=False
        ):
            words = shlex.split(section.partition("\n\n")[0])
            body = words[words.index("--data-raw") + 1]
            assert f".{body}\n" in before
            assert any(word.startswith("Signature: algorithm=RSA256") for word in words)
            assert "tok-user" in body


class TestOfAnApp:
    """``flask otp-mpp conformance``: the app says what it is."""

    @pytest.fixture
    def keys(self, tmp_path: Path) -> list[str]:
        for name in ("alipay+", "second"):
            (tmp_path / name).write_bytes(private_pem(key(name)))
        return ["--key", str(tmp_path / "alipay+"), "--second-key", str(tmp_path / "second")]

    @staticmethod
    def of(*arguments: str, protocols: Sequence[type] = (AlipayPlus,), **changed: Any) -> Result:
        clients = {
            name: {"1": one_line(key(label).public_key())}
            for name, label in ((CLIENT, "alipay+"), ("SANDBOX_2", "second"))
        }
        both = {"OTP_MPP_ALIPAYPLUS_CLIENTS": clients, "OTP_MPP_AMS_CLIENTS": clients}
        if Ams not in protocols:
            del both["OTP_MPP_AMS_CLIENTS"]
        wallet = open_wallet(protocols=protocols, **{**both, "OTP_MPP_TRIAL": True, **changed})
        wallet.clock.now = utc_now()
        return flask_otp_mpp(wallet.app, "conformance", "--only", "life.", *arguments)

    def test_the_app_is_served_and_asked(self, keys: list[str], tmp_path: Path) -> None:
        report = tmp_path / "a.json"
        done = self.of(*keys, "--json", str(report))
        assert done.exit_code == 0, done.output
        assert "PASSED  life.once\n" in done.stdout
        read = json.loads(report.read_text())
        assert read["base_url"].startswith("http://127.0.0.1:")
        [once] = [case for case in read["cases"] if case["id"] == "life.once"]
        assert once["replay"] == shlex.join(
            ["flask", "otp-mpp", "conformance", *keys, "--replay", "life.once"]
        )
        assert "TRIAL_USER" not in report.read_text()

    def test_a_proxy_that_rewrites_paths_is_played_too(self, keys: list[str]) -> None:
        done = self.of(*keys, OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX="/outside/v9")
        assert (done.exit_code, "PASSED  life.once" in done.stdout) == (0, True)

    def test_of_several_protocols_one_is_named(self, keys: list[str]) -> None:
        both = (AlipayPlus, Ams)
        done = self.of(*keys, protocols=both)
        assert (done.exit_code, "--protocol ams" in done.stderr) == (2, True)
        done = self.of(*keys, "--protocol", "ams", protocols=both)
        assert (done.exit_code, "PASSED  life.once" in done.stdout) == (0, True)

    def test_without_the_acceptance_mode_users_are_asked_for(
        self, keys: list[str], tmp_path: Path
    ) -> None:
        done = self.of(*keys, OTP_MPP_TRIAL=False)
        assert done.exit_code == 2
        assert "OTP_MPP_TRIAL is not on" in done.stderr
        users = tmp_path / "users.toml"
        users.write_text('[tokens]\ntemplate = "tok-{n}"\ncount = 9\n')
        done = self.of(*keys, "--file", str(users), OTP_MPP_TRIAL=False)
        assert done.exit_code == 0
        assert "SKIPPED life.once: the configuration has no: an inbox that gives codes" in (
            done.stdout
        )

    def test_a_key_that_was_typed_is_in_no_report(self, keys: list[str]) -> None:
        typed = private_pem(key("alipay+")).decode() + "\n" * 300  # too long for a file's name
        done = self.of("--key", typed, "--json", "-")
        assert (done.exit_code, typed.splitlines()[3] in done.stdout) == (0, False)
        assert "conformance --key KEY --replay life.once" in done.stdout

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ([], "--key is needed"),
            (["--key", "no key"], "this is neither a file that exists, nor PEM"),
            (["--key", "KEY", "--second-key", "KEY"], "it must be another client's"),
            (["--key", "KEY", "--protocol", "google-jose"], "does not serve"),
            (["--key", "KEY", "--url", "http://127.0.0.1:9"], "127.0.0.1:9 gave no answer"),
            (["--key", "KEY", "--url", "127.0.0.1"], "base_url: write an http or https URL"),
        ],
    )
    def test_what_is_missing_is_told(self, options: list[str], told: str, keys: list[str]) -> None:
        done = self.of(*(keys[1] if option == "KEY" else option for option in options))
        assert done.exit_code in (1, 2)
        assert told in done.stderr
        assert "Traceback" not in done.stderr
