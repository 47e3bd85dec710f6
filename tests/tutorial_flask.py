"""A command of ``flask`` in a process of its own, whose parent has imported what it needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import flask.cli

import flask_otp_mpp.web.cli
import flask_otp_mpp.web.cli.conformance  # noqa: F401  imported before the fork


def main(folder: Path, words: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
    """Run the command in the folder, and end the process with its status."""
    with output.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.chdir(folder)
    os.environ.update(environment)
    sys.argv = list(words)
    sys.path.insert(0, str(folder))
    flask.cli.main()
