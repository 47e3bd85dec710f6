"""``flask otp-mpp check`` tells what is wrong with a deployment, and what to do."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import click
from flask.cli import ScriptInfo

from flask_otp_mpp.web.checks import CHECKS, Finding, Severity, check_app
from flask_otp_mpp.web.cli.group import echo, echo_json, is_terminal
from flask_otp_mpp.web.cli.options import examples, json_option

STATUS: Final = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.NOTE: 0}
"""As plugins for monitoring (Nagios, Icinga) exit: 0 is OK, 1 a warning, 2 critical."""
_MARGIN: Final = 9


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp check",
        "flask --app wallet otp-mpp check --json",
        status="2 if there is an error; 1 if there is a warning and no error; 0 if there are notes "
        "only, or nothing.",
    )
)
@json_option
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Tell what is wrong with a deployment, and what to do.

    Run it where the app is served, with the configuration and as the user by which it is served:
    settings, keys and their files, peppers, store, traffic limits, senders, proxies, and the
    versions of libraries are looked at. Nothing is changed.

    An error is what keeps users from being served, or a guarantee from being kept. A warning should
    be changed. A note is to be known, or compared with what the other side has.
    """
    findings = check_app(context.ensure_object(ScriptInfo).load_app())
    if as_json:
        echo_json({"summary": _counts(findings), "findings": [asdict(one) for one in findings]})
    else:
        width = shutil.get_terminal_size().columns if is_terminal() else None
        for finding in findings:
            echo(_shown(finding, width))
        echo(_summary(findings))
    context.exit(max((STATUS[one.severity] for one in findings), default=0))


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    found = Counter(one.severity for one in findings)
    return {"checks": len(CHECKS), **{f"{one}s": found[one] for one in Severity}}


def _summary(findings: Sequence[Finding]) -> str:
    counts = _counts(findings)
    checks = counts.pop("checks")
    return f"{checks} checks: " + ", ".join(
        f"{count} {name if count != 1 else name[:-1]}" for name, count in counts.items()
    )


def _shown(finding: Finding, width: int | None) -> str:
    """Write a finding as a paragraph: a head, what was found, and what to do."""
    head = f"{finding.severity:<{_MARGIN}}{finding.id}: {finding.title}"
    where = f"{finding.where}: {finding.found}."
    margin = " " * _MARGIN
    lines = [
        *_wrapped(head, width, ""),
        *_wrapped(where, width, margin),
        *_wrapped(f"-> {finding.remedy}", width, margin),
    ]
    return "\n".join((*lines, ""))


def _wrapped(text: str, width: int | None, first: str) -> list[str]:
    if width is None:
        return [first + text]
    return textwrap.wrap(
        text,
        max(width, 2 * _MARGIN),
        initial_indent=first,
        subsequent_indent=" " * _MARGIN,
        break_long_words=False,
        break_on_hyphens=False,
    )
