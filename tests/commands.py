"""Run ``flask otp-mpp`` as a host does: in Flask's own command group, as a plugin."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import FlaskGroup


def run(app: Flask, *arguments: str) -> Result:
    """Run ``flask otp-mpp`` with an app."""
    return flask(lambda: app, "otp-mpp", *arguments)


def flask(factory: Callable[[], Flask], *arguments: str) -> Result:
    """Run a command of ``flask``, which loads the app by its factory."""
    return CliRunner().invoke(FlaskGroup(create_app=factory), list(arguments))
