"""Every protocol goes through the same door in the same order: the cheap check before the dear one.

``exchange`` is that order. A protocol has four faces: admit a caller, read a command, write an
answer, seal it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self

from flask_otp_mpp.core.challenge import RequestKey
from flask_otp_mpp.core.config import Setting
from flask_otp_mpp.core.ports import Clock
from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.core.service import Done, OtpService, SendOtp, VerifyOtp
from flask_otp_mpp.signing.keys import ClientKeyHook, Signer


class Operation(StrEnum):
    """Name what a caller can ask for."""

    SEND = "send"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Inbound:
    """Hold a request as it came, free of any framework.

    :param uri: path and query string as the caller used them; this is what was signed.
    :param path: the path below the protocol's prefix, with its slash.
    :param headers: by lower-case name; repeated ones joined with commas.
    :param address: the peer's network address.
    """

    method: str
    uri: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Hold an answer; nothing may change it after it is sealed."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int = 200


@dataclass(frozen=True, slots=True)
class Admission:
    """Hold who was let in: a client whose signature holds, with a fresh request."""

    client: str
    request: RequestKey


@dataclass(frozen=True, slots=True)
class CodeRow:
    """Publish one line of a protocol's code table."""

    code: str
    status: str
    message: str
    operations: frozenset[Operation]


@dataclass(frozen=True, slots=True)
class Event:
    """Tell the host what became of a request: no code, no token, no address.

    :param protocol: the protocol's name.
    :param operation: what was asked for; None if the door was not passed that far.
    :param client: the client whose signature held; empty if none did.
    :param reason: why it was refused; None if it was granted.
    :param until: when the refusal ends, if that is known.
    :param challenge_id: the challenge that was sent or answered; empty if refused.
    :param subject: the user, as the host names it; empty if refused.
    :param repeated: whether this answered a repeat, so that nothing was done again.
    """

    protocol: str
    operation: Operation | None = None
    client: str = ""
    reason: Reason | None = None
    until: datetime | None = None
    challenge_id: str = ""
    subject: str = ""
    repeated: bool = False


class Gate(Protocol):
    """Limit the traffic; both verbs raise :class:`Refused` when it is too much."""

    def by_address(self, address: str) -> None: ...

    def by_client(self, protocol: str, client: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """Hold what a deployment gives to each of its protocols.

    :param freshness: how far a request's time may be from now, either way.
    :param client_key: the host's hook for keys that are not in the settings.
    """

    signer: Signer
    freshness: timedelta
    clock: Clock
    client_key: ClientKeyHook | None = None


class WireProtocol(Protocol):
    """Speak one protocol.

    :cvar name: short and unique, for logs, limits and events.
    :cvar settings: the keys of its own that it is configured by.
    :cvar codes: which row of the code table answers for each reason; total.
    :ivar prefix: where it lives in the Flask app.
    :ivar public_prefix: the same place as the caller sees and signs it.
    """

    name: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]]
    codes: ClassVar[Mapping[Reason, CodeRow]]
    success: ClassVar[CodeRow]

    @property
    def prefix(self) -> str: ...

    @property
    def public_prefix(self) -> str: ...

    @property
    def paths(self) -> Mapping[str, Operation]:
        """Map each path below the prefix to its operation."""
        ...

    @classmethod
    def configure(cls, values: Mapping[str, Any], deployment: Deployment) -> Self:
        """Build the protocol from its own settings, by name.

        :raises ConfigurationError: if they don't go together.
        """
        ...

    def admit(self, inbound: Inbound) -> Admission:
        """Check verb, media type, client, key, signature and freshness, in this order."""
        ...

    def read(
        self, operation: Operation, inbound: Inbound, admission: Admission
    ) -> SendOtp | VerifyOtp:
        """Read the proven bytes into a command."""
        ...

    def write(self, operation: Operation | None, answer: Done | Refused) -> bytes:
        """Write an answer's body."""
        ...

    def seal(self, inbound: Inbound, body: bytes) -> Outbound:
        """Sign an answer over the bytes that leave."""
        ...


def exchange(
    protocol: WireProtocol, inbound: Inbound, service: OtpService, gate: Gate
) -> tuple[Outbound, Event]:
    """Serve one request: traffic, path, caller, body, traffic again, work, seal.

    Whatever is refused on the way is answered. What is unforeseen is left to the caller, who
    knows how to report it and then answers by :func:`turn_away`.
    """
    operation = None
    admission = None
    answer: Done | Refused
    try:
        gate.by_address(inbound.address)
        operation = protocol.paths.get(inbound.path)
        if operation is None:
            raise Refused(Reason.PATH_UNKNOWN)
        admission = protocol.admit(inbound)
        command = protocol.read(operation, inbound, admission)
        gate.by_client(protocol.name, admission.client)
        answer = service.send(command) if isinstance(command, SendOtp) else service.verify(command)
    except Refused as refusal:
        answer = refusal
    outbound = protocol.seal(inbound, protocol.write(operation, answer))
    client = "" if admission is None else admission.client
    return outbound, _event(protocol.name, operation, client, answer)


def turn_away(protocol: WireProtocol, inbound: Inbound, refusal: Refused) -> tuple[Outbound, Event]:
    """Answer a request that never came as far as :func:`exchange`, or broke in it."""
    outbound = protocol.seal(inbound, protocol.write(None, refusal))
    return outbound, _event(protocol.name, None, "", refusal)


def _event(name: str, operation: Operation | None, client: str, answer: Done | Refused) -> Event:
    if isinstance(answer, Refused):
        return Event(name, operation, client, answer.reason, answer.until)
    return Event(
        name,
        operation,
        client,
        challenge_id=answer.challenge_id,
        subject=answer.subject,
        repeated=answer.repeated,
    )
