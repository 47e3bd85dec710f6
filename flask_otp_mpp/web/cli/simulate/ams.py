"""``simulate ams init`` and ``simulate ams verify`` call the wallet as a merchant does."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from flask_otp_mpp.callers.ams import PREFIX, SANDBOX_PREFIX, AmsCaller
from flask_otp_mpp.callers.signed import Tamper
from flask_otp_mpp.web.cli.simulate.signed import adding, reach, show, signing_options


@click.group(cls=AppGroup)
def ams() -> None:
    """Call the wallet as a merchant of AMS."""


_options = adding(
    click.option(
        "--id", "request_id", required=True, help="The authenticationRequestId, of your making."
    ),
    click.option(
        "--prefix",
        help=f"The API's path prefix.  [default: {SANDBOX_PREFIX} if the client id starts with "
        f"SANDBOX_, otherwise {PREFIX}]",
    ),
)


@ams.command("init", with_appcontext=False)
@signing_options
@_options
@click.option("--token", required=True, help="The access token of the user.")
@click.option("--channel", default="SMS", show_default=True, help="authenticationChannelType.")
def init(
    as_json: bool, token: str, request_id: str, channel: str, tamper: Tamper | None, **who: Any
) -> None:
    """Call initAuthentication."""
    answer = _merchant(**who).init(token, request_id, channel=channel, tamper=tamper)
    show(answer, as_json=as_json)


@ams.command("verify", with_appcontext=False)
@signing_options
@_options
@click.option("--code", required=True, help="The code that the user typed.")
def verify(as_json: bool, request_id: str, code: str, tamper: Tamper | None, **who: Any) -> None:
    """Call verifyAuthentication."""
    show(_merchant(**who).verify(request_id, code, tamper=tamper), as_json=as_json)


def _merchant(*, prefix: str | None, **who: Any) -> AmsCaller:
    transport, signing = reach(**who)
    return AmsCaller(transport, prefix=prefix, **signing)
