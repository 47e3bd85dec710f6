"""Checks of the store: whether it could serve, by which clock, how it is reached, and its purge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.stores import MemoryStore, SQLAlchemyStore
from flask_otp_mpp.stores.sql.statements import expired
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.checks.network import limiter_server, store_server
from flask_otp_mpp.web.settings import StoreSettings

CHECKS: Final = Checks()
_KEY: Final = key_of(StoreSettings, "url")
OVERDUE: Final = timedelta(days=1)
"""How long what a purge deletes may lie: the purge is to run about once an hour."""
MOST_COUNTED: Final = 10_000


@CHECKS.add("store-memory", Severity.ERROR, "the store loses its data")
def _memory(checked: CheckedApp) -> Iterator[Hit]:
    if isinstance(checked.store, MemoryStore):
        yield Hit(
            _KEY,
            "memory:// forgets counted tries on restart, and each process has codes of its own",
            "use a database or Redis",
        )


@CHECKS.add("store-unfit", Severity.ERROR, "the store can't serve as it is")
def _unfit(checked: CheckedApp) -> Iterator[Hit]:
    report = checked.store_report
    if report is not None and report.unfit:
        yield _split(report.unfit)


@CHECKS.add("store-away", Severity.ERROR, "the store can't serve now")
def _away(checked: CheckedApp) -> Iterator[Hit]:
    report = checked.store_report
    if report is not None and report.away:
        yield _split(report.away)


@CHECKS.add("store-clock", Severity.WARNING, "the clock of the store is wrong")
def _clock(checked: CheckedApp) -> Iterator[Hit]:
    report = checked.store_report
    for text in report.clock if report is not None else ():
        yield _split(text, "synchronise all clocks (NTP)")


@CHECKS.add("store-warning", Severity.WARNING, "the store is not as it should be")
def _warning(checked: CheckedApp) -> Iterator[Hit]:
    report = checked.store_report
    for text in report.warnings if report is not None else ():
        yield _split(text)


@CHECKS.add("store", Severity.NOTE, "the store")
def _found(checked: CheckedApp) -> Iterator[Hit]:
    report = checked.store_report
    if report is not None and report.found:
        yield Hit(_KEY, report.found, "see that this is the one that was meant")


@CHECKS.add("store-unchecked", Severity.NOTE, "the store can't be checked")
def _unchecked(checked: CheckedApp) -> Iterator[Hit]:
    store = checked.store
    if store is not None and checked.store_report is None and not isinstance(store, MemoryStore):
        yield Hit(
            "OtpMpp(store=…)",
            f"{type(store).__name__} has no method check()",
            "look yourself whether it answers, is prepared and can be written",
        )


@CHECKS.add("store-unencrypted", Severity.WARNING, "the connection to the store is not encrypted")
def _unencrypted(checked: CheckedApp) -> Iterator[Hit]:
    server = store_server(checked)
    if server is not None and server.remote and not server.tls:
        redis = server.kind == "Redis"
        how = "use rediss:// or ssl=true" if redis else "demand TLS: sslmode=verify-full or ssl_ca"
        found = f"{server.kind} at {server} is reached without TLS, or TLS is optional"
        yield Hit(_KEY, found, how)


@CHECKS.add("store-no-password", Severity.WARNING, "the store has no password")
def _no_password(checked: CheckedApp) -> Iterator[Hit]:
    server = store_server(checked)
    if server is not None and server.kind == "Redis" and server.remote and not server.password:
        found = f"whoever reaches Redis at {server} can unlock users and delete failures"
        yield Hit(_KEY, found, "give the server users and passwords (ACL SETUSER)")


@CHECKS.add("store-counts-traffic", Severity.NOTE, "one Redis holds store and traffic limits")
def _counts_traffic(checked: CheckedApp) -> Iterator[Hit]:
    store, limiter = store_server(checked), limiter_server(checked)
    if store is None or limiter is None or store.kind != limiter.kind:
        return
    if not store.addresses.isdisjoint(limiter.addresses):
        found = f"Redis at {store} counts traffic too: a flood takes the store's memory"
        yield Hit(_KEY, found, "use a server for each, or leave much memory free")


@CHECKS.add("purge-overdue", Severity.WARNING, "no purge has run for a day")
def _purge_overdue(checked: CheckedApp) -> Iterator[Hit]:
    store, report = checked.store, checked.store_report
    if not isinstance(store, SQLAlchemyStore) or report is None or not report.found:
        return
    try:
        with store.engine.connect() as db:
            db.detach()  # it is closed, and not kept
            counts = _overdue(db, checked)
    except SQLAlchemyError as error:
        yield Hit(_KEY, f"the purge could not be looked at ({type(error).__name__})", "look again")
        return
    for table, rows in counts.items():
        if rows:
            more = " or more" if rows == MOST_COUNTED else ""
            found = f"{rows} rows{more} of {table} could be deleted for more than a day"
            yield Hit(_KEY, found, "run `flask otp-mpp purge` about once an hour, as by cron")


def _overdue(db: sa.Connection, checked: CheckedApp) -> dict[str, int]:
    """Count what a purge a day ago would have deleted, by the indexes of the purge and no further.

    The time is the app's: it need not be exact.
    """
    moment = checked.state.clock() - OVERDUE
    counts = {}
    for key, over in expired(checked.state.policy, moment):
        rows = sa.select(key).where(over).limit(MOST_COUNTED).subquery()
        counts[key.table.name] = db.scalar(sa.select(sa.func.count()).select_from(rows)) or 0
    return counts


def _split(text: str, remedy: str = "see what it says") -> Hit:
    """Return what a store said: what it found before the first semicolon, what to do behind it."""
    found, _, advice = text.partition("; ")
    return Hit(_KEY, found, advice or remedy)
