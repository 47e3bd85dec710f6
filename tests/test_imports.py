"""What is imported when: of a protocol, a store or a command, only what an app asks for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def modules_after(program: str) -> set[str]:
    """Return what a new interpreter has imported after a program."""
    script = f"{program}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def below(modules: set[str], *packages: str) -> set[str]:
    """Return the modules of some packages."""
    within = tuple(f"{package}." for package in packages)
    return {name for name in modules if name in packages or name.startswith(within)}


def test_a_command_of_another_package_imports_none_of_ours() -> None:
    """Flask loads the group of our commands before it looks for any command."""
    modules = modules_after("import flask_otp_mpp.web.cli")
    assert below(modules, "flask_otp_mpp.web.cli") == {
        "flask_otp_mpp.web.cli",
        "flask_otp_mpp.web.cli.group",
    }
    assert not below(
        modules,
        "flask_otp_mpp.callers",
        "flask_otp_mpp.conformance",
        "flask_otp_mpp.web.checks",
        "flask_otp_mpp.web.doc_tables",
        "flask_otp_mpp.web.openapi",
    )
