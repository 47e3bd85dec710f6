"""``simulate google`` shows one call to the wallet, in its envelope and out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, get_args

import click
from flask.cli import AppGroup, ScriptInfo

from flask_otp_mpp.callers.google import MATCHING, PREFIX, GoogleAnswer, GoogleCaller
from flask_otp_mpp.callers.google_faults import Tamper
from flask_otp_mpp.callers.transport import Transport, over_http, over_wsgi
from flask_otp_mpp.web.cli.simulate.signed import adding


@click.group(cls=AppGroup)
def google() -> None:
    """Call the wallet as Google would, sealed, and open what it answers.

    Without --url the call stays inside this process and needs no server. The exit status is 0 if
    the answer opens by the account's keys, whatever it says, or has no body.
    """


_options = adding(
    click.option(
        "--envelope",
        type=click.Choice(["jose", "pgp", "plain"]),
        default="jose",
        show_default=True,
        help="How the account seals.",
    ),
    click.option(
        "--key",
        "our_keys",
        multiple=True,
        help="Google's private keys: a file of JWKs, or armored. May be repeated.",
    ),
    click.option(
        "--server-key",
        "their_keys",
        multiple=True,
        help="The wallet's public keys, in such a file. May be repeated.",
    ),
    click.option("--url", help="A running wallet: scheme, host and port, such as http://host."),
    click.option("--prefix", default=PREFIX, show_default=True, help="The account's path prefix."),
    click.option("--request-id", help="The requestId; one of its own if it is not given."),
    click.option("--tamper", type=click.Choice(get_args(Tamper)), help="Do this one thing wrong."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON for machines."),
)


@google.command("send", with_appcontext=False)
@_options
@click.option("--phone", help="The accountPhoneNumber in E.164.")
@click.option("--association", help="The associationId, in place of a number.")
@click.option("--token", default=MATCHING, show_default=True, help="The smsMatchingToken.")
def simulate_send(
    *, as_json: bool, phone: str | None, association: str | None, token: str, **who: Any
) -> None:
    """Call sendOtp."""
    fields: dict[str, Any] = {"smsMatchingToken": token, "associationId": association}
    _show(_call(who, lambda caller, how: caller.send(phone, **fields, **how)), as_json=as_json)


@google.command("verify", with_appcontext=False)
@_options
@click.option("--sent", required=True, help="The requestId of the sendOtp before it.")
@click.option("--code", required=True, help="The code that the user typed.")
def simulate_verify(*, as_json: bool, sent: str, code: str, **who: Any) -> None:
    """Call verifyOtp."""
    _show(_call(who, lambda caller, how: caller.verify(sent, code, **how)), as_json=as_json)


@google.command("echo", with_appcontext=False)
@_options
@click.option("--message", default="hello", show_default=True, help="The clientMessage.")
def simulate_echo(*, as_json: bool, message: str, **who: Any) -> None:
    """Call echo."""
    _show(_call(who, lambda caller, how: caller.echo(message, **how)), as_json=as_json)


def _call(
    who: dict[str, Any], ask: Callable[[GoogleCaller, dict[str, Any]], GoogleAnswer]
) -> GoogleAnswer:
    """Make the caller, call the wallet, and release what the account's envelope holds open."""
    how = {name: who.pop(name) for name in ("request_id", "tamper")}
    url, prefix, kind = who.pop("url"), who.pop("prefix"), who.pop("envelope")
    keys = {name: list(value) for name, value in who.items() if value}
    try:
        transport = over_http(url) if url is not None else _inside()
        caller = GoogleCaller.from_account(transport, {"envelope": kind, **keys}, prefix=prefix)
    except ValueError as fault:
        raise click.ClickException(f"--key or --server-key or --url: {fault}") from None
    try:
        return ask(caller, how)
    except ValueError as fault:
        raise click.ClickException(f"--tamper: {fault}") from None
    finally:
        caller.close()


def _inside() -> Transport:
    return over_wsgi(click.get_current_context().ensure_object(ScriptInfo).load_app())


def _show(answer: GoogleAnswer, *, as_json: bool) -> None:
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
            click.echo(f"\nIn its envelope\n  {inner}")
            click.echo(f"\nThe answer {'opens' if opened else 'DOES NOT OPEN'}.")
        else:
            click.echo("\nThe answer has no body.")
    if not answer.verified:
        raise SystemExit(1)


def _lines(headers: Iterable[tuple[str, str]], body: bytes) -> str:
    lines = [f"  {name}: {value}" for name, value in headers]
    return "\n".join([*lines, "", f"  {body.decode()}"])
