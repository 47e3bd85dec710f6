"""A small real wallet that sends codes for Alipay+, a merchant and Google: the trial to read first.

Serve it by ``flask --app example_app run``. The codes that it sends appear on its page ``/phone``,
for everybody to see: it is a wallet for trials.
"""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask

from example_app import instance
from example_app.commands import wallet
from example_app.otp import otp
from example_app.pages import pages
from example_app.records import connect


def create_app(instance_path: str | None = None) -> Flask:
    """Make the wallet; an instance folder without a configuration is filled first.

    :param instance_path: where keys, configuration and databases are; by default ``instance/``
        beside this package.
    """
    app = Flask(__name__, instance_path=instance_path, instance_relative_config=True)
    if made := instance.fill(Path(app.instance_path)):
        click.echo(f"Made a new wallet in {app.instance_path}: {', '.join(made)}", err=True)
    app.config.from_pyfile("config.py")
    app.config.from_prefixed_env()
    connect(app)
    otp.init_app(app)
    app.register_blueprint(pages)
    app.cli.add_command(wallet)
    return app
