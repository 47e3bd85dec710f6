"""``simulate send`` and ``simulate verify`` call the wallet as Alipay+ does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from flask_otp_mpp.callers.alipayplus import PREFIX, AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.clients import Scope
from flask_otp_mpp.web.cli.options import add_options, examples
from flask_otp_mpp.web.cli.simulate.calls import code_option, token_option
from flask_otp_mpp.web.cli.simulate.signed import (
    STATUS,
    Connection,
    call_and_print,
    connect,
    signing_options,
)

C = TypeVar("C", bound=Callable[..., Any])
USUAL_ACQUIRER: Final = "1022188000000000000"


def _options(command: C) -> C:
    return add_options(
        token_option,
        click.option("--psp-id", help="The wallet's pspId. Default: the app's for this client."),
        click.option(
            "--acquirer-id",
            help="The acquirerId. Default: one that the app allows this client, or "
            f"{USUAL_ACQUIRER}.",
        ),
        signing_options(PREFIX),
    )(command)


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp simulate send --key caller.pem --token tok-ada",
        "flask otp-mpp simulate send --url http://127.0.0.1:5000 --key caller.pem \\\n"
        "    --client-id TRIAL --psp-id 1022172000000000001 --server-key 1=wallet.pub \\\n"
        "    --token tok-ada --expect SUCCESS",
        status=STATUS,
    )
)
@_options
@click.option("--type", "verify_type", default="MOBILE", show_default=True, help="The verifyType.")
def send(token: str, verify_type: str, tamper: Tamper | None, **options: Any) -> None:
    """Call sendOTP as Alipay+: ask the wallet to send a code.

    What an option does not say is read from the app: the client whose key --key is, its pspId, the
    public prefix, and the wallet's public key.
    """
    _call(lambda caller: caller.send(token, tamper=tamper, verifyType=verify_type), **options)


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp simulate verify --key caller.pem --token tok-ada \\\n"
        "    --id VERIFY_REQUEST_ID --code 123456 --expect SUCCESS",
        status=STATUS,
    )
)
@_options
@click.option(
    "--id",
    "verify_request_id",
    required=True,
    help="The id of the send: the verifyRequestId that sendOTP was answered with.",
)
@code_option
def verify(
    token: str, verify_request_id: str, code: str, tamper: Tamper | None, **options: Any
) -> None:
    """Call verifyOTP as Alipay+: ask the wallet whether a code is right.

    The other options are those of send.
    """
    _call(lambda caller: caller.verify(token, verify_request_id, code, tamper=tamper), **options)


def _call(
    method: Callable[[AlipayPlusCaller], AlipayPlusAnswer],
    *,
    psp_id: str | None,
    acquirer_id: str | None,
    as_json: bool,
    expect: str | None,
    **options: Any,
) -> None:
    connection = connect(AlipayPlus, **options)
    scope = _scope(connection)
    psp_id = psp_id or min(scope.psp_ids, default=None)
    if psp_id is None:
        raise click.UsageError("without an app that knows it, --psp-id is needed")
    caller = AlipayPlusCaller(
        connection.target.transport,
        psp_id=psp_id,
        acquirer_id=acquirer_id or min(scope.acquirers or (), default=USUAL_ACQUIRER),
        prefix=connection.prefix or PREFIX,
        **connection.signing,
    )
    call_and_print(connection.target, lambda: method(caller), as_json=as_json, expected=expect)


def _scope(connection: Connection[AlipayPlus]) -> Scope:
    """Return what the client may name, as far as an app knows it."""
    protocol = connection.target.protocol
    if protocol is None:
        return Scope(frozenset(), None)
    return protocol.scope_of(connection.signing["client_id"])
