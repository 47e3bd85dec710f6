"""An example wallet that serves Alipay+, a merchant and Google, with a database of its own.

Serve it by ``flask --app example_app run``. Its pages show the codes that it sends: use it for
trials only.
"""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask

from example_app import instance, trial
from example_app.commands import wallet
from example_app.otp import otp
from example_app.records import connect


def create_app(instance_path: str | None = None) -> Flask:
    """Create the app; an instance folder without a configuration is filled first.

    :param instance_path: the folder of keys, configuration and databases; by default ``instance/``
        beside this package.
    """
    app = Flask(__name__, instance_path=instance_path, instance_relative_config=True)
    if made := instance.fill(Path(app.instance_path)):
        click.echo(f"Made a new wallet in {app.instance_path}: {', '.join(made)}", err=True)
    app.config.from_pyfile("config.py")
    app.config.from_prefixed_env()
    connect(app)
    otp.init_app(app)
    trial.init_app(app)
    app.cli.add_command(wallet)
    return app
