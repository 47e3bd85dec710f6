"""An event as it is logged: one readable line, and all that is known of it as fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

from flask_otp_mpp.core.reasons import FOREVER
from flask_otp_mpp.protocols.values import Event

_PREFIX: Final = "otp_"
"""Of the names of fields: a record of the log has names of its own, such as ``name``."""


def fields_of(event: Event) -> Mapping[str, Any]:
    """Return what a log record is given as ``extra``: texts, numbers and truth values only."""
    caller = event.caller
    known = {
        "time": event.time,
        "protocol": event.protocol,
        "operation": event.operation,
        "client": "" if caller is None else caller.client,
        "acquirer": "" if caller is None else caller.acquirer,
        "psp": "" if caller is None else caller.psp,
        "subject": event.subject,
        "challenge": event.challenge_id,
        "channel": event.channel,
        "reason": None if event.reason is None else event.reason.name,
        "code": event.code,
        "reference": event.reference,
        "tracer": event.tracer,
        "repeated": event.repeated,
        "until": event.until,
        "attempts": event.attempts,
        "count": event.count,
        "retries": event.retries,
        "failed": event.failed,
        "claimed": event.claimed,
        "changes": _changes(event),
        **{f"seconds_{part}": round(took, 6) for part, took in event.seconds.items()},
    }
    return {f"{_PREFIX}{name}": _plain(value) for name, value in known.items()}


def line_of(event: Event) -> str:
    """Return what a person reads: what was decided of whom, and what it took."""
    words = [f"{event.protocol} {event.operation or '-'}: {event.code or 'done'}"]
    if event.reason is not None:
        words.append(f"({event.reason.name}{_end(event.until)})")
    caller = event.caller
    named = {
        "client": "" if caller is None else caller.client,
        "acquirer": "" if caller is None else caller.acquirer,
        "user": event.subject,
        "challenge": event.challenge_id,
        "channel": event.channel,
        "tracer": event.tracer,
        "reference": event.reference,
        "count": event.count,
        "failed": event.failed,
        "claimed": event.claimed,
        "changes": _changes(event),
    }
    words += [f"{name}={_word(value)}" for name, value in named.items() if value not in ("", None)]
    if event.repeated:
        words.append("repeated")
    if "total" in event.seconds:
        times = (f"{part} {1000 * took:.0f}" for part, took in event.seconds.items())
        words.append(f"ms: {', '.join(times)}")
    return " ".join(words)


def _changes(event: Event) -> str:
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in event.changes.items())


def _end(until: datetime | None) -> str:
    if until is None:
        return ""
    return ", until unlocked" if until == FOREVER else f" until {until:%Y-%m-%dT%H:%M:%SZ}"


def _word(value: object) -> str:
    """Return a value so that nothing in it looks like a further field or a second line."""
    text = str(value)
    return text if text.isprintable() and not set(text) & set(' ="') else repr(text)


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
