"""What all calls share: the options, the app that is asked, and how a call ends."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from flask_otp_mpp.callers.transport import Response, Transport, over_http, over_wsgi
from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.web.cli.options import add_options, json_option
from flask_otp_mpp.web.extension import NotServedError, state_of
from flask_otp_mpp.web.known_callers import protocol_of, rewrites

P = TypeVar("P", bound=WireProtocol)

token_option: Final = click.option("--token", required=True, help="The user's access token.")
code_option: Final = click.option("--code", required=True, help="The code that the user typed.")


def call_options(usual_prefix: str, faults: Sequence[str]) -> Callable[[Any], Any]:
    """Return a decorator that adds the options of every call.

    :param usual_prefix: the default of --prefix, in words.
    :param faults: what --tamper can do.
    """
    return add_options(
        click.option(
            "--url",
            help="A running wallet: scheme, host and port, such as http://host. Default: the app "
            "inside this process.",
        ),
        click.option(
            "--prefix",
            help="The API's path prefix, as the caller calls it. Default: the app's public prefix, "
            f"or {usual_prefix}.",
        ),
        click.option(
            "--tamper",
            type=click.Choice(faults),
            metavar="FAULT",
            help=f"Put one fault into the request: {', '.join(faults)}.",
        ),
        click.option(
            "--expect",
            metavar="CODE",
            help="The result code that must be answered, or the HTTP status of an answer without a "
            "body; another one makes the exit status 1.",
        ),
        json_option,
    )


@dataclass(frozen=True, slots=True)
class Target(Generic[P]):
    """What is called, and what is known of it.

    :param url: of a running wallet; None for the app inside this process.
    :param app: None if a running wallet is called, and there is no app that serves the protocol.
    :param protocol: that of the app.
    """

    url: str | None
    transport: Transport
    app: Flask | None
    protocol: P | None


def find_target(url: str | None, kind: type[P]) -> Target[P]:
    """Return what is to be called.

    :raises ValueError: if it is no URL that can be called.
    :raises click.ClickException: if the app is to be called, and there is none.
    """
    over_network = None if url is None else over_http(url)
    try:
        app = click.get_current_context().ensure_object(ScriptInfo).load_app()
        protocol = protocol_of(state_of(app), kind)
    except (NoAppException, ConfigurationError, NotServedError):
        if over_network is None:
            raise
        return Target(url, over_network, None, None)
    return Target(url, over_network or over_wsgi(app, rewrites(protocol)), app, protocol)


@contextmanager
def reaching(url: str | None) -> Iterator[None]:
    """Tell in one line if a running wallet can't be called."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if url is None:
            raise
        cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise click.ClickException(f"{url} can't be called: {cause}") from None


def end(*, verified: bool, code: str, response: Response, expected: str | None) -> None:
    """Exit with status 1 if the wallet did not sign its answer, or another one was expected."""
    found = code if response.body else str(response.status)
    if expected is not None and found != expected:
        click.echo(f"Expected {expected}, and the wallet answered {found or 'no code'}.", err=True)
        raise SystemExit(1)
    if not verified:
        raise SystemExit(1)


def parsed(body: bytes) -> object:
    """Return what a body holds, for --json: JSON as it is, anything else as a text."""
    text = body.decode(errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def lines(headers: Iterable[tuple[str, str]], body: bytes) -> str:
    """Return headers and body as HTTP has them, indented."""
    shown = [f"{name}: {value}" for name, value in headers]
    return indented("\n".join([*shown, "", body.decode(errors="replace")]))


def indented(text: str) -> str:
    """Return a text with each line indented."""
    return "\n".join(f"  {line}" for line in text.splitlines())
