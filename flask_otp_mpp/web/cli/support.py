"""The commands of support: show, unlock and forget a user."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import click
from flask.cli import with_appcontext

from flask_otp_mpp.core.users import MAX_SUBJECT
from flask_otp_mpp.web import support_words
from flask_otp_mpp.web.cli.group import echo, echo_json
from flask_otp_mpp.web.cli.options import examples, json_option
from flask_otp_mpp.web.cli.store import run_on_store
from flask_otp_mpp.web.extension import state_of


def _check_subject(_context: click.Context, _argument: click.Parameter, subject: str) -> str:
    """Return a user's name.

    :raises click.BadParameter: if no user can have it; a shell may pass bytes that are no UTF-8.
    """
    if 0 < len(subject) <= MAX_SUBJECT and not any("\ud800" <= c <= "\udfff" for c in subject):
        return subject
    raise click.BadParameter(f"a user's name has 1 to {MAX_SUBJECT} characters in UTF-8")


subject_argument = click.argument("subject", callback=_check_subject)


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp show u-4711",
        "flask --app wallet otp-mpp show u-4711 --json",
        status="0, whether anything is stored or not; 1 if the store failed.",
    )
)
@subject_argument
@json_option
@with_appcontext
def show(subject: str, as_json: bool) -> None:
    """Show why a user gets no code: locks, wrong codes, sends, and when the next may be sent.

    SUBJECT is the user as the user_identity hook names it. Nothing is changed. Times are UTC. No
    code, token or address is shown, because none is stored.
    """
    support = state_of().support
    state = run_on_store(partial(support.show, subject))
    if as_json:
        echo_json(run_on_store(partial(support.as_json, state)))
    else:
        echo("\n".join(run_on_store(partial(support.in_words, state))))


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp unlock u-4711",
        "flask --app wallet otp-mpp unlock u-4711 --client SHOP_1 --quota",
        status="0, whether the user was locked or not; 1 if the store failed.",
    )
)
@subject_argument
@click.option(
    "--client",
    metavar="NAME",
    help="At this client only: its id, or the name of an account of Google. A user for whom OTP is "
    "disabled stays disabled.",
)
@click.option(
    "--quota",
    is_flag=True,
    help="Forget counted sends as well, so that a code may be sent at once.",
)
@json_option
@with_appcontext
def unlock(subject: str, client: str | None, quota: bool, as_json: bool) -> None:
    """Remove a user's locks and failures at all clients; a disabled user is enabled.

    SUBJECT is the user as the user_identity hook names it. Without --quota counted sends stay: the
    send limits apply as before.
    """
    state = state_of()
    done = run_on_store(partial(state.support.unlock, subject, client, quota=quota))
    if as_json:
        changes = asdict(done)
        echo_json(support_words.plain({"unlocked": changes.pop("changed"), **changes}))
    else:
        echo(support_words.unlocked_in_words(done, client, quota=quota, now=state.clock()))


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp forget u-4711",
        status="0, whether anything was stored or not; 1 if the store failed.",
    )
)
@subject_argument
@json_option
@with_appcontext
def forget(subject: str, as_json: bool) -> None:
    """Delete all that the store holds of a user.

    SUBJECT is the user as the user_identity hook names it. Challenges, failures, locks, counted
    sends and the answers to requests are deleted from every table, or under every key of Redis.

    First let your user loader refuse the user: a request in progress, or a later one, may store
    something again. If the user stays, know that codes that are out are not accepted any more, and
    that all limits begin again, as after unlock.
    """
    forgotten = run_on_store(partial(state_of().support.forget, subject))
    if as_json:
        echo_json({"forgotten": forgotten})
    else:
        echo("The user is forgotten." if forgotten else "Nothing was stored of the user.")
