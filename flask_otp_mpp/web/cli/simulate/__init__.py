"""``flask otp-mpp simulate`` calls a wallet as Alipay+, AMS or Google would."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from flask_otp_mpp.web.cli.simulate.alipayplus import send, verify
from flask_otp_mpp.web.cli.simulate.ams import ams
from flask_otp_mpp.web.cli.simulate.google import google


@click.group(cls=AppGroup)
def simulate() -> None:
    """Call the wallet as Alipay+ (send, verify), AMS or Google would, and check its answer.

    The output shows the request, the answer, and what was signed or encrypted. Without --url the
    call goes to the app inside this process, so no server is needed.

    Exit status: 0 if the answer was signed by the wallet, whatever its result code; 1 if not, or if
    an option can't be used; 2 if an option is missing.
    """


for command in (send, verify, ams, google):
    simulate.add_command(command)
