"""Which events are recorded, and what of them: no code, token or address.

Strangers must not be able to fill the table. So an event is recorded if its caller was proven by a
signature, or if an operator acted. All others are only counted, and so are refusals by which a
flood of a proven caller is turned away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Final

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.values import Act, Event, Operation

_ONLY_COUNTED: Final = frozenset({Reason.TRAFFIC_EXCEEDED, Reason.OVERLOADED})


class Kind(StrEnum):
    """Say what a row of the trail is."""

    ANCHOR = "anchor"
    """The first row of a chain: which process writes it, under which keys."""
    DECISION = "decision"
    """What became of a request of a proven caller."""
    ACT = "act"
    """What an operator did, or the host for one."""
    CHANGE = "change"
    """Keys or peppers differ from those that the last anchor before names."""
    CHECKPOINT = "checkpoint"
    """Stands for the rows that a purge has deleted."""


def kind_of(event: Event) -> Kind | None:
    """Return what an event is recorded as; None if it is only counted."""
    if isinstance(event.operation, Act):
        return Kind.CHANGE if event.operation is Act.KEY_CHANGE else Kind.ACT
    decided = event.operation in (Operation.SEND, Operation.VERIFY)
    if event.caller is None or not decided or event.reason in _ONLY_COUNTED:
        return None
    return Kind.DECISION


def fields_of(event: Event, uncounted: int = 0) -> Mapping[str, Any]:
    """Return what is recorded of an event beside its time and subject; empty values are left out.

    :param uncounted: how many events were only counted since the last row.
    """
    caller = event.caller
    known = {
        "protocol": event.protocol,
        "operation": event.operation,
        "client": "" if caller is None else caller.client,
        "acquirer": "" if caller is None else caller.acquirer,
        "psp": "" if caller is None else caller.psp,
        "challenge": event.challenge_id,
        "channel": event.channel,
        "reason": None if event.reason is None else event.reason.name,
        "code": event.code,
        "until": event.until,
        "failed": event.failed,
        "reference": event.reference,
        "tracer": event.tracer,
        "repeated": event.repeated or None,
        "count": event.count,
        "not_recorded": uncounted or None,
        **event.changes,
    }
    return {name: _plain(value) for name, value in known.items() if value not in (None, "")}


def to_text(fields: Mapping[str, Any] | list[Any]) -> str:
    """Write values as the one JSON text that is hashed: ASCII, sorted, without spaces."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
