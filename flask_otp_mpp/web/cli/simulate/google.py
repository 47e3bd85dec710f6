"""``simulate google send``, ``verify`` and ``echo`` call the wallet as Google does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, get_args

import click
from flask.cli import AppGroup, ScriptInfo

from flask_otp_mpp.callers.google import MATCHING, PREFIX, GoogleCaller
from flask_otp_mpp.callers.google_answer import GoogleAnswer
from flask_otp_mpp.callers.google_faults import Tamper
from flask_otp_mpp.callers.transport import Transport, over_http, over_wsgi
from flask_otp_mpp.web.cli.options import add_options, examples, json_option


@click.group(cls=AppGroup)
def google() -> None:
    """Call the wallet as Google would, encrypted and signed.

    Without --url the call goes to the app inside this process, so no server is needed.
    """


_STATUS: Final = (
    "0 if the answer decrypts and the wallet signed it, whatever its result, or if it has no body; "
    "1 if not, or if an option can't be used."
)
_options = add_options(
    click.option(
        "--envelope",
        type=click.Choice(["jose", "pgp", "plain"]),
        default="jose",
        show_default=True,
        help="How the account encrypts and signs.",
    ),
    click.option(
        "--key",
        "our_keys",
        multiple=True,
        help="Google's private keys: a file with a JWK set or armored PGP keys. May be repeated.",
    ),
    click.option(
        "--server-key",
        "their_keys",
        multiple=True,
        help="The wallet's public keys: a file of the same kind. May be repeated.",
    ),
    click.option(
        "--url",
        help="A running wallet: scheme, host and port, such as http://host. Default: the app.",
    ),
    click.option("--prefix", default=PREFIX, show_default=True, help="The account's path prefix."),
    click.option("--request-id", help="The requestId. Default: a new one."),
    click.option(
        "--tamper",
        type=click.Choice(get_args(Tamper)),
        help="Put this one fault into the request.",
    ),
    json_option,
)


@google.command(
    "send",
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate google send --phone +918067218010 \\\n"
        "    --request-id one --key google.jwks --server-key wallet.pub.jwks",
        status=_STATUS,
    ),
)
@_options
@click.option("--phone", help="The accountPhoneNumber in E.164.")
@click.option("--association", help="The associationId, instead of a number.")
@click.option("--token", default=MATCHING, show_default=True, help="The smsMatchingToken.")
def simulate_send(
    *, as_json: bool, phone: str | None, association: str | None, token: str, **options: Any
) -> None:
    """Call sendOtp: ask the wallet to send a code."""
    fields: dict[str, Any] = {"smsMatchingToken": token, "associationId": association}
    _print_answer(
        _call(options, lambda caller, request: caller.send(phone, **fields, **request)),
        as_json=as_json,
    )


@google.command(
    "verify",
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate google verify --sent one --code 123456 \\\n"
        "    --key google.jwks --server-key wallet.pub.jwks",
        status=_STATUS,
    ),
)
@_options
@click.option("--sent", required=True, help="The requestId of the sendOtp call.")
@click.option("--code", required=True, help="The code that the user typed.")
def simulate_verify(*, as_json: bool, sent: str, code: str, **options: Any) -> None:
    """Call verifyOtp: ask the wallet whether a code is right."""
    _print_answer(
        _call(options, lambda caller, request: caller.verify(sent, code, **request)),
        as_json=as_json,
    )


@google.command(
    "echo",
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate google echo --key google.jwks \\\n"
        "    --server-key wallet.pub.jwks",
        status=_STATUS,
    ),
)
@_options
@click.option("--message", default="hello", show_default=True, help="The clientMessage.")
def simulate_echo(*, as_json: bool, message: str, **options: Any) -> None:
    """Call echo: test the keys and the connection."""
    _print_answer(
        _call(options, lambda caller, request: caller.echo(message, **request)), as_json=as_json
    )


def _call(
    options: dict[str, Any], method: Callable[[GoogleCaller, dict[str, Any]], GoogleAnswer]
) -> GoogleAnswer:
    """Make the caller, call the wallet, and close the caller."""
    request = {name: options.pop(name) for name in ("request_id", "tamper")}
    url, prefix, kind = options.pop("url"), options.pop("prefix"), options.pop("envelope")
    keys = {name: list(value) for name, value in options.items() if value}
    try:
        transport = over_http(url) if url is not None else _app_transport()
        caller = GoogleCaller.from_account(transport, {"envelope": kind, **keys}, prefix=prefix)
    except ValueError as fault:
        raise click.ClickException(f"--key or --server-key or --url: {fault}") from None
    try:
        return method(caller, request)
    except ValueError as fault:
        raise click.ClickException(f"--tamper: {fault}") from None
    finally:
        caller.close()


def _app_transport() -> Transport:
    return over_wsgi(click.get_current_context().ensure_object(ScriptInfo).load_app())


def _print_answer(answer: GoogleAnswer, *, as_json: bool) -> None:
    call, response, opened = answer.call, answer.response, answer.opened
    inner = "" if opened is None else opened.payload.decode()
    if as_json:
        shown = {
            "request": {
                "method": call.method,
                "uri": call.uri,
                "headers": dict(call.headers),
                "payload": answer.asked.decode(),
                "body": call.body.decode(),
            },
            "answer": {
                "status": response.status,
                "headers": dict(response.headers),
                "body": response.body.decode(),
                "payload": inner,
            },
            "answer_opens": opened is not None,
        }
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo(f"Payload\n  {answer.asked.decode()}\n")
        click.echo(f"Request\n  {call.method} {call.uri}")
        click.echo(_lines(call.headers.items(), call.body))
        click.echo(f"\nAnswer\n  HTTP {response.status}")
        click.echo(_lines(response.headers, response.body))
        if response.body:
            click.echo(f"\nDecrypted\n  {inner}")
            click.echo(f"\nThe answer {'opens' if opened else 'DOES NOT OPEN'}.")
        else:
            click.echo("\nThe answer has no body.")
    if not answer.verified:
        raise SystemExit(1)


def _lines(headers: Iterable[tuple[str, str]], body: bytes) -> str:
    lines = [f"  {name}: {value}" for name, value in headers]
    return "\n".join([*lines, "", f"  {body.decode()}"])
