"""The commands that work on the app's store: init-db, upgrade-db, purge, unlock and forget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import click
from flask.cli import with_appcontext

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.core.users import MAX_SUBJECT
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.web.cli.group import echo, echo_json
from flask_otp_mpp.web.cli.options import examples, json_option
from flask_otp_mpp.web.extension import state_of

MAX_BATCH: Final = 100_000
"""More rows at a time would be locked for longer than a statement may take."""
T = TypeVar("T")


def _check_subject(_context: click.Context, _argument: click.Parameter, subject: str) -> str:
    """Return a user's name.

    :raises click.BadParameter: if no user can have it; a shell may pass bytes that are no UTF-8.
    """
    if 0 < len(subject) <= MAX_SUBJECT and not any("\ud800" <= c <= "\udfff" for c in subject):
        return subject
    raise click.BadParameter(f"a user's name has 1 to {MAX_SUBJECT} characters in UTF-8")


@click.command(
    "init-db",
    epilog=examples(
        "flask --app wallet otp-mpp init-db",
        status="0 if the tables are ready; 1 if the database does not answer, refuses, or has "
        "tables of another revision.",
    ),
)
@with_appcontext
def init_db() -> None:
    """Create the missing tables of OTP store and audit trail, and print what was done and where.

    Run it once before the app is served; on several hosts at once, one does it and the others wait.
    Tables that exist are checked and not changed; tables of an older release need upgrade-db.
    Memory and Redis need no tables.
    """
    store = state_of().store
    if isinstance(store, SQLAlchemyStore):
        done = _change(store.create_tables)
        _change(store.check)  # tables that existed before may be of another revision
        echo(f"{done}.")
    else:
        echo(f"{type(store).__name__} needs no tables.")
    _create_audit_table()


@click.command(
    "upgrade-db",
    epilog=examples(
        "flask --app wallet otp-mpp upgrade-db",
        status="0 if the tables are up to date; 1 if the database does not answer or refuses, or "
        "Alembic is missing.",
    ),
)
@with_appcontext
def upgrade_db() -> None:
    """Upgrade the tables of OTP store and audit trail to the newest revision; print what was done.

    This needs Alembic: pip install 'flask-otp-mpp[migrations]'. If your app has the tables in its
    own MetaData, upgrade them by your own migrations instead.
    """
    store = state_of().store
    if isinstance(store, SQLAlchemyStore):
        try:
            echo(f"{_change(store.upgrade_tables)}.")
        except ModuleNotFoundError:
            raise click.ClickException(
                "Alembic is missing; pip install 'flask-otp-mpp[migrations]'"
            ) from None
    else:
        echo(f"{type(store).__name__} needs no tables.")
    _create_audit_table()


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp purge",
        "flask --app wallet otp-mpp purge --batch 200 --json",
        status="0 if everything expired is deleted; 1 if the store failed.",
    )
)
@click.option(
    "--batch",
    type=click.IntRange(1, MAX_BATCH),
    default=1000,
    show_default=True,
    help="Rows deleted per transaction.",
)
@json_option
@with_appcontext
def purge(batch: int, as_json: bool) -> None:
    """Delete what can no longer change any answer.

    Run it about once an hour, for example by cron; the app may serve requests meanwhile. Redis
    deletes by itself.
    """
    state = state_of()
    rows = _run(lambda: state.store.purge(state.policy, batch=batch))
    if as_json:
        echo_json({"deleted": rows})
    else:
        echo(f"{rows} rows deleted.")


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp unlock u-4711",
        status="0, whether the user was locked or not; 1 if the store failed.",
    )
)
@click.argument("subject", callback=_check_subject)
@json_option
@with_appcontext
def unlock(subject: str, as_json: bool) -> None:
    """Remove a user's locks and failures at all clients; a disabled user is enabled.

    SUBJECT is the user as the user_identity hook names it. Counted sends stay: the send limits
    apply as before.
    """
    unlocked = _run(lambda: state_of().store.unlock(subject))
    if as_json:
        echo_json({"unlocked": unlocked})
    else:
        echo("The user is unlocked." if unlocked else "The user had no lock or failures.")


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp forget u-4711",
        status="0, whether anything was stored or not; 1 if the store failed.",
    )
)
@click.argument("subject", callback=_check_subject)
@json_option
@with_appcontext
def forget(subject: str, as_json: bool) -> None:
    """Delete all that the store holds of a user.

    SUBJECT is the user as the user_identity hook names it. Challenges, failures, locks, counted
    sends and the answers to requests are deleted from every table, or under every key of Redis.

    First let your user loader refuse the user: a request in progress, or a later one, may store
    something again. If the user stays, know that codes that are out are not accepted any more, and
    that all limits begin anew, as after unlock.
    """
    forgotten = _run(lambda: state_of().store.forget(subject))
    if as_json:
        echo_json({"forgotten": forgotten})
    else:
        echo("The user is forgotten." if forgotten else "Nothing was stored of the user.")


def _create_audit_table() -> None:
    """Make the table of the audit trail, if there is to be one; its first revision is the only."""
    if (trail := state_of().audit) is not None:
        echo(f"{_change(trail.table.create)}.")


def _change(work: Callable[[], T]) -> T:
    """Return what was done to the tables; a store says itself what to do if it failed."""
    try:
        return work()
    except StoreError as error:
        raise click.ClickException(str(error)) from None


def _run(work: Callable[[], T]) -> T:
    try:
        return work()
    except UnfitStore as unfit:
        raise click.ClickException(str(unfit)) from None
    except StoreError as error:
        raise click.ClickException(
            f"{error}; check OTP_MPP_STORE, and that `flask otp-mpp init-db` created the tables"
        ) from None
