"""What the calls of Alipay+ and AMS share: signing options, the connection, the printed answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, get_args

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.callers.signed import SignedAnswer, SigningOptions
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.conformance.explain.string_to_sign import first_difference
from flask_otp_mpp.core.caller import CLIENT_ID, CLIENT_ID_RULE
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.signing.keys import load_private_key, load_public_key
from flask_otp_mpp.web.cli.group import echo, echo_json
from flask_otp_mpp.web.cli.options import add_options
from flask_otp_mpp.web.cli.simulate.calls import (
    Target,
    call_options,
    end,
    find_target,
    indented,
    lines,
    parsed,
    reaching,
)
from flask_otp_mpp.web.cli.simulate.verified import explain, watch_signatures
from flask_otp_mpp.web.extension import state_of
from flask_otp_mpp.web.known_callers import FIRST_VERSION, known_caller

C = TypeVar("C", bound=Callable[..., Any])
P = TypeVar("P", AlipayPlus, Ams)
STATUS: Final = (
    "0 if the answer's signature is valid, whatever its result code; 1 if not, if --expect names "
    "another code, if the wallet can't be reached, or if an option can't be used; 2 if one is "
    "missing."
)


def signing_options(usual_prefix: str) -> Callable[[C], C]:
    """Return a decorator that adds the options for the caller, its key, and the wallet."""
    return add_options(
        click.option(
            "--key", required=True, help="The caller's private key: a file, PEM or base64."
        ),
        click.option(
            "--client-id",
            help="The caller's Client-Id. Default: the client of the app that has the public half "
            "of --key.",
        ),
        click.option(
            "--key-version",
            help="The version of the caller's key. Default: the one under which the app has it, or "
            f"{FIRST_VERSION}.",
        ),
        click.option(
            "--server-key",
            "server_keys",
            multiple=True,
            metavar="VERSION=KEY",
            help="The wallet's public key: a file, PEM or base64. Default: those of the app. May "
            "be repeated.",
        ),
        call_options(usual_prefix, get_args(Tamper)),
    )


@dataclass(frozen=True, slots=True)
class Connection(Generic[P]):
    """How a wallet is called.

    :param prefix: None if neither an option nor an app says it.
    """

    target: Target[P]
    prefix: str | None
    signing: SigningOptions


def connect(
    kind: type[P],
    *,
    url: str | None,
    prefix: str | None,
    client_id: str | None,
    key: str,
    key_version: str | None,
    server_keys: Iterable[str],
) -> Connection[P]:
    """Return how to call the wallet; what the options leave open is read from the app.

    :raises click.ClickException: if an option can't be used, or is missing.
    """
    if client_id is not None and CLIENT_ID.fullmatch(client_id) is None:
        raise click.ClickException(f"--client-id is {client_id!r}; it has {CLIENT_ID_RULE}")
    named = (item.partition("=") for item in server_keys)
    try:
        keys: Mapping[str, RSAPublicKey] = {
            version: load_public_key(source) for version, _, source in named
        }
        private = load_private_key(key)
        target = find_target(url, kind)
    except ValueError as fault:
        raise click.ClickException(f"--key or --server-key or --url: {fault}") from None
    paths = None
    if target.app is not None and target.protocol is not None:
        try:
            known = known_caller(target.protocol, private, client_id)
        except ValueError as fault:
            raise click.UsageError(f"{fault}; name --client-id") from None
        client_id, key_version = known.client_id, key_version or known.key_version
        prefix, keys = prefix or known.prefix, keys or state_of(target.app).public_keys
        paths = known.paths
    if client_id is None:
        raise click.UsageError("without an app that knows it, --client-id is needed")
    if not keys:
        raise click.UsageError(
            "without an app that knows it, --server-key VERSION=KEY is needed to check the answer"
        )
    signing: SigningOptions = {
        "client_id": client_id,
        "key": private,
        "key_version": key_version or FIRST_VERSION,
        "server_keys": keys,
    }
    if paths is not None:
        signing["paths"] = paths
    return Connection(target, prefix, signing)


def call_and_print(
    target: Target[P],
    call: Callable[[], SignedAnswer],
    *,
    as_json: bool,
    expected: str | None,
) -> None:
    """Call the wallet and print request and answer; exit with 1 if the answer is not valid."""
    refused: list[str] = []
    with reaching(target.url), ExitStack() as watching:
        if target.url is None and target.app is not None and target.protocol is not None:
            refused = watching.enter_context(watch_signatures(target.app, target.protocol))
        answer = call()
    verified = refused[0] if refused else None
    if as_json:
        echo_json(_as_json(answer, verified))
    else:
        _print(answer, verified)
    end(verified=answer.verified, code=answer.code, response=answer.response, expected=expected)


def _as_json(answer: SignedAnswer, verified: str | None) -> Mapping[str, object]:
    call, response = answer.call, answer.response
    shown = {
        "string_to_sign": answer.string_to_sign,
        "request": {
            "method": call.method,
            "uri": call.uri,
            "headers": dict(call.headers),
            "body": parsed(call.body),
        },
        "answer": {
            "status": response.status,
            "headers": dict(response.headers),
            "body": parsed(response.body),
        },
        "signature_holds": answer.verified,
    }
    if verified is None:
        return shown
    difference = first_difference(answer.string_to_sign, verified)
    return {**shown, "string_verified": verified, "first_difference": difference}


def _print(answer: SignedAnswer, verified: str | None) -> None:
    call, response = answer.call, answer.response
    echo(f"String to sign\n{indented(answer.string_to_sign)}\n")
    echo(f"Request\n  {call.method} {call.uri}")
    echo(lines(call.headers.items(), call.body))
    echo(f"\nAnswer\n  HTTP {response.status}")
    echo(lines(response.headers, response.body))
    if verified is not None:
        echo(f"\n{explain(answer.string_to_sign, verified)}")
    echo(f"\nThe answer's signature {'holds' if answer.verified else 'DOES NOT HOLD'}.")
