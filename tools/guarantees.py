"""Find the tests that show each guarantee, by the ids at the start of their docstrings.

``python tools/guarantees.py`` writes the table of docs/guarantees.md; with ids as arguments
(``python tools/guarantees.py L6 S10``) it prints the tests of these instead.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/guarantees.md"
PLACES = ("tests", "flask_otp_mpp/testing/contract")
IDS = re.compile(r"([A-Z]\d+(?:, [A-Z]\d+)*): ")
ROW = re.compile(r"^\| ([A-Z]\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TABLE = re.compile(r"(<!-- tests -->\n).*?(<!-- /tests -->)", re.DOTALL)

_Definition: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef


class Claim(NamedTuple):
    """A test, a class of tests or a module of tests, and the first line of its docstring."""

    path: str
    name: str
    text: str


@cache
def claims() -> Sequence[Claim]:
    """Return everything that tests and their claim, in the order of the files."""
    return list(_read_claims())


def _read_claims() -> Iterator[Claim]:
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            for node in _definitions(ast.parse(path.read_text())):
                text = (ast.get_docstring(node) or "").partition("\n")[0]
                name = getattr(node, "name", path.stem)
                yield Claim(str(path.relative_to(ROOT)), name, text)


def _definitions(node: _Definition) -> Iterator[_Definition]:
    """Yield a module with its classes and functions; statements are not looked through."""
    yield node
    for child in node.body:
        if isinstance(child, _Definition):
            yield from _definitions(child)


def shown() -> Mapping[str, list[Claim]]:
    """Return the claims of each id."""
    found = defaultdict(list)
    for claim in claims():
        if ids := IDS.match(claim.text):
            for name in ids[1].split(", "):
                found[name].append(claim)
    return found


def rows(page: str) -> list[tuple[str, str, str]]:
    """Return id, behaviour and source of each row that is written by hand."""
    return [match.groups() for match in ROW.finditer(TABLE.sub("", page))]


def filled(page: str) -> str:
    """Return the page with a current table of tests."""
    found = shown()
    lines = ["| id | shown in |", "| --- | --- |"]
    for name, *_ in rows(page):
        paths = sorted({claim.path for claim in found[name]})
        lines.append(f"| {name} | {', '.join(f'[{_short(path)}](../{path})' for path in paths)} |")
    table = "\n".join(lines)
    return TABLE.sub(lambda match: f"{match[1]}{table}\n{match[2]}", page)


def _short(path: str) -> str:
    return path.removeprefix("tests/").removeprefix("flask_otp_mpp/testing/").removesuffix(".py")


def main(ids: list[str]) -> None:
    """Write the table, or print the tests of some ids."""
    if not ids:
        PAGE.write_text(filled(PAGE.read_text()))
    for name in ids:
        for claim in shown()[name]:
            sys.stdout.write(f"{claim.path}: {claim.name}\n    {claim.text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
