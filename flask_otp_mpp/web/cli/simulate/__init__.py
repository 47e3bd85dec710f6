"""``flask otp-mpp simulate`` shows one call and its answer down to the bytes that were signed."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from flask_otp_mpp.web.cli.simulate.alipayplus import send, verify
from flask_otp_mpp.web.cli.simulate.ams import ams
from flask_otp_mpp.web.cli.simulate.google import google


@click.group(cls=AppGroup)
def simulate() -> None:
    """Call the wallet as Alipay+ or another caller would, signed, and check what it answers.

    Without --url the call stays inside this process and needs no server. The exit status is 0 if
    the answer's signature holds, whatever its code.
    """


simulate.add_command(send)
simulate.add_command(verify)
simulate.add_command(ams)
simulate.add_command(google)
