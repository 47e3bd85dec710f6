"""Every protocol goes through the same door in the same order: the cheap check before the dear one.

``handle`` is that order. A protocol has three faces: admit a caller, read a command, answer it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self, TypeAlias

from flask_otp_mpp.core.challenge import Channel, IdempotencyKey
from flask_otp_mpp.core.ports import Clock
from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.core.service import Done, OtpService, SendOtp, VerifyOtp
from flask_otp_mpp.core.users import Credential
from flask_otp_mpp.signing.keys import ClientKeyHook, Signer


class Operation(StrEnum):
    """Name what a caller can ask for."""

    SEND = "send"
    VERIFY = "verify"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class Mount:
    """Name a place where a protocol lives.

    :param prefix: in the Flask app.
    :param public_prefix: the same place as the caller sees and signs it.
    :param setting: the configuration key that the prefix comes from, for errors.
    """

    prefix: str
    public_prefix: str
    setting: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Inbound:
    """Hold a request as it came, free of any framework.

    :param uri: path and query string as the caller used them; this is what was signed.
    :param path: the path below the mount's prefix, with its slash.
    :param headers: by lower-case name; repeated ones joined with commas.
    :param address: the peer's network address.
    :param prefix: the mount's, in the Flask app.
    """

    method: str
    uri: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    address: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Hold an answer; nothing may change it after it is sealed."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int = 200


@dataclass(frozen=True, slots=True)
class Echo:
    """Ask for a word back, by which a caller sees that its messages are understood."""

    word: str


Command: TypeAlias = SendOtp | VerifyOtp | Echo


@dataclass(frozen=True, slots=True)
class AuthenticatedRequest:
    """Hold who was let in: a client whose signature holds, with a fresh request.

    :param request: the same for a byte-identical repeat.
    :param body: the bytes that are proven to be the client's, decrypted if need be.
    """

    client: str
    request: IdempotencyKey
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Hold a request as far as it came through the door; what it did not come to is None."""

    inbound: Inbound
    operation: Operation | None = None
    authenticated: AuthenticatedRequest | None = None
    command: Command | None = None


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


class TrafficLimiter(Protocol):
    """Limit the traffic; both verbs raise :class:`Refused` when it is too much."""

    def check_address(self, address: str) -> None: ...

    def check_client(self, protocol: str, client: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """Hold what a deployment gives to each of its protocols.

    :param signer: signs answers; usable only if one of the protocols says that it signs.
    :param freshness: how far a request's time may be from now, either way.
    :param client_key: the host's hook for keys that are not in the settings.
    :param trial: the app is in debug or testing mode, where what is unsafe may be tried.
    """

    signer: Signer
    freshness: timedelta
    clock: Clock
    client_key: ClientKeyHook | None = None
    trial: bool = False


class WireProtocol(Protocol):
    """Speak one protocol.

    :cvar name: short and unique, for logs, limits and events.
    :cvar settings: the group of its own settings, see :mod:`flask_otp_mpp.core.settings`.
    :cvar clients: the field of its settings that lists the public keys of its clients, if a
        ``client_key`` hook may know further ones; None if it asks no such hook.
    :cvar signs: whether its answers are signed by the wallet's signer.
    :cvar credentials: by what its callers name users; the host needs a loader for each.
    :cvar channels: on which it must be able to send; where a caller may choose, any will do.
    :cvar operations: what its callers can ask for.
    :cvar codes: which row of the code table answers for each reason; total.
    """

    name: ClassVar[str]
    settings: ClassVar[type[Any]]
    clients: ClassVar[str | None]
    signs: ClassVar[bool]
    credentials: ClassVar[frozenset[type[Credential]]]
    channels: ClassVar[frozenset[Channel]]
    operations: ClassVar[frozenset[Operation]]
    codes: ClassVar[Mapping[Reason, CodeRow]]
    success: ClassVar[CodeRow]

    @property
    def mounts(self) -> Sequence[Mount]:
        """Tell where it lives; the first place is the usual one."""
        ...

    @property
    def paths(self) -> Mapping[str, Operation]:
        """Map each path below a mount to its operation."""
        ...

    @classmethod
    def configure(cls, settings: Any, deployment: Deployment) -> Self:
        """Build the protocol.

        It is called even if the configuration has faults, so that all of them are found at once.

        :param settings: an instance of its group.
        :raises ConfigurationError: with what only the deployment can tell.
        """
        ...

    def authenticate(self, inbound: Inbound) -> AuthenticatedRequest:
        """Check verb, media type, client, key, signature and freshness, in this order."""
        ...

    def read(self, operation: Operation, authenticated: AuthenticatedRequest) -> Command:
        """Read the proven bytes into a command."""
        ...

    def answer(self, call: RequestContext, answer: Done | Refused) -> Outbound:
        """Write an answer, and sign it over the bytes that leave."""
        ...


def handle(
    protocol: WireProtocol, inbound: Inbound, service: OtpService, traffic: TrafficLimiter
) -> tuple[Outbound, Event]:
    """Serve one request: traffic, path, caller, body, traffic again, work, seal.

    Whatever is refused on the way is answered. What is unforeseen is left to the caller, who
    knows how to report it and then answers by :func:`reject`.
    """
    operation = None
    authenticated = None
    command = None
    answer: Done | Refused
    try:
        traffic.check_address(inbound.address)
        operation = protocol.paths.get(inbound.path)
        if operation is None:
            raise Refused(Reason.PATH_UNKNOWN)
        authenticated = protocol.authenticate(inbound)
        command = protocol.read(operation, authenticated)
        traffic.check_client(protocol.name, authenticated.client)
        match command:
            case SendOtp():
                answer = service.send(command)
            case VerifyOtp():
                answer = service.verify(command)
            case _:  # an echo asks for nothing to be done
                answer = Done("", "")
    except Refused as refusal:
        answer = refusal
    call = RequestContext(inbound, operation, authenticated, command)
    return protocol.answer(call, answer), _event(protocol.name, call, answer)


def reject(protocol: WireProtocol, inbound: Inbound, refusal: Refused) -> tuple[Outbound, Event]:
    """Answer a request that never came as far as :func:`handle`, or broke in it."""
    call = RequestContext(inbound)
    return protocol.answer(call, refusal), _event(protocol.name, call, refusal)


def _event(name: str, call: RequestContext, answer: Done | Refused) -> Event:
    client = "" if call.authenticated is None else call.authenticated.client
    if isinstance(answer, Refused):
        return Event(name, call.operation, client, answer.reason, answer.until)
    return Event(
        name,
        call.operation,
        client,
        challenge_id=answer.challenge_id,
        subject=answer.subject,
        repeated=answer.repeated,
    )


def digest_of(*parts: str) -> str:
    """Return 64 characters that stand for these texts in this order, however they run together."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
