"""What the kit's page shows is what the kit does."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, Final

import click
import pytest

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.cli import main
from flask_otp_mpp.conformance.inbox import File
from flask_otp_mpp.conformance.run import Status, run
from flask_otp_mpp.conformance.target import read_target
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.web.cli import cli
from tests.conformance.endpoints import served
from tests.wallet import key

PAGE: Final = (Path(__file__).parent.parent.parent / "docs/conformance/README.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_on_the_page_is_one_that_the_kit_reads(tmp_path: Path) -> None:
    [content] = snippets("toml")
    (tmp_path / "wallet.toml").write_text(content)
    (tmp_path / "client.pem").write_bytes(private_pem(key("conformance client")))
    (tmp_path / "wallet.pub").write_text(one_line(key("wallet").public_key()))
    target = read_target(tmp_path / "wallet.toml")
    assert len(target.valid) == 200
    assert target.inbox == File(str(tmp_path / "messages/{user}.log"))
    named = set(re.findall(r"\[(\w+)", PAGE[PAGE.index("| table") : PAGE.index("All errors")]))
    assert set(tomllib.loads(content)) - {"protocol", "base_url"} < named


def test_the_case_on_the_page_passes(tmp_path: Path) -> None:
    namespace: dict[str, Any] = {}
    [content] = snippets("py")
    exec(compile(content, "case", "exec", dont_inherit=True), namespace)
    with served(Wire.ALIPAYPLUS, tmp_path) as file:
        done = run(read_target(file), namespace["CASES"])
    assert [(one.status, one.said) for one in done.results] == [(Status.PASSED, "")]


@pytest.mark.parametrize(
    "line",
    [line for text in snippets("sh") for line in text.splitlines() if "pip install" not in line],
)
def test_a_command_on_the_page_has_options_that_there_are(line: str) -> None:
    words = shlex.split(line, comments=True)
    group: click.Group = main if words[0] == "otp-mpp-conformance" else cli
    rest = words[1:] if group is main else words[words.index("otp-mpp") + 1 :]
    command: click.Command = group
    if found := group.get_command(click.Context(group), rest[0]):
        command = found
        rest.pop(0)
    known = {name for option in command.params for name in option.opts}
    assert {word for word in rest if word.startswith("--")} <= known
