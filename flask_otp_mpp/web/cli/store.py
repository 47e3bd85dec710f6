"""The commands that work on the app's store: init-db, upgrade-db and purge."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click
from flask import current_app
from flask.cli import with_appcontext

from flask_otp_mpp.core.ports import PurgeTooSlow, StoreError, UnfitStore
from flask_otp_mpp.protocols.values import Act
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.web.cli.group import echo, echo_json
from flask_otp_mpp.web.cli.options import examples, json_option
from flask_otp_mpp.web.events import announce_act
from flask_otp_mpp.web.extension import state_of
from flask_otp_mpp.web.metric_table import METRICS, PURGED_AT, PURGED_ROWS

MAX_BATCH: Final = 100_000
"""More rows at a time would be locked for longer than a statement may take."""
T = TypeVar("T")


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
        "flask --app wallet otp-mpp purge --metrics-file /var/lib/node_exporter/otp_mpp.prom",
        status="0 if everything expired is deleted; 1 if the store failed, or the file can't be "
        "written.",
    )
)
@click.option(
    "--batch",
    type=click.IntRange(1, MAX_BATCH),
    default=1000,
    show_default=True,
    help="Rows deleted per transaction.",
)
@click.option(
    "--metrics-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write when it succeeded, for the textfile collector of node exporter.",
)
@json_option
@with_appcontext
def purge(batch: int, metrics_file: Path | None, as_json: bool) -> None:
    """Delete what can no longer change any answer.

    Run it about once an hour, for example by cron; the app may serve requests meanwhile. Redis
    deletes by itself.
    """
    state = state_of()
    rows = run_on_store(lambda: state.store.purge(state.policy, batch=batch))
    announce_act(current_app._get_current_object(), Act.PURGE, count=rows)  # type: ignore[attr-defined]  # noqa: SLF001
    if metrics_file is not None:
        _write_metrics(metrics_file, rows)
    if as_json:
        echo_json({"deleted": rows})
    else:
        echo(f"{rows} rows deleted.")


def _write_metrics(file: Path, rows: int) -> None:
    """Write a file that Prometheus' node exporter reads, whole or not at all.

    :raises click.ClickException: if it can't be written.
    """
    values = {PURGED_AT: int(time.time()), PURGED_ROWS: rows}
    meanings = {metric.name: metric.meaning for metric in METRICS}
    text = "".join(
        f"# HELP {name} {meanings[name]}\n# TYPE {name} gauge\n{name} {value}\n"
        for name, value in values.items()
    )
    try:
        descriptor, written = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(written, 0o644)  # node exporter is another user; nothing of it is secret
        os.replace(written, file)
    except OSError as error:
        raise click.ClickException(
            f"{str(file)!r} can't be written ({type(error).__name__}); the purge itself is done"
        ) from None


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


def run_on_store(work: Callable[[], T]) -> T:
    """Return what the store answers; its error ends the command, with what to check.

    :raises click.ClickException: if the store failed.
    """
    try:
        return work()
    except (PurgeTooSlow, UnfitStore) as told:
        raise click.ClickException(str(told)) from None
    except StoreError as error:
        raise click.ClickException(
            f"{error}; check OTP_MPP_STORE, and that `flask otp-mpp init-db` created the tables"
        ) from None
