"""The command line is run as a host runs it: through Flask's own group, with its plugins."""

from __future__ import annotations

from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import FlaskGroup


def run(app: Flask, *arguments: str) -> Result:
    """Run ``flask otp-mpp`` with an app."""
    group = FlaskGroup(create_app=lambda: app)
    return CliRunner().invoke(group, ["otp-mpp", *arguments])
