"""``simulate send`` and ``simulate verify`` call the wallet as Alipay+ does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from flask_otp_mpp.callers.alipayplus import PREFIX, AlipayPlusCaller
from flask_otp_mpp.callers.signed import Tamper
from flask_otp_mpp.web.cli.simulate.signed import adding, reach, show, signing_options

C = TypeVar("C", bound=Callable[..., Any])


def _options(command: C) -> C:
    return signing_options(
        adding(
            click.option("--psp-id", required=True, help="The wallet's pspId."),
            click.option(
                "--acquirer-id",
                default="1022188000000000000",
                show_default=True,
                help="An acquirer.",
            ),
            click.option("--token", required=True, help="The access token of the user."),
            click.option(
                "--prefix", default=PREFIX, show_default=True, help="The API's path prefix."
            ),
        )(command)
    )


@click.command("send")
@_options
@click.option("--type", "verify_type", default="MOBILE", show_default=True, help="verifyType.")
def send(as_json: bool, token: str, verify_type: str, tamper: Tamper | None, **who: Any) -> None:
    """Call sendOTP."""
    show(_caller(**who).send(token, tamper=tamper, verifyType=verify_type), as_json=as_json)


@click.command("verify")
@_options
@click.option("--id", "verify_request_id", required=True, help="The verifyRequestId.")
@click.option("--code", required=True, help="The code that the user typed.")
def verify(
    as_json: bool, token: str, verify_request_id: str, code: str, tamper: Tamper | None, **who: Any
) -> None:
    """Call verifyOTP."""
    show(_caller(**who).verify(token, verify_request_id, code, tamper=tamper), as_json=as_json)


def _caller(*, psp_id: str, acquirer_id: str, prefix: str, **who: Any) -> AlipayPlusCaller:
    transport, signing = reach(**who)
    return AlipayPlusCaller(
        transport, psp_id=psp_id, acquirer_id=acquirer_id, prefix=prefix, **signing
    )
