"""``otp-mpp``: tools for an integration that need no app.

``flask otp-mpp`` has the commands that need one.
"""

from __future__ import annotations

import re
from typing import Any, Final

import click

from flask_otp_mpp.conformance.explain.base import PREFIXES, Known, Mistake
from flask_otp_mpp.conformance.explain.captured import Unreadable
from flask_otp_mpp.conformance.explain.command import STATUS, capture_options, captured_of, output
from flask_otp_mpp.conformance.explain.explain import explain
from flask_otp_mpp.conformance.explain.key_forms import GivenKey, read_key
from flask_otp_mpp.conformance.explain.mistakes import mistake_rows
from flask_otp_mpp.signing.keys import KeyFault

_NAMED: Final = re.compile(r"([A-Za-z0-9._-]{1,64})=(.+)", re.DOTALL)


@click.group()
def main() -> None:
    """Try out and check what speaks the protocols of Alipay+ and AMS; no app is needed."""


def _print_list(context: click.Context, _option: click.Parameter, given: bool) -> None:  # noqa: FBT001 - click's
    if given:
        for id_, title, signed, remedy in mistake_rows():
            click.echo(f"{id_}\n  {title}\n  signed, sent or given: {signed}\n  remedy: {remedy}")
        context.exit()


@main.command(
    epilog="\b\nExamples:\n"
    "  otp-mpp explain-signature request.http --key 1=alipayplus.pub\n"
    "  curl -v … 2>&1 | otp-mpp explain-signature - --body @body.json --key caller.pub\n"
    "  otp-mpp explain-signature calls.har --entry 3 --answer --key wallet.pub\n"
    "  otp-mpp explain-signature --uri /aps/api/v1/users/sendOTP --client-id 5Y00 \\\n"
    "      --time 2026-03-01T08:51:49Z --signature 'algorithm=RSA256,…' \\\n"
    "      --body @body.json --key caller.pub\n\n"
    f"Exit status: {STATUS}"
)
@capture_options
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="[VERSION=]KEY",
    help="The public key of the sender: a file, PEM or base64. May be repeated.",
)
@click.option(
    "--other-side",
    multiple=True,
    metavar="[VERSION=]KEY",
    help="A public key of the receiver, to find out whether the keys were mixed up.",
)
@click.option(
    "--other-client",
    multiple=True,
    metavar="ID[=KEY]",
    help="Another client id, and its public key, to find out whether clients were mixed up.",
)
@click.option("--prefix", multiple=True, help="A path prefix that may have been signed.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_list,
    help="List the mistakes that are looked for, and exit.",
)
def explain_signature(
    capture: str | None,
    keys: tuple[str, ...],
    other_side: tuple[str, ...],
    other_client: tuple[str, ...],
    prefix: tuple[str, ...],
    *,
    as_json: bool,
    show_secrets: bool,
    **parts: Any,
) -> None:
    """Say why the signature of a request or an answer does not verify.

    CAPTURE is a file with a raw HTTP message (a request, an answer, or both), the output of
    `curl -v`, or HAR; - reads the standard input. Without it the message is given in parts. A part
    that is given beside a CAPTURE replaces what is in it: `curl -v` does not print the body of the
    request, and an answer alone does not say the URI that it signs.

    What the signature covers is
    METHOD, a space, the URI, a line feed, and client-id.time.body
    with the bytes of the body as they are on the wire. If it covers something else, the mistakes
    of --list are tried, each alone and many in pairs, and the one that makes it verify is named.
    """
    if not keys:
        raise click.UsageError("--key is needed: the public key of the sender")
    message = captured_of(capture, **parts)
    senders = _keys(keys, "--key")
    known = Known(
        prefixes=(*prefix, *PREFIXES),
        clients=tuple(item.partition("=")[0] for item in other_client),
        other_side={name: one.key for name, one in _keys(other_side, "--other-side").items()},
        other_clients={
            name: one.key
            for name, one in _keys(
                [item for item in other_client if "=" in item], "--other-client"
            ).items()
        },
    )
    try:
        found = explain(message, {name: one.key for name, one in senders.items()}, known)
    except Unreadable as fault:
        raise click.UsageError(str(fault)) from None
    forms: dict[str, tuple[Mistake, ...]] = {name: one.mistakes for name, one in senders.items()}
    found = found.with_mistakes_of_key(forms)
    click.echo(output(found, as_json=as_json, show_secrets=show_secrets))
    click.get_current_context().exit(0 if found.verified else 1)


def _keys(given: tuple[str, ...] | list[str], option: str) -> dict[str, GivenKey]:
    """Read keys, each by the version or the client that stands before it."""
    keys: dict[str, GivenKey] = {}
    for item in given:
        named = _NAMED.fullmatch(item)
        name, source = (named[1], named[2]) if named else ("", item)
        if name in keys:
            raise click.UsageError(f"{option}: two keys have the name {name!r}; write NAME=KEY")
        try:
            keys[name] = read_key(source)
        except KeyFault as fault:
            raise click.UsageError(f"{option}: {fault}") from None
    return keys
