"""The audit trail of an app: opened, checked and written to; ``OTP_MPP_AUDIT`` says where it is.

An app without a trail imports neither the trail nor the SQL store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask import Flask

from flask_otp_mpp.audit.failure import AuditError
from flask_otp_mpp.core.ports import Store, StoreError, UnfitStore
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.settings import Faults, key_of, read_group
from flask_otp_mpp.core.trace import Journal, Trace
from flask_otp_mpp.core.user_state import RecentEvent
from flask_otp_mpp.protocols.base import WireProtocol, decided_event
from flask_otp_mpp.protocols.values import Event
from flask_otp_mpp.signing.keys import fingerprint
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.web.open_store import is_command
from flask_otp_mpp.web.settings import AuditSettings
from flask_otp_mpp.web.support import RecentEvents

if TYPE_CHECKING:
    from flask_otp_mpp.audit.table import AuditTable
    from flask_otp_mpp.audit.trail import AuditTrail

AUDIT: Final = "otp_mpp_audit"
"""The trail's name in the extensions of an app."""
IN_STORE: Final = "store"
_KEY: Final = key_of(AuditSettings, "url")
_PRINT_DIGITS: Final = 32
_logger = logging.getLogger("flask_otp_mpp")


def record(app: Flask, event: Event) -> None:
    """Record an event, if the app has an audit trail.

    :raises AuditError: if it can't be, unless ``OTP_MPP_AUDIT_FAILURE`` is ``open``.
    """
    trail: AuditTrail | None = app.extensions.get(AUDIT)
    if trail is not None:
        trail.record(event)


def record_refusal(app: Flask, event: Event) -> None:
    """Record an event that grants nothing; if it can't be, there is nothing to hold back."""
    try:
        record(app, event)
    except AuditError as error:
        _logger.error("%s", error)


def journal_of(app: Flask, protocol: WireProtocol, trace: Trace) -> Journal | None:
    """Return what the store records a request's decision by, if the trail is in its database."""
    trail: AuditTrail | None = app.extensions.get(AUDIT)
    if trail is None or not trail.in_store:
        return None
    return trail.journal(partial(decided_event, protocol, trace))


def recent_events(trail: AuditTrail) -> RecentEvents:
    """Return what finds the recent events of a user in a trail, the oldest first."""

    def recent(subject: str) -> list[RecentEvent]:
        return [
            RecentEvent(entry.time, _line(entry.fields))
            for entry in reversed(trail.recent(subject))
        ]

    return recent


def _line(fields: Mapping[str, Any]) -> str:
    """Return what support reads of a row: ``send at gpay: SUCCESS, MOBILE, tracer 0a1b2c``."""
    what = str(fields.get("operation", "-"))
    if "client" in fields:
        what = f"{what} at {fields['client']}"
    where = f" in {fields['failed']}" if "failed" in fields else ""
    why = f" ({fields['reason']}{where})" if "reason" in fields else ""
    more = [str(fields["channel"])] if "channel" in fields else []
    more += [f"{name} {fields[name]}" for name in ("reference", "tracer") if name in fields]
    return ", ".join([f"{what}: {fields.get('code', 'done')}{why}", *more])


def open_trail(
    app: Flask,
    store: Store | None,
    options: StoreOptions,
    faults: Faults,
    *,
    peppers: Sequence[Secret[bytes]],
    prints: Mapping[str, str],
    on_change: Callable[[Event], object],
    threads: int,
) -> AuditTrail | None:
    """Open the trail that an app's settings name; what is wrong is added to the faults.

    :param options: of its connections, if it has some of its own.
    :param peppers: none if they are at fault: a command can then read, but record nothing.
    :param prints: see :func:`key_prints`.
    :param on_change: is told that keys or peppers have changed.
    :param threads: how many may wait for a database that is silent.
    :returns: None if nothing is to be recorded.
    """
    settings = read_group(AuditSettings, app.config, faults)
    if settings.url is None:
        return None
    from flask_otp_mpp.audit.chain import AuditKeys  # noqa: PLC0415 - few apps have a trail
    from flask_otp_mpp.audit.trail import AuditTrail  # noqa: PLC0415

    table = _open_table(settings.url, store, options, faults)
    if table is None:
        return None
    if not is_command():
        _check(table, faults)
    trail = AuditTrail(
        table,
        AuditKeys(peppers),
        prints,
        on_change=on_change,
        threads=threads,
        on_failure=settings.failure,
        keep=settings.keep,
        durable=settings.durable,
        in_store=settings.url == IN_STORE,
    )
    app.extensions[AUDIT] = trail
    return trail


def key_prints(
    own_keys: Mapping[str, RSAPublicKey], protocols: Sequence[WireProtocol]
) -> dict[str, str]:
    """Return the fingerprints of the wallet's own keys, and of those of its protocols."""
    known = {f"own {name}": fingerprint(key) for name, key in own_keys.items()}
    for protocol in protocols:
        known |= {f"{protocol.name} {name}": one for name, one in protocol.key_prints.items()}
    return {name: one[:_PRINT_DIGITS] for name, one in known.items()}


def _open_table(
    url: str, store: Store | None, options: StoreOptions, faults: Faults
) -> AuditTable | None:
    from flask_otp_mpp.audit.table import AuditTable  # noqa: PLC0415 - few apps have a trail
    from flask_otp_mpp.stores import SQLAlchemyStore  # noqa: PLC0415

    if url == IN_STORE:
        if isinstance(store, SQLAlchemyStore):
            return AuditTable(store)
        if store is not None:
            found = f"is {IN_STORE!r}, and {type(store).__name__} is no SQL store; set it to a URL"
            faults.append((_KEY, found))
        return None
    try:
        return AuditTable(SQLAlchemyStore(url, options=options))
    except ValueError as fault:
        faults.append((_KEY, str(fault)))
        return None


def _check(table: AuditTable, faults: Faults) -> None:
    try:
        table.check()
    except UnfitStore as unfit:
        faults.append((_KEY, str(unfit).replace("OTP_MPP_STORE", _KEY)))
    except StoreError as away:
        said = str(away).replace("OTP_MPP_STORE", _KEY)
        _logger.warning("%r: %s", _KEY, said)
