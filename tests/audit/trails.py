"""Audit trails for tests: opened on a database, filled with events, verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from flask_otp_mpp import Act, Caller, Channel, Event, Operation, SQLAlchemyStore
from flask_otp_mpp.audit.chain import AuditKeys
from flask_otp_mpp.audit.failure import OnFailure
from flask_otp_mpp.audit.table import AuditTable
from flask_otp_mpp.audit.trail import AuditTrail
from flask_otp_mpp.audit.verify import Head, export_heads, read_heads, verify
from flask_otp_mpp.core.secret import Secret

PEPPER: Final = Secret(b"a pepper of more than thirty-two bytes")
CALLER: Final = Caller("alipayplus", "client", "acquirer", "psp")


def send(number: int = 0) -> Event:
    """Return the event of a code that was sent."""
    challenge = f"challenge-{number}"
    return Event(
        "alipayplus",
        Operation.SEND,
        CALLER,
        challenge_id=challenge,
        subject=f"user-{number % 3}",
        channel=Channel.MOBILE,
        code="SUCCESS",
    )


def act() -> Event:
    return Event("operator", Act.UNLOCK, subject="user-1", count=1)


def trail_on(
    url: str,
    *peppers: Secret[bytes],
    prints: Mapping[str, str] | None = None,
    on_change: Callable[[Event], object] = lambda event: None,
    on_failure: OnFailure = OnFailure.CLOSED,
) -> AuditTrail:
    """Return a trail as a process opens it that has written nothing yet."""
    table = AuditTable(SQLAlchemyStore(url))
    keys = AuditKeys(peppers or (PEPPER,))
    return AuditTrail(
        table,
        keys,
        prints or {"own 1": "aa"},
        on_change=on_change,
        threads=8,
        on_failure=on_failure,
    )


@contextmanager
def opened(url: str, *peppers: Secret[bytes], **more: Any) -> Iterator[AuditTrail]:
    """Open a trail whose table is there."""
    trail = trail_on(url, *peppers, **more)
    trail.table.create()
    try:
        yield trail
    finally:
        trail.table.store.engine.dispose()


def heads_of(trail: AuditTrail) -> dict[str, Head]:
    """Return the heads as one exports and reads them."""
    return read_heads(export_heads(trail.table.heads()))


def findings(trail: AuditTrail, heads: Mapping[str, Head] | None = None) -> list[str]:
    """Return what the verification finds."""
    report = verify(trail.table.by_chain(), trail.keys, heads or {})
    return [one.text for one in report.findings]


def change(trail: AuditTrail, statement: str) -> int:
    """Change the table as who has the database can; return how many rows that were."""
    engine = sa.create_engine(trail.table.store.engine.url)
    with engine.begin() as db:
        changed = db.execute(sa.text(statement)).rowcount
    engine.dispose()
    return changed
