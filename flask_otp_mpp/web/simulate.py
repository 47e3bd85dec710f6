"""``flask otp-mpp simulate`` shows one call and its answer down to the bytes that were signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, get_args

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask.cli import AppGroup, ScriptInfo

from flask_otp_mpp.callers.alipayplus import PREFIX, AlipayPlusCaller, Answer, Tamper
from flask_otp_mpp.callers.transport import Transport, over_http, over_wsgi
from flask_otp_mpp.signing.keys import load_private_key, load_public_key
from flask_otp_mpp.web.extension import state_of

C = TypeVar("C", bound=Callable[..., Any])


@click.group(cls=AppGroup)
def simulate() -> None:
    """Call the wallet as Alipay+ would, signed, and check what it answers.

    Without --url the call stays inside this process and needs no server. The exit status is 0 if
    the answer's signature holds, whatever its code.
    """


def _caller_options(command: C) -> C:
    options = [
        click.option("--client-id", required=True, help="The Client-Id to call as."),
        click.option("--key", required=True, help="Its private key: a file, PEM or base64."),
        click.option("--key-version", default="1", show_default=True, help="The key's version."),
        click.option("--psp-id", required=True, help="The wallet's pspId."),
        click.option(
            "--acquirer-id", default="1022188000000000000", show_default=True, help="An acquirer."
        ),
        click.option("--token", required=True, help="The access token of the user."),
        click.option("--url", help="A running wallet: scheme, host and port, such as http://host."),
        click.option(
            "--server-key",
            "server_keys",
            multiple=True,
            metavar="VERSION=KEY",
            help="The wallet's public key, needed with --url. May be repeated.",
        ),
        click.option("--prefix", default=PREFIX, show_default=True, help="The API's path prefix."),
        click.option(
            "--tamper", type=click.Choice(get_args(Tamper)), help="Do this one thing wrong."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON for machines."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@simulate.command("send", with_appcontext=False)
@_caller_options
@click.option("--type", "verify_type", default="MOBILE", show_default=True, help="verifyType.")
def simulate_send(
    as_json: bool, token: str, verify_type: str, tamper: Tamper | None, **who: Any
) -> None:
    """Call sendOTP."""
    _show(_caller(**who).send(token, tamper=tamper, verifyType=verify_type), as_json)


@simulate.command("verify", with_appcontext=False)
@_caller_options
@click.option("--id", "verify_request_id", required=True, help="The verifyRequestId.")
@click.option("--code", required=True, help="The code that the user typed.")
def simulate_verify(
    as_json: bool, token: str, verify_request_id: str, code: str, tamper: Tamper | None, **who: Any
) -> None:
    """Call verifyOTP."""
    _show(_caller(**who).verify(token, verify_request_id, code, tamper=tamper), as_json)


def _caller(
    *,
    client_id: str,
    key: str,
    key_version: str,
    psp_id: str,
    acquirer_id: str,
    url: str | None,
    server_keys: Iterable[str],
    prefix: str,
) -> AlipayPlusCaller:
    try:
        transport, known = _wallet(url, server_keys)
        private = load_private_key(key)
    except ValueError as fault:
        raise click.ClickException(f"--key or --server-key or --url: {fault}") from None
    return AlipayPlusCaller(
        transport,
        client_id=client_id,
        key=private,
        key_version=key_version,
        server_keys=known,
        psp_id=psp_id,
        acquirer_id=acquirer_id,
        prefix=prefix,
    )


def _wallet(
    url: str | None, server_keys: Iterable[str]
) -> tuple[Transport, Mapping[str, RSAPublicKey]]:
    """Reach the wallet and learn its public keys: from the options, or from the app itself."""
    named = (item.partition("=") for item in server_keys)
    known = {version: load_public_key(source) for version, _, source in named}
    if url is not None:
        if not known:
            raise click.UsageError("--url needs --server-key VERSION=KEY to check the answer by")
        return over_http(url), known
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    return over_wsgi(app), known or state_of(app).public_keys


def _show(answer: Answer, as_json: bool) -> None:
    call, response = answer.call, answer.response
    if as_json:
        shown = {
            "string_to_sign": answer.string_to_sign,
            "request": {
                "method": call.method,
                "uri": call.uri,
                "headers": dict(call.headers),
                "body": call.body.decode(),
            },
            "answer": {
                "status": response.status,
                "headers": dict(response.headers),
                "body": response.body.decode(),
            },
            "signature_holds": answer.verified,
        }
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo(f"String to sign\n{_indented(answer.string_to_sign)}\n")
        click.echo(f"Request\n  {call.method} {call.uri}")
        click.echo(_lines(call.headers.items(), call.body))
        click.echo(f"\nAnswer\n  HTTP {response.status}")
        click.echo(_lines(response.headers, response.body))
        click.echo(f"\nThe answer's signature {'holds' if answer.verified else 'DOES NOT HOLD'}.")
    if not answer.verified:
        raise SystemExit(1)


def _lines(headers: Iterable[tuple[str, str]], body: bytes) -> str:
    lines = [f"{name}: {value}" for name, value in headers]
    return _indented("\n".join([*lines, "", body.decode()]))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
