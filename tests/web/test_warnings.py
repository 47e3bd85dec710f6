"""The package uses nothing that Flask or another library has deprecated."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROUND = """
from tests.wallet import open_wallet
wallet = open_wallet(OTP_MPP_CODE_LIFE=300)
request_id, code = wallet.sent()
print(wallet.caller.verify("tok-ada", request_id, code).code)
"""


@pytest.mark.slow
def test_a_send_and_a_verify_with_every_warning_as_an_error() -> None:
    """F8: from the first import on, where pytest does not look."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ROUND],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "SUCCESS\n", done.stderr


def test_the_suite_treats_warnings_as_errors() -> None:
    """F8: without an exception."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"] == ["error"]
