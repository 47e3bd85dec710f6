"""Whoever is played signs, reaches the wallet and shows its answer in one way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, get_args

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask.cli import ScriptInfo

from flask_otp_mpp.callers.signed import SignedAnswer, SigningOptions, Tamper
from flask_otp_mpp.callers.transport import Transport, over_http, over_wsgi
from flask_otp_mpp.signing.keys import load_private_key, load_public_key
from flask_otp_mpp.web.extension import state_of

C = TypeVar("C", bound=Callable[..., Any])


def adding(*options: Callable[[C], C]) -> Callable[[C], C]:
    """Return what adds options to a command, in this order."""

    def add(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def signing_options(command: C) -> C:
    """Add who calls, how the wallet is reached, and what is done wrong."""
    return adding(
        click.option("--client-id", required=True, help="The Client-Id to call as."),
        click.option("--key", required=True, help="Its private key: a file, PEM or base64."),
        click.option("--key-version", default="1", show_default=True, help="The key's version."),
        click.option("--url", help="A running wallet: scheme, host and port, such as http://host."),
        click.option(
            "--server-key",
            "server_keys",
            multiple=True,
            metavar="VERSION=KEY",
            help="The wallet's public key, needed with --url. May be repeated.",
        ),
        click.option(
            "--tamper", type=click.Choice(get_args(Tamper)), help="Do this one thing wrong."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON for machines."),
    )(command)


def reach(
    *, client_id: str, key: str, key_version: str, url: str | None, server_keys: Iterable[str]
) -> tuple[Transport, SigningOptions]:
    """Return how the wallet is reached, and by what keys it is spoken to.

    :raises click.ClickException: if an option can't be used.
    """
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
    """Reach the wallet and learn its public keys: from the options, or from the app itself."""
    named = (item.partition("=") for item in server_keys)
    known = {version: load_public_key(source) for version, _, source in named}
    if url is not None:
        if not known:
            raise click.UsageError("--url needs --server-key VERSION=KEY to check the answer by")
        return over_http(url), known
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    return over_wsgi(app), known or state_of(app).public_keys


def show(answer: SignedAnswer, *, as_json: bool) -> None:
    """Print a call and its answer; the command fails if the answer is not signed by the wallet."""
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
