"""``otp-mpp-conformance init``: write the TOML file that describes an endpoint."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from flask_otp_mpp.conformance.case import GOOGLE, Wire
from flask_otp_mpp.conformance.cli.template import Answers, to_toml, usual

_PROTOCOL: Final = click.Choice([one.value for one in Wire])
_INBOXES: Final = {
    "fixed": {"code": "The code of every user"},
    "command": {"command": "The command that prints the newest message; {user} and {id} in it"},
    "json": {
        "url": "The URL that answers with messages; {user} and {id} in it",
        "pointer": "The JSON pointer to the newest message, such as /-/code",
    },
    "file": {"path": "The file to which messages are written; {user} in it"},
    "terminal": {},
    "none": {},
}


@click.command(
    epilog="\b\nExamples:\n"
    "  otp-mpp-conformance init wallet.toml\n"
    "  otp-mpp-conformance init wallet.toml --protocol ams --defaults\n"
    "\nExit status: 0 if the file was written, 2 if not."
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--protocol",
    type=click.Choice([one.value for one in Wire]),
    help="The protocol; it is not asked then.",
)
@click.option("--defaults", is_flag=True, help="Ask nothing; write values to replace.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def init(file: Path, *, protocol: str | None, defaults: bool, force: bool) -> None:
    """Write FILE, which describes an endpoint; ask for what is needed.

    The file explains every table; those that are not used are commented out. Only you can read it,
    since it may hold tokens and names keys.
    """
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists; --force replaces it")
    if defaults and protocol is None:
        raise click.UsageError("--defaults needs --protocol")
    if protocol is None:
        protocol = _ask("Protocol", "alipayplus", type=_PROTOCOL)
    known = usual(Wire(protocol))
    answers = known if defaults else _asked(known)
    try:
        _write(file, to_toml(answers))
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    click.echo(f"{file} was written. Read it, then: otp-mpp-conformance run {file}")


def _asked(known: Answers) -> Answers:
    """Ask for all that is particular to an endpoint."""
    base_url = _ask("Base URL: scheme, host and the path below which the APIs are", known.base_url)
    side = {name: _ask(question, getattr(known, name)) for name, question in _questions(known.wire)}
    what = "Phone numbers" if known.wire in GOOGLE else "Tokens"
    tokens = _ask(f"{what} of valid users: a template with {{n}}, or one of them", known.tokens)
    count = _ask("How many users", known.count, type=int) if "{n" in tokens else 1
    kind = _ask("Inbox: how the kit learns codes", "terminal", type=click.Choice([*_INBOXES]))
    inbox = {"kind": kind, **{name: _ask(question) for name, question in _INBOXES[kind].items()}}
    return replace(known, base_url=base_url, tokens=tokens, count=count, inbox=inbox, **side)


def _questions(wire: Wire) -> list[tuple[str, str]]:
    if wire in GOOGLE:
        return [
            ("path", "Path of the account below the base URL"),
            ("private_key", "File of Google's private key, with which the kit signs"),
            ("wallet_key", "File of the wallet's public key"),
        ]
    ids = [("acquirer_id", "acquirerId"), ("psp_id", "pspId")] if wire is Wire.ALIPAYPLUS else []
    return [
        ("client_id", "Client-Id"),
        *ids,
        ("private_key", "File of that client's private key, with which the kit signs"),
        ("wallet_key", "File of the wallet's public key"),
    ]


def _ask(question: str, usual: Any = None, **options: Any) -> Any:
    return click.prompt(question, default=usual, err=True, **options)


def _write(file: Path, text: str) -> None:
    """Write a file that nobody else can read, whatever is there."""
    file.unlink(missing_ok=True)
    with os.fdopen(
        os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as opened:
        opened.write(text)
