"""The commands of the audit trail: ``flask otp-mpp audit head``, verify, export and purge."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import click
from flask.cli import with_appcontext

from flask_otp_mpp.audit.chain import AuditKeys, Entry
from flask_otp_mpp.audit.retention import purge as purge_rows
from flask_otp_mpp.audit.table import AuditTable
from flask_otp_mpp.audit.trail import AuditTrail
from flask_otp_mpp.audit.verify import Head, export_heads, read_heads
from flask_otp_mpp.audit.verify import verify as verify_rows
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web.cli.group import echo, echo_json
from flask_otp_mpp.web.cli.options import examples, json_option
from flask_otp_mpp.web.extension import state_of
from flask_otp_mpp.web.settings import AuditSettings

_KEEP: Final = key_of(AuditSettings, "keep")
_COLUMNS: Final = (
    *("time", "kind", "subject", "protocol", "operation", "client", "acquirer", "psp"),
    *("challenge", "channel", "reason", "code", "until", "failed", "reference", "tracer"),
    *("repeated", "count", "not_recorded", "chain", "number", "hash", "mac", "record"),
)
"""Of an export as CSV; what has no column of its own is in ``record``."""


@click.group(
    epilog=examples(
        "flask --app wallet otp-mpp audit verify --head head.json",
        status="that of the command that is called.",
    )
)
def audit() -> None:
    """Read, verify, export and purge the audit trail that OTP_MPP_AUDIT names."""


@audit.command(
    epilog=examples(
        "flask --app wallet otp-mpp audit head --json > head-2026-11-27.json",
        status="0; 1 if the database failed, or there is no audit trail.",
    )
)
@json_option
@with_appcontext
def head(as_json: bool) -> None:
    """Print the last row of each chain: its number and hash.

    Keep what --json prints where the database's administrators can't change it. With it `audit
    verify --head` finds rows and chains that were cut off later.
    """
    with _reading() as (table, _):
        heads = export_heads(table.heads())
    if as_json:
        echo_json(heads)
        return
    for chain, end in heads["chains"].items():
        echo(f"{chain} {end['number']} {end['hash']}")


@audit.command(
    epilog=examples(
        "flask --app wallet otp-mpp audit verify",
        "flask --app wallet otp-mpp audit verify --head head-2026-11-27.json --json",
        status="0 if every row is as it was written; 1 if one is not, or the database failed.",
    )
)
@click.option(
    "--head",
    "exported",
    type=click.File(encoding="utf-8"),
    help="What `audit head --json` has printed earlier; - reads it from the standard input.",
)
@json_option
@with_appcontext
def verify(exported: IO[str] | None, as_json: bool) -> None:
    """Find rows that were edited, removed, reordered, cut off, or added by others.

    Without --head it is not found if the newest rows of a chain, or a whole chain, were removed.
    """
    heads = {} if exported is None else _heads_of(exported)
    with _reading() as (table, keys):
        report = verify_rows(table.by_chain(), keys, heads)
    if as_json:
        findings = [
            {"chain": one.chain, "number": one.number, "finding": one.text}
            for one in report.findings
        ]
        echo_json({"rows": report.rows, "chains": report.chains, "findings": findings})
    else:
        for one in report.findings:
            echo(f"chain {one.chain}: {one.text}")
        against = "" if exported is None else f", against the heads of {len(heads)}"
        found = f"{len(report.findings)} findings" if report.findings else "as they were written"
        echo(f"{report.rows} rows in {report.chains} chains{against}: {found}.")
    if report.findings:
        click.get_current_context().exit(1)


def _moment(_context: click.Context, _option: click.Parameter, given: str | None) -> datetime:
    """Read a moment; one without a time zone is UTC."""
    if given is None:
        return utc_now()
    try:
        read = datetime.fromisoformat(given)
    except ValueError:
        raise click.BadParameter("write it like 2026-11-27 or 2026-11-27T13:00:00+08:00") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


@audit.command(
    epilog=examples(
        "flask --app wallet otp-mpp audit export --from 2026-11-01 --to 2026-12-01",
        "flask --app wallet otp-mpp audit export --from 2026-11-01 --format csv",
        status="0 if all rows were printed; 1 if the database failed.",
    )
)
@click.option("--from", "begin", required=True, callback=_moment, help="The first moment; UTC.")
@click.option("--to", "end", callback=_moment, help="The first moment that is left out; now.")
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True
)
@with_appcontext
def export(begin: datetime, end: datetime, form: str) -> None:
    """Print the rows of a time, as JSON Lines or CSV, the oldest first."""
    write: Callable[[Entry], str] = _as_json if form == "jsonl" else _as_csv
    if form == "csv":
        echo(_csv_line(_COLUMNS))
    with _reading() as (table, _):
        for entry in table.by_time(begin, end):
            echo(write(entry))


@audit.command(
    epilog=examples(
        "flask --app wallet otp-mpp audit purge",
        status="0 if all old rows are deleted; 1 if the database failed, or nothing says how old.",
    )
)
@click.option(
    "--batch",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="Rows deleted per transaction.",
)
@json_option
@with_appcontext
def purge(batch: int, as_json: bool) -> None:
    """Delete the rows that are older than OTP_MPP_AUDIT_KEEP.

    A checkpoint takes their place, so that what is left can still be verified. The app may write
    meanwhile. This needs DELETE on the table, which the app itself does not.
    """
    with _reading() as (table, keys):
        keep = _trail().keep
        if keep is None:
            raise click.ClickException(f"{_KEEP} is not set: all rows are kept")
        if not keys.ids:
            raise click.ClickException("set OTP_MPP_PEPPER, which the MACs of checkpoints need")
        rows = purge_rows(table, keys, utc_now() - keep, batch)
    if as_json:
        echo_json({"deleted": rows})
    else:
        echo(f"{rows} rows deleted.")


def _trail() -> AuditTrail:
    trail = state_of().audit
    if trail is None:
        raise click.ClickException("there is no audit trail: OTP_MPP_AUDIT is not set")
    return trail


@contextmanager
def _reading() -> Iterator[tuple[AuditTable, AuditKeys]]:
    trail = _trail()
    table = trail.table.for_commands()
    try:
        yield table, trail.keys
    except StoreError as error:
        raise click.ClickException(
            f"{error}; check OTP_MPP_AUDIT, and that `flask otp-mpp init-db` made the table"
        ) from None
    finally:
        table.store.engine.dispose()


def _heads_of(exported: IO[str]) -> dict[str, Head]:
    try:
        return read_heads(json.load(exported))
    except ValueError as fault:  # of json as well
        raise click.ClickException(f"--head {Path(exported.name).name}: {fault}") from None


def _values(entry: Entry) -> dict[str, Any]:
    row = {"time": entry.time.isoformat(), "kind": str(entry.kind), "subject": entry.subject}
    seal = {"chain": entry.chain, "number": entry.number, "hash": entry.hash, "mac": entry.mac}
    return {**row, **entry.fields, **seal}


def _as_json(entry: Entry) -> str:
    return json.dumps(_values(entry))


def _as_csv(entry: Entry) -> str:
    values = {**_values(entry), "record": entry.record}
    return _csv_line([values.get(name, "") for name in _COLUMNS])


def _csv_line(values: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(map(_harmless, values))
    return line.getvalue()


def _harmless(value: object) -> object:
    """Return a value that a spreadsheet does not take for a formula."""
    text = str(value)
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") and not isinstance(value, int) else text
