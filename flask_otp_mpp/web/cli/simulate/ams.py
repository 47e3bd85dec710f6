"""``simulate ams init`` and ``simulate ams verify`` call the wallet as a merchant does."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from flask_otp_mpp.callers.ams import PREFIX, SANDBOX_PREFIX, AmsCaller
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.web.cli.options import add_options, examples
from flask_otp_mpp.web.cli.simulate.signed import (
    STATUS,
    connect,
    print_answer,
    signing_options,
)


@click.group(cls=AppGroup)
def ams() -> None:
    """Call the wallet as a merchant of AMS: init, then verify."""


_options = add_options(
    click.option(
        "--id",
        "request_id",
        required=True,
        help="The authenticationRequestId: you choose it, the same for init and verify.",
    ),
    click.option(
        "--prefix",
        help=f"The API's path prefix.  [default: {SANDBOX_PREFIX} if the client id starts with "
        f"SANDBOX_, otherwise {PREFIX}]",
    ),
)


@ams.command(
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate ams init --client-id SHOP_1 --key shop.pem \\\n"
        "    --id order-1 --token tok-ada",
        status=STATUS,
    ),
)
@signing_options
@_options
@click.option("--token", required=True, help="The user's access token.")
@click.option("--channel", default="SMS", show_default=True, help="The authenticationChannelType.")
def init(
    as_json: bool, token: str, request_id: str, channel: str, tamper: Tamper | None, **options: Any
) -> None:
    """Call initAuthentication: ask the wallet to send a code."""
    answer = _caller(**options).init(token, request_id, channel=channel, tamper=tamper)
    print_answer(answer, as_json=as_json)


@ams.command(
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate ams verify --client-id SHOP_1 --key shop.pem \\\n"
        "    --id order-1 --code 123456",
        status=STATUS,
    ),
)
@signing_options
@_options
@click.option("--code", required=True, help="The code that the user typed.")
def verify(
    as_json: bool, request_id: str, code: str, tamper: Tamper | None, **options: Any
) -> None:
    """Call verifyAuthentication: ask the wallet whether a code is right."""
    answer = _caller(**options).verify(request_id, code, tamper=tamper)
    print_answer(answer, as_json=as_json)


def _caller(*, prefix: str | None, **options: Any) -> AmsCaller:
    transport, signing = connect(**options)
    return AmsCaller(transport, prefix=prefix, **signing)
