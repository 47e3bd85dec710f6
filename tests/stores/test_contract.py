"""Other projects can import the store contract, inherit it and implement one method."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flask_otp_mpp import testing
from tests.stores import suites

PAGE = (suites.ROOT / "docs/testing.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def python(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=suites.ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.slow
def test_the_suites_are_imported_when_they_are_asked_for() -> None:
    """T2: a host that only wants a clock has neither pytest nor hypothesis."""
    loaded = "print([name for name in ('pytest', 'hypothesis') if name in sys.modules])"
    first = python(f"import sys; from flask_otp_mpp.testing import FrozenClock, Inbox; {loaded}")
    assert first == "[]"
    then = python(f"import sys; from flask_otp_mpp.testing import StoreContract; {loaded}")
    assert then == "['pytest', 'hypothesis']"


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
def test_what_the_suites_need_is_named_with_its_extra(missing: str) -> None:
    """T2: an error for people."""
    told = python(
        f"""
import sys
sys.modules[{missing!r}] = None
try:
    from flask_otp_mpp.testing import StoreContract
except ImportError as error:
    print(error)
"""
    )
    assert told == f"StoreContract needs {missing}: install flask-otp-mpp[testing]"


def test_nothing_else_is_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'ShopContract'"):
        testing.ShopContract  # noqa: B018


@pytest.mark.slow
def test_the_example_of_the_documentation_passes_as_it_stands(tmp_path: Path) -> None:
    """T2, O4: one method is all that is needed."""
    [minimal] = [text for text in SNIPPETS if "class TestYourStore(" in text]
    report = suites.run(tmp_path, minimal)
    assert not report.failed
    assert len(report.passed) > 40
    assert {name.partition(".")[0] for name in report.passed} == {"TestYourStore"}


@pytest.mark.slow
def test_the_longer_example_passes_where_it_says_more(tmp_path: Path) -> None:
    """T2, A9, O4: races between processes, restarts, and a backend that is away."""
    minimal, longer = (text for text in SNIPPETS if "class TestYour" in text)
    of_these = "right_answers_in_four or store_error or used_once"
    report = suites.run(tmp_path, minimal + longer, "-k", f"Shared and ({of_these})")
    assert not report.failed
    assert len(report.passed) == 4
