"""Run the store contract as a user does: in a file of its own, by another pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Report:
    """Hold the claims that passed and failed, by name and without parameters."""

    passed: set[str]
    failed: set[str]
    output: str


def run(folder: Path, source: str, *more: str) -> Report:
    """Write a test file, run it with warnings as errors, and return what became of its tests."""
    file = folder / "test_suite.py"
    file.write_text(source)
    report = folder / "report.xml"
    options = ("-q", "-W", "error", "-p", "no:cacheprovider", f"--junitxml={report}")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *more, file.name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode in (0, 1), result.stdout + result.stderr
    claims: dict[bool, set[str]] = {True: set(), False: set()}
    for case in ElementTree.parse(report).iter("testcase"):
        suite = case.attrib["classname"].rpartition(".")[2]
        claim = case.attrib["name"].partition("[")[0]
        claims[len(case) == 0].add(f"{suite}.{claim}")
    return Report(claims[True], claims[False], result.stdout)
