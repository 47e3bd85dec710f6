"""The pages for readers in trouble name every code and reason, and nothing that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import pytest

from flask_otp_mpp import AlipayPlus, Ams, GoogleStandardPayments
from flask_otp_mpp.conformance import cli as conformance
from flask_otp_mpp.conformance.explain import cli as explain
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.protocols.google.results import NO_BODY
from flask_otp_mpp.web.cli import cli
from flask_otp_mpp.web.doc_tables import check_rows, code_rows, setting_rows
from flask_otp_mpp.web.metric_table import METRICS

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = (DOCS / "troubleshooting.md").read_text()
PAGES: Final = ("troubleshooting", "faq", "glossary", "tutorial", "concepts")
PARTS: Final = {"Alipay+ and AMS": (AlipayPlus, Ams), "Google": (GoogleStandardPayments,)}
PROGRAMS: Final[dict[str, click.Command]] = {
    "flask otp-mpp": cli,
    "otp-mpp": explain.main,
    "otp-mpp-conformance": conformance.main,
}
PROGRAM: Final = re.compile(r"(flask|otp-mpp-conformance|otp-mpp)( --app \w+)?( otp-mpp)?(?: |$)")
OTHERS: Final = {"TRUSTED_HOSTS", "TRIAL_TRAFFIC_EXCEEDED"}
"""Names in capitals that are no code, reason or setting."""


def sections_of(part: str) -> dict[tuple[str, ...], str]:
    """Return the sections of a part by the codes in their headings; a status stands for itself."""
    text = PAGE.partition(f"\n## {part}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^### (.*)\n((?:(?!### ).*\n?)*)", text, re.MULTILINE)
    return {tuple(re.findall(r"[A-Z_]{4,}|\d{3}", head)): body for head, body in found}


def answer_of(code: str, status: str) -> str:
    """Return what the page calls an answer: its code, or its status if it has none."""
    return status if code == NO_BODY else code


@pytest.mark.parametrize(("part", "protocols"), PARTS.items(), ids=list(PARTS))
def test_every_code_of_the_tables_has_a_section_and_no_other_has(
    part: str, protocols: Sequence[type[WireProtocol]]
) -> None:
    """O4: a status without a body is one."""
    named = [code for heading in sections_of(part) for code in heading]
    answered = {answer_of(row[0], row[1]) for one in protocols for row in code_rows(one)}
    assert set(named) == answered
    assert len(named) == len(set(named))


@pytest.mark.parametrize(("part", "protocols"), PARTS.items(), ids=list(PARTS))
def test_a_section_has_the_reasons_that_its_codes_answer(
    part: str, protocols: Sequence[type[WireProtocol]]
) -> None:
    """O4: the reason is what the log shows."""
    for codes, body in sections_of(part).items():
        named = set(re.findall(r"^\| `([A-Z_]+)` \|", body, re.MULTILINE))
        rows = [(reason, one.codes[reason]) for one in protocols for reason in Reason]
        assert named == {
            reason.name for reason, row in rows if answer_of(row.code, row.status) in codes
        }, codes


def test_no_code_reason_or_setting_is_named_that_does_not_exist() -> None:
    """O4: in capitals there is nothing else."""
    codes = {row[0] for one in (AlipayPlus, Ams, GoogleStandardPayments) for row in code_rows(one)}
    known = codes | {reason.name for reason in Reason} | {row[0] for row in setting_rows()}
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z0-9]+)+\b", PAGE))
    assert named - OTHERS <= known


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_a_page_names_exists(name: str) -> None:
    """O4: with its options."""
    faults = [
        fault
        for command in commands_in((DOCS / f"{name}.md").read_text())
        for fault in unknown_in(command)
    ]
    assert faults == []


@pytest.mark.parametrize(
    "command",
    ["flask otp-mpp shwo USER", "flask --app wallet otp-mpp show --jsn u-1", "otp-mpp check"],
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    """O4: a command, an option, and a command of another program."""
    assert list(commands_in(f"Run `{command}`.")) == [command]
    assert len(list(unknown_in(command))) == 1


def test_the_pages_name_commands() -> None:
    """O4: or the test of the commands finds none."""
    assert len(set(commands_in(PAGE))) > 10


def test_every_metric_and_check_that_the_page_names_exists() -> None:
    """O4: an id of a check stands in brackets behind the command."""
    metrics = set(re.findall(r"\botp_mpp_[a-z_]+", PAGE))
    checks = set(re.findall(r"otp-mpp check`[^(|]*\(`([a-z-]+)`\)", PAGE))
    assert metrics
    assert metrics <= {metric.name for metric in METRICS}
    assert checks
    assert checks <= {row[0] for row in check_rows()}


def test_the_terms_of_the_glossary_are_sorted_unique_and_used() -> None:
    """O4: each stands on another page, too, in the singular or the plural."""
    rows = re.findall(r"^\| ([^|]+) \|", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    terms = rows[2:]  # behind the head and its line
    pages = [page for page in DOCS.rglob("*.md") if page.name != "glossary.md"]
    text = " ".join(" ".join(page.read_text().split()) for page in pages)
    assert len(terms) > 40
    assert terms == sorted(set(terms), key=str.lower)
    assert [term for term in terms if not is_used(term, text)] == []


def is_used(term: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(term)}s?(?!\w)", text, re.IGNORECASE) is not None


def commands_in(page: str) -> Iterator[str]:
    """Return the commands of this package in a page, each on one line."""
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    for text in [*lines, *spans]:
        match = PROGRAM.match(text)
        if match is not None and (match[1] != "flask" or match[3]):
            yield re.split(r" (?:\||\|\||>|#) ", text)[0]


def unknown_in(command: str) -> Iterator[str]:
    """Return what a command names and its program does not have."""
    match = PROGRAM.match(command)
    assert match is not None
    found = PROGRAMS[f"flask{match[3]}" if match[1] == "flask" else match[1]]
    for word in command[match.end() :].split():
        if isinstance(found, click.Group) and not word.startswith("-"):
            inner = found.get_command(click.Context(found), word)
            if inner is None:
                yield f"{command}: no command {word!r}"
                return
            found = inner
        elif word.startswith("--"):
            options = {name for param in found.params for name in param.opts}
            if word not in options:
                yield f"{command}: no option {word!r}"
