"""``simulate send`` and ``simulate verify`` call the wallet as Alipay+ does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from flask_otp_mpp.callers.alipayplus import PREFIX, AlipayPlusCaller
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.web.cli.options import add_options, examples
from flask_otp_mpp.web.cli.simulate.signed import (
    STATUS,
    connect,
    print_answer,
    signing_options,
)

C = TypeVar("C", bound=Callable[..., Any])


def _options(command: C) -> C:
    return signing_options(
        add_options(
            click.option("--psp-id", required=True, help="The wallet's pspId."),
            click.option(
                "--acquirer-id",
                default="1022188000000000000",
                show_default=True,
                help="The acquirerId.",
            ),
            click.option("--token", required=True, help="The user's access token."),
            click.option(
                "--prefix", default=PREFIX, show_default=True, help="The API's path prefix."
            ),
        )(command)
    )


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp simulate send --client-id TRIAL --key caller.pem \\\n"
        "    --psp-id 1022172000000000001 --token tok-ada",
        status=STATUS,
    )
)
@_options
@click.option("--type", "verify_type", default="MOBILE", show_default=True, help="The verifyType.")
def send(
    as_json: bool, token: str, verify_type: str, tamper: Tamper | None, **options: Any
) -> None:
    """Call sendOTP as Alipay+: ask the wallet to send a code."""
    answer = _caller(**options).send(token, tamper=tamper, verifyType=verify_type)
    print_answer(answer, as_json=as_json)


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp simulate verify --client-id TRIAL --key caller.pem \\\n"
        "    --psp-id 1022172000000000001 --token tok-ada --id VERIFY_REQUEST_ID --code 123456",
        status=STATUS,
    )
)
@_options
@click.option(
    "--id", "verify_request_id", required=True, help="The verifyRequestId that sendOTP answered."
)
@click.option("--code", required=True, help="The code that the user typed.")
def verify(
    as_json: bool,
    token: str,
    verify_request_id: str,
    code: str,
    tamper: Tamper | None,
    **options: Any,
) -> None:
    """Call verifyOTP as Alipay+: ask the wallet whether a code is right."""
    answer = _caller(**options).verify(token, verify_request_id, code, tamper=tamper)
    print_answer(answer, as_json=as_json)


def _caller(*, psp_id: str, acquirer_id: str, prefix: str, **options: Any) -> AlipayPlusCaller:
    transport, signing = connect(**options)
    return AlipayPlusCaller(
        transport, psp_id=psp_id, acquirer_id=acquirer_id, prefix=prefix, **signing
    )
