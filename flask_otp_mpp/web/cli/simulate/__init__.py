"""``flask otp-mpp simulate`` calls a wallet as Alipay+, AMS or Google would."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from flask_otp_mpp.web.cli.options import examples
from flask_otp_mpp.web.cli.simulate.alipayplus import send, verify
from flask_otp_mpp.web.cli.simulate.ams import ams
from flask_otp_mpp.web.cli.simulate.google import google
from flask_otp_mpp.web.cli.simulate.signed import STATUS


@click.group(
    cls=AppGroup,
    epilog=examples(
        "flask --app wallet otp-mpp simulate send --key caller.pem --token tok-ada",
        "flask --app wallet otp-mpp simulate ams init --key shop.pem --id order-1 --token tok-ada",
        "flask --app wallet otp-mpp simulate google echo --key google.jwks",
        status=STATUS,
    ),
)
def simulate() -> None:
    """Call the wallet as Alipay+ (send, verify), AMS or Google would, and check its answer.

    The output shows the request, the answer, and what was signed or encrypted. Without --url the
    call goes to the app inside this process, so no server is needed; its configuration says what
    the options do not. If the wallet refuses a signature there, the output shows where the string
    that it verified differs from the one that was signed.
    """


for command in (send, verify, ams, google):
    simulate.add_command(command)
