"""One request with its answer, as the page shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from example_app.trial.console.meaning import Meaning
from flask_otp_mpp import Event, Operation

Pairs: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a message: what is signed, what is encrypted, or what is inside.

    :param note: what it is, for somebody who sees it for the first time.
    :param text: the layer itself; what is signed or encrypted is there byte for byte.
    """

    title: str
    note: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer as it is on the wire, and its layers.

    :param first: the request line, or the status line.
    :param body: for people; a text in JSON is indented.
    """

    first: str
    headers: Pairs
    body: str
    layers: Sequence[Layer]


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a signature holds.

    :param holds: None if there is nothing that could be signed.
    """

    holds: bool | None
    says: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, its answer, and what became known of it.

    :param code: of the answer; its HTTP status if it has none.
    :param status: S, F or U; for Google the HTTP status.
    :param told: what the answer says beside its code.
    :param messages: how many messages went out for it.
    :param event: what the package has published, by name.
    :param store: what the store knows of the user after it, in sentences.
    """

    title: str
    request: Message
    answer: Message
    proof: Proof
    seconds: float
    code: str
    status: str
    told: str
    meaning: Meaning
    messages: int
    event: Pairs
    store: Sequence[str]

    @property
    def granted(self) -> bool:
        """Tell whether the wallet did what it was asked for."""
        return self.code == "SUCCESS"


def indented(body: bytes) -> str:
    """Return a body for people: JSON is indented, all else is as it came."""
    text = body.decode(errors="replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def event_pairs(event: Event | None) -> Pairs:
    """Return what an event tells, by name. It holds no code, token or address to be masked."""
    if event is None:
        return []
    caller = event.caller
    told: Mapping[str, object] = {
        "signal": _signal(event),
        "protocol": event.protocol,
        "operation": event.operation,
        "client": "" if caller is None else caller.client,
        "acquirer": "" if caller is None else caller.acquirer,
        "claimed client": event.claimed,
        "code": event.code,
        "reason": "" if event.reason is None else event.reason.name,
        "user": event.subject,
        "challenge": event.challenge_id,
        "channel": event.channel,
        "repeated": "yes" if event.repeated else "",
        "until": _moment(event.until),
        **{f"{part}, ms": f"{1000 * took:.1f}" for part, took in event.seconds.items()},
    }
    return [(name, str(value)) for name, value in told.items() if value not in (None, "")]


def newest_codes(lines: Sequence[str], count: int = 5) -> list[str]:
    """Return what is known of a user, in sentences; of the codes, which come last, the newest."""
    codes = [line for line in lines if line.startswith(" ")]
    return [*(line for line in lines if line not in codes), *codes[-count:]]


def _signal(event: Event) -> str:
    if event.reason is not None:
        return "otp_refused"
    return "otp_sent" if event.operation is Operation.SEND else "otp_verified"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
