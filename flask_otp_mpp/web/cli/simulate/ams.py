"""``simulate ams init`` and ``simulate ams verify`` call the wallet as a merchant does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup

from flask_otp_mpp.callers.ams import PREFIX, SANDBOX_PREFIX, AmsAnswer, AmsCaller
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.web.cli.options import add_options, examples
from flask_otp_mpp.web.cli.simulate.calls import code_option, token_option
from flask_otp_mpp.web.cli.simulate.signed import (
    STATUS,
    call_and_print,
    connect,
    signing_options,
)


@click.group(
    cls=AppGroup,
    epilog=examples(
        "flask --app wallet otp-mpp simulate ams init --key shop.pem --id order-1 --token tok-ada",
        status=STATUS,
    ),
)
def ams() -> None:
    """Call the wallet as a merchant of AMS: init, then verify."""


_options = add_options(
    click.option(
        "--id",
        "request_id",
        required=True,
        help="The id of the send: the authenticationRequestId, which you choose; the same for "
        "init and verify.",
    ),
    signing_options(
        f"{SANDBOX_PREFIX} if the client id starts with `SANDBOX_`, and {PREFIX} otherwise"
    ),
)


@ams.command(
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate ams init --key shop.pem \\\n"
        "    --id order-1 --token tok-ada --expect SUCCESS",
        status=STATUS,
    ),
)
@_options
@token_option
@click.option("--channel", default="SMS", show_default=True, help="The authenticationChannelType.")
def init(token: str, request_id: str, channel: str, tamper: Tamper | None, **options: Any) -> None:
    """Call initAuthentication: ask the wallet to send a code.

    What an option does not say is read from the app: the client whose key --key is, its public
    prefix, and the wallet's public key.
    """
    _call(lambda caller: caller.init(token, request_id, channel=channel, tamper=tamper), **options)


@ams.command(
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate ams verify --key shop.pem \\\n"
        "    --id order-1 --code 123456 --expect SUCCESS",
        status=STATUS,
    ),
)
@_options
@code_option
def verify(request_id: str, code: str, tamper: Tamper | None, **options: Any) -> None:
    """Call verifyAuthentication: ask the wallet whether a code is right.

    The other options are those of init.
    """
    _call(lambda caller: caller.verify(request_id, code, tamper=tamper), **options)


def _call(
    method: Callable[[AmsCaller], AmsAnswer],
    *,
    as_json: bool,
    expect: str | None,
    **options: Any,
) -> None:
    connection = connect(Ams, **options)
    caller = AmsCaller(connection.target.transport, prefix=connection.prefix, **connection.signing)
    call_and_print(connection.target, lambda: method(caller), as_json=as_json, expected=expect)
