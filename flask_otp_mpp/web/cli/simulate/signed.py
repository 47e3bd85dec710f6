"""What the calls of Alipay+ and AMS share: signing options, the connection, the printed answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar, get_args

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask.cli import ScriptInfo

from flask_otp_mpp.callers.signed import SignedAnswer, SigningOptions
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.callers.transport import Transport, over_http, over_wsgi
from flask_otp_mpp.core.caller import CLIENT_ID, CLIENT_ID_RULE
from flask_otp_mpp.signing.keys import load_private_key, load_public_key
from flask_otp_mpp.web.cli.options import add_options, json_option
from flask_otp_mpp.web.extension import state_of

C = TypeVar("C", bound=Callable[..., Any])
STATUS: Final = (
    "0 if the answer's signature is valid, whatever its result code; 1 if not, or if an option "
    "can't be used."
)


def signing_options(command: C) -> C:
    """Add the options for the caller, its key, the wallet's address, and a fault."""
    return add_options(
        click.option("--client-id", required=True, help="The caller's Client-Id."),
        click.option(
            "--key", required=True, help="The caller's private key: a file, PEM or base64."
        ),
        click.option(
            "--key-version", default="1", show_default=True, help="The version of the caller's key."
        ),
        click.option(
            "--url",
            help="A running wallet: scheme, host and port, such as http://host. Default: the app.",
        ),
        click.option(
            "--server-key",
            "server_keys",
            multiple=True,
            metavar="VERSION=KEY",
            help="The wallet's public key; required with --url. May be repeated.",
        ),
        click.option(
            "--tamper",
            type=click.Choice(get_args(Tamper)),
            help="Put this one fault into the request.",
        ),
        json_option,
    )(command)


def connect(
    *, client_id: str, key: str, key_version: str, url: str | None, server_keys: Iterable[str]
) -> tuple[Transport, SigningOptions]:
    """Return a transport to the wallet, and the keys that sign requests and check answers.

    :raises click.ClickException: if an option can't be used.
    """
    if CLIENT_ID.fullmatch(client_id) is None:
        raise click.ClickException(f"--client-id is {client_id!r}; it has {CLIENT_ID_RULE}")
    try:
        transport, known = _wallet(url, server_keys)
        private = load_private_key(key)
    except ValueError as fault:
        raise click.ClickException(f"--key or --server-key or --url: {fault}") from None
    return transport, {
        "client_id": client_id,
        "key": private,
        "key_version": key_version,
        "server_keys": known,
    }


def _wallet(
    url: str | None, server_keys: Iterable[str]
) -> tuple[Transport, Mapping[str, RSAPublicKey]]:
    """Return a transport to the wallet, and its public keys by version: from options or the app."""
    named = (item.partition("=") for item in server_keys)
    known = {version: load_public_key(source) for version, _, source in named}
    if url is not None:
        if not known:
            raise click.UsageError(
                "--url needs --server-key VERSION=KEY, to check the answer's signature"
            )
        return over_http(url), known
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    return over_wsgi(app), known or state_of(app).public_keys


def print_answer(answer: SignedAnswer, *, as_json: bool) -> None:
    """Print a call and its answer; exit with status 1 if the wallet did not sign the answer."""
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
