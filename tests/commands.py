"""Run ``flask otp-mpp`` as a host does: in Flask's own command group, as a plugin."""

from __future__ import annotations

from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import FlaskGroup


def run(app: Flask, *arguments: str) -> Result:
    """Run ``flask otp-mpp`` with an app."""
    group = FlaskGroup(create_app=lambda: app)
    return CliRunner().invoke(group, ["otp-mpp", *arguments])
