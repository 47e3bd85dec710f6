"""Write the generated parts of the documentation: tables, and the quickstart's code."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

from flask_otp_mpp.conformance.case import AnyCase, Group, Severity, Wire
from flask_otp_mpp.conformance.explain import mistakes
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.web import doc_tables as reference

ROOT = Path(__file__).parent.parent
OPERATIONS = "docs/operations.md"
MISTAKES = "docs/conformance/explain-signature.md"
README = "README.md"
CASES = "docs/conformance/cases.md"
CODES = "docs/codes.md"
SETTINGS = "docs/configuration.md"
PAGES = (README, SETTINGS, CODES, OPERATIONS, MISTAKES, CASES)


def parts(page: str) -> dict[str, str]:
    """Return the generated parts of a page by the name of their place."""
    if page == CASES:
        return {"cases": cases()}
    if page == OPERATIONS:
        return {"checks": reference.markdown(reference.CHECK_HEAD, reference.check_rows())}
    if page == MISTAKES:
        return {"mistakes": reference.markdown(mistakes.HEAD, mistakes.mistake_rows())}
    if page == SETTINGS:
        return {"settings": reference.markdown(reference.SETTING_HEAD, reference.setting_rows())}
    if page == CODES:
        return {
            f"codes of {protocol.name}": reference.markdown(
                reference.CODE_HEAD, reference.code_rows(protocol)
            )
            for protocol in reference.PROTOCOLS
        }
    quickstart = (ROOT / "docs/examples/quickstart.py").read_text()
    return {"quickstart": f"```python\n{quickstart}```"}


def cases() -> str:
    """Return a table of cases for each group."""
    found: dict[AnyCase, list[Wire]] = {}
    for wire in Wire:
        for case in cases_of(wire):
            found.setdefault(case, []).append(wire)
    head = ("id", "what is tried and must follow", "protocols", "needs", "source")
    tables = []
    for group in Group:
        rows = [case_row(case, wires) for case, wires in found.items() if case.group is group]
        if rows:
            tables.append(f"## {group.capitalize()}\n\n{reference.markdown(head, rows)}")
    return f"{len(found)} cases.\n\n" + "\n\n".join(tables)


def case_row(case: AnyCase, wires: list[Wire]) -> tuple[str, ...]:
    """Return what a case is, cell by cell."""
    source = (
        ""
        if case.source.document == "none"
        else (f"{case.source.document}, {case.source.section}.")
    )
    title = case.title if case.severity is Severity.REQUIRED else f"*{case.title}*"
    needs = [*sorted(case.needs), *(["time"] if case.slow else [])]
    return (
        case.id,
        title.replace("|", "\\|"),
        "any" if len(wires) == len(Wire) else ", ".join(wires),
        ", ".join(needs),
        f"{source} {case.source.reading}".strip().replace("|", "\\|"),
    )


def filled(text: str, page: str = README) -> str:
    """Put each part of a page between its two markers."""
    for name, part in parts(page).items():
        place = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, found = place.subn(lambda m, part=part: f"{m[1]}{part}\n{m[2]}", text)
        if found != 1:
            sys.exit(f"{page} must have one place for {name!r}, found {found}")
    return text


def filled_metrics(text: str) -> str:
    """Put the tables of metrics and spans between their markers."""
    for name, part in reference.metric_tables().items():
        place = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = place.sub(lambda m, part=part: f"{m[1]}{part}\n{m[2]}", text)
    return text


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(path.read_text(), page))
    metrics = ROOT / "docs/operations/metrics.md"
    metrics.write_text(filled_metrics(metrics.read_text()))
    runpy.run_path(str(Path(__file__).parent / "guarantees.py"), run_name="__main__")
