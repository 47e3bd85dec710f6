"""``simulate google send``, ``verify`` and ``echo`` call the wallet as Google does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.client import OK
from typing import Any, Final, get_args

import click
from flask.cli import AppGroup

from flask_otp_mpp.callers.google import MATCHING, PREFIX, GoogleCaller
from flask_otp_mpp.callers.google_answer import GoogleAnswer
from flask_otp_mpp.callers.google_faults import Tamper
from flask_otp_mpp.protocols.google.accounts import KINDS, JoseAccount
from flask_otp_mpp.protocols.google.jose.jwk import public_set
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.web.cli.group import echo, echo_json
from flask_otp_mpp.web.cli.options import add_options, examples
from flask_otp_mpp.web.cli.simulate.calls import (
    call_options,
    code_option,
    end,
    find_target,
    lines,
    parsed,
    reaching,
)

_AGREED: Final = (
    "signed",
    "rsa1_5",
    "key_algorithms",
    "content_algorithms",
    "signature_algorithms",
)
"""The members of an account by JOSE that are the same on both sides."""
_STATUS: Final = (
    "0 if the answer decrypts and the wallet signed it, whatever its result, or if it has no body; "
    "1 if not, if --expect names another result, if the wallet can't be reached, or if an option "
    "can't be used."
)


@click.group(
    cls=AppGroup,
    epilog=examples(
        "flask --app wallet otp-mpp simulate google echo --key google.jwks", status=_STATUS
    ),
)
def google() -> None:
    """Call the wallet as Google would, encrypted and signed.

    What an option does not say is read from the app's account: its envelope, its path, and the
    public halves of its keys.
    """


_options = add_options(
    click.option(
        "--envelope",
        type=click.Choice(["jose", "pgp", "plain"]),
        help="How the account encrypts and signs. Default: as the app's account does, or jose.",
    ),
    click.option(
        "--key",
        "our_keys",
        multiple=True,
        help="The caller's private key: a file with a JWK set or armored PGP keys. May be "
        "repeated.",
    ),
    click.option(
        "--server-key",
        "their_keys",
        multiple=True,
        help="The wallet's public key: a file of the same kind. Default, by JOSE: those of the "
        "app's account. May be repeated.",
    ),
    click.option("--request-id", help="The requestId. Default: a new one."),
    call_options(PREFIX, get_args(Tamper)),
)


@google.command(
    "send",
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate google send --key google.jwks \\\n"
        "    --phone +918067218010 --request-id one --expect SUCCESS",
        status=_STATUS,
    ),
)
@_options
@click.option("--phone", help="The accountPhoneNumber in E.164.")
@click.option("--association", help="The associationId, instead of a number.")
@click.option("--matching-token", default=MATCHING, show_default=True, help="The smsMatchingToken.")
def simulate_send(
    *, phone: str | None, association: str | None, matching_token: str, **options: Any
) -> None:
    """Call sendOtp: ask the wallet to send a code."""
    fields: dict[str, Any] = {"smsMatchingToken": matching_token, "associationId": association}
    _call(lambda caller, request: caller.send(phone, **fields, **request), **options)


@google.command(
    "verify",
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate google verify --key google.jwks \\\n"
        "    --sent one --code 123456 --expect SUCCESS",
        status=_STATUS,
    ),
)
@_options
@click.option("--sent", required=True, help="The requestId of the sendOtp call.")
@code_option
def simulate_verify(*, sent: str, code: str, **options: Any) -> None:
    """Call verifyOtp: ask the wallet whether a code is right."""
    _call(lambda caller, request: caller.verify(sent, code, **request), **options)


@google.command(
    "echo",
    with_appcontext=False,
    epilog=examples(
        "flask --app wallet otp-mpp simulate google echo --key google.jwks",
        "flask otp-mpp simulate google echo --url http://127.0.0.1:5000 --key google.jwks \\\n"
        "    --server-key wallet.pub.jwks",
        status=_STATUS,
    ),
)
@_options
@click.option("--message", default="hello", show_default=True, help="The clientMessage.")
def simulate_echo(*, message: str, **options: Any) -> None:
    """Call echo: test the keys and the connection."""
    _call(lambda caller, request: caller.echo(message, **request), **options)


def _call(
    method: Callable[[GoogleCaller, dict[str, Any]], GoogleAnswer],
    *,
    url: str | None,
    prefix: str | None,
    envelope: str | None,
    request_id: str | None,
    tamper: Tamper | None,
    as_json: bool,
    expect: str | None,
    **keys: tuple[str, ...],
) -> None:
    """Make the caller, call the wallet, print request and answer, and close the caller."""
    try:
        target = find_target(url, GoogleStandardPayments)
        known: dict[str, Any] = {}
        if target.protocol is not None:
            prefix, known = known_account(target.protocol, prefix)
        if envelope not in (None, known.get("envelope")):
            known = {"envelope": envelope}
        account = {
            "envelope": "jose",
            **known,
            **{name: list(value) for name, value in keys.items() if value},
        }
        caller = GoogleCaller.from_account(target.transport, account, prefix=prefix or PREFIX)
    except ValueError as fault:
        raise click.ClickException(f"--key or --server-key or --url: {fault}") from None
    try:
        with reaching(url):
            answer = method(caller, {"request_id": request_id, "tamper": tamper})
    except ValueError as fault:
        raise click.ClickException(f"--tamper: {fault}") from None
    finally:
        caller.close()
    if as_json:
        echo_json(_as_json(answer))
    else:
        _print(answer)
    code = answer.code or ("SUCCESS" if answer.status == OK else "")  # an echo has no result
    end(verified=answer.verified, code=code, response=answer.response, expected=expect)


def known_account(
    protocol: GoogleStandardPayments, prefix: str | None
) -> tuple[str | None, dict[str, Any]]:
    """Return the path of an account of the app, and the account as its other side has it.

    :param prefix: of the account; None for the first one.
    """
    for mount in protocol.mounts:
        if prefix in (None, mount.public_prefix):
            account = protocol.account_at(mount)
            kind = next(name for name, made in KINDS.items() if isinstance(account, made))
            known: dict[str, Any] = {"envelope": kind}
            if isinstance(account, JoseAccount):
                known |= {name: getattr(account, name) for name in _AGREED}
                known["their_keys"] = public_set(account.our_keys)
            return mount.public_prefix, known
    return prefix, {}


def _as_json(answer: GoogleAnswer) -> Mapping[str, object]:
    call, response, opened = answer.call, answer.response, answer.opened
    return {
        "request": {
            "method": call.method,
            "uri": call.uri,
            "headers": dict(call.headers),
            "payload": parsed(answer.asked),
            "body": parsed(call.body),
        },
        "answer": {
            "status": response.status,
            "headers": dict(response.headers),
            "body": parsed(response.body),
            "payload": None if opened is None else parsed(opened.payload),
        },
        "answer_opens": opened is not None,
    }


def _print(answer: GoogleAnswer) -> None:
    call, response, opened = answer.call, answer.response, answer.opened
    echo(f"Payload\n  {answer.asked.decode(errors='replace')}\n")
    echo(f"Request\n  {call.method} {call.uri}")
    echo(lines(call.headers.items(), call.body))
    echo(f"\nAnswer\n  HTTP {response.status}")
    echo(lines(response.headers, response.body))
    if response.body:
        echo(f"\nDecrypted\n  {'' if opened is None else opened.payload.decode(errors='replace')}")
        echo(f"\nThe answer {'opens' if opened else 'DOES NOT OPEN'}.")
    else:
        echo("\nThe answer has no body.")
