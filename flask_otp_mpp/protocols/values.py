"""The values of a request and its answer, as they pass between web, protocols and the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.core.service import Command


class Operation(StrEnum):
    """What a caller can ask for."""

    SEND = "send"
    VERIFY = "verify"
    ECHO = "echo"


class Act(StrEnum):
    """What an operator can do, by a command, by the host, or by the configuration."""

    UNLOCK = "unlock"
    FORGET = "forget"
    PURGE = "purge"
    KEY_CHANGE = "key_change"
    """Keys or peppers are others than before; with an audit trail only, which knows the former."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One path prefix under which a protocol is served.

    :param prefix: in the Flask app.
    :param public_prefix: the same as the caller sees and signs it.
    :param setting: the configuration key that the prefix comes from, for errors.
    """

    prefix: str
    public_prefix: str
    setting: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as it came, without any framework.

    :param uri: path and query string as the caller used them; this is what was signed.
    :param path: the path below the mount's prefix, with its slash.
    :param headers: by lower-case name; repeated ones joined with commas.
    :param address: the peer's network, as its traffic is counted.
    :param prefix: the mount's, in the Flask app.
    :param complete: whether the body was read to its end.
    """

    method: str
    uri: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    address: str = ""
    prefix: str = ""
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Outbound:
    """An answer, sealed: nothing may change it.

    :param code: the result code that is in it, for events; empty where there is none.
    """

    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int = 200
    code: str = ""

    @property
    def told(self) -> str:
        """What events tell of it: its code, or its HTTP status where it has none."""
        return self.code or str(self.status)


@dataclass(frozen=True, slots=True)
class AuthenticatedRequest:
    """A request whose client is proven, and which is fresh.

    :param request: the same for a byte-identical repeat.
    :param body: the bytes that are proven to be the client's, decrypted if need be.
    """

    client: str
    request: IdempotencyKey
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """What the proven bytes ask for.

    :param command: what core is to do; None if nothing is to be done, as for an echo.
    :param for_answer: a text that the protocol needs to write its answer, such as an id that it
        repeats; core never reads it.
    """

    command: Command | None
    for_answer: str = ""


@dataclass(slots=True)
class RequestContext:
    """A request and how far it came; :func:`handle` fills it in, check by check."""

    inbound: Inbound
    operation: Operation | None = None
    authenticated: AuthenticatedRequest | None = None
    parsed: ParsedRequest | None = None


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One row of a protocol's code table.

    :param message: the document's own, word for word, where it has one.
    :param operations: those that are answered with it.
    :param detail: what is always told beside the message.
    """

    code: str
    status: str
    message: str
    operations: frozenset[Operation]
    detail: str = ""

    def tell(self, explanation: str = "") -> str:
        """Return the message, and behind it the detail and what else explains an outcome."""
        behind = f"{self.detail} {explanation}".strip()
        if not behind:
            return self.message
        stop = "" if self.message.endswith(".") else "."
        return f"{self.message}{stop} {behind}"


@dataclass(frozen=True, slots=True)
class Event:
    """How a request ended, or what an operator did; it holds no code, token or address.

    What is known of a request is told however it ended: granted, refused, or by an exception.

    :param protocol: the protocol's name; ``operator`` for what an operator did.
    :param operation: what was asked for; None if the path was not reached or names nothing.
    :param caller: who asks; None if no signature is valid, and without acquirer and pspId if the
        fields were not read.
    :param reason: why it was refused; None if it was granted.
    :param until: when the refusal ends, if that is known.
    :param challenge_id: the challenge that was sent, or that an attempt named.
    :param subject: the user, as the host names it; empty if no user was found.
    :param repeated: whether a repeat was answered, so that nothing was done again.
    :param time: when it was decided (aware UTC).
    :param channel: on which a code was to be sent; None for others than sends.
    :param code: the result code of the answer; the HTTP status where it has none.
    :param reference: names the entry of the log, if an exception was raised.
    :param tracer: the caller's tracer id, if it sent one that can be logged.
    :param seconds: how long it took: ``total``, and of that ``hooks``, ``store`` and ``delivery``.
    :param attempts: how often the store was asked.
    :param count: how many rows an operator's act has deleted, or whether it changed anything; of
        a key change, how many keys and peppers.
    :param changes: of a key change: names of keys, and check values of peppers, by what became of
        them: ``keys_added``, ``keys_removed``, ``keys_replaced``, ``peppers_added``,
        ``peppers_removed``. No part of a key is in it.
    :param retries: how often the store was asked again, after a try that had done nothing.
    :param failed: ``hooks``, ``store`` or ``delivery``, if an exception was raised there.
    :param claimed: the client or account that a request names whose signature does not hold, or
        can't be verified; nobody has proven it.
    """

    protocol: str
    operation: Operation | Act | None = None
    caller: Caller | None = None
    reason: Reason | None = None
    until: datetime | None = None
    challenge_id: str = ""
    subject: str = ""
    repeated: bool = False
    time: datetime = field(default_factory=utc_now, compare=False)
    channel: Channel | None = None
    code: str = ""
    reference: str = ""
    tracer: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    attempts: int = field(default=0, compare=False)
    count: int | None = None
    retries: int = 0
    failed: str = ""
    claimed: str = ""
    changes: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)
