"""What every protocol offers, and :func:`handle`: the checks of a request in their order.

Before them the traffic of the address is counted and the body is read, which is HTTP's affair.

A protocol authenticates a caller, reads a command, and writes the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Protocol

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.clock_skew import ClockSkew
from flask_otp_mpp.core.reasons import Outcome, Reason, catch_refusal, refuse
from flask_otp_mpp.core.secret import cleared_frames
from flask_otp_mpp.core.service import OtpService, SendOtp
from flask_otp_mpp.core.trace import Trace, recording
from flask_otp_mpp.core.users import Credential
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.events import event_of, log_verified
from flask_otp_mpp.protocols.values import (
    AuthenticatedRequest,
    CodeRow,
    Event,
    Inbound,
    Mount,
    Operation,
    Outbound,
    ParsedRequest,
    RequestContext,
)
from flask_otp_mpp.signing.budget import SigningBudget
from flask_otp_mpp.signing.client_keys import ClientKeyHook
from flask_otp_mpp.signing.key_operations import KeyOperations
from flask_otp_mpp.signing.keys import Signer


class TrafficLimiter(Protocol):
    """Count requests and refuse those above a limit.

    Both methods raise :class:`~flask_otp_mpp.core.reasons.Refused` with TRAFFIC_EXCEEDED.
    """

    def check_address(self, address: str) -> None:
        """Count a request of an address, before its body is read."""
        ...

    def check_client(self, protocol: str, client: str) -> None:
        """Count a request of a client, after its signature was found good."""
        ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployment gives to each of its protocols.

    :param signer: signs answers; usable only if one of the protocols says that it signs.
    :param freshness: how far a request's time may be from now, either way.
    :param client_key: the host's hook for keys that are not in the settings.
    :param insecure_allowed: whether the app is in debug or testing mode, where an account may have
        bodies that are neither signed nor encrypted.
    :param budget: how much is signed for callers who have not proven who they are; one for all
        protocols.
    :param key_operations: counts what is done by private keys; one for all protocols.
    :param skew: how far the callers' clocks are from this machine's; one for all protocols.
    """

    signer: Signer
    freshness: timedelta
    clock: Clock
    client_key: ClientKeyHook | None = None
    insecure_allowed: bool = False
    budget: SigningBudget = field(default_factory=SigningBudget, repr=False)
    skew: ClockSkew = field(default_factory=ClockSkew, repr=False)
    key_operations: KeyOperations = field(default_factory=KeyOperations, repr=False)


class WireProtocol(Protocol):
    """One protocol: bytes to commands, outcomes to bytes.

    :cvar name: short and unique, for logs, limits and events.
    :cvar settings: the group of its own settings, see :mod:`flask_otp_mpp.core.settings`.
    :cvar clients: the field of its settings that lists its clients with their public keys, if a
        ``client_key`` hook may know further ones; None if it asks no such hook.
    :cvar signs: whether its answers are signed by the wallet's signer.
    :cvar credentials: by which its callers name users; the host needs a loader for each.
    :cvar channels: on which the host must be able to send; empty if the caller chooses the channel.
    :cvar operations: what its callers can ask for.
    :cvar codes: the row of the code table that answers each reason; total.
    :cvar success: the row that answers a granted request.
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

    def __init__(self, settings: Any, deployment: Deployment) -> None:
        """Make the protocol.

        It is made even if the configuration has faults, so that all of them are found at once.

        :param settings: an instance of its group.
        :raises ConfigurationError: with what only the deployment can tell.
        """

    @property
    def chosen_codes(self) -> Codes:
        """The rows that answer, as the host has chosen them; ``codes`` without a choice."""
        ...

    @property
    def client_names(self) -> Collection[str]:
        """The clients, or accounts, that its settings list."""
        ...

    @property
    def key_prints(self) -> Mapping[str, str]:
        """The fingerprints of its keys that the settings list, ours and theirs, by their names."""
        ...

    @property
    def mounts(self) -> Sequence[Mount]:
        """Where it is served; the first mount is the usual one."""
        ...

    @property
    def paths(self) -> Mapping[str, Operation]:
        """The operation of each path below a mount."""
        ...

    def authenticate(self, inbound: Inbound) -> AuthenticatedRequest:
        """Check method, media type, client, key, signature and time, in this order.

        :raises Refused: by the first check that fails.
        """
        ...

    def read(self, operation: Operation, authenticated: AuthenticatedRequest) -> ParsedRequest:
        """Read what the proven bytes ask for.

        :raises Refused: by the first field that breaks its rule.
        """
        ...

    def told_code(self, operation: Operation | None, reason: Reason | None) -> str:
        """Return what an answer to a proven caller will tell, see :attr:`Outbound.told`.

        :param reason: None if the request is granted.
        """
        ...

    def answer(self, context: RequestContext, outcome: Outcome) -> Outbound:
        """Write an answer, and seal the bytes that leave."""
        ...


def handle(
    protocol: WireProtocol,
    inbound: Inbound,
    service: OtpService,
    traffic: TrafficLimiter,
    trace: Trace | None = None,
) -> tuple[Outbound, Event]:
    """Serve one request: check it, do what it asks, and seal the answer.

    Every refusal is answered. Any other exception passes: the calling code reports it, and then
    answers by :func:`reject`.

    :param trace: of the request; it is filled in.
    """
    trace = trace or Trace()
    trace.context = context = RequestContext(inbound)
    with recording(trace):
        outcome = catch_refusal(_serve, protocol, context, service, traffic)
    if outcome.reason is Reason.SIGNATURE_INVALID:
        log_verified(inbound)
    return _answer(protocol, context, outcome, trace)


def reject(
    protocol: WireProtocol, inbound: Inbound, outcome: Outcome, trace: Trace | None = None
) -> tuple[Outbound, Event]:
    """Answer a request that did not reach :func:`handle`, or failed in it.

    :param trace: of the request, with what is known of it.
    """
    trace = trace or Trace()
    return _answer(protocol, trace.context or RequestContext(inbound), outcome, trace)


def _serve(
    protocol: WireProtocol, context: RequestContext, service: OtpService, traffic: TrafficLimiter
) -> Outcome:
    """Check in this order: path, caller, fields, traffic by client; then work.

    :raises Refused: by the first check that fails.
    """
    inbound = context.inbound
    context.operation = operation = protocol.paths.get(inbound.path)
    if operation is None:
        refuse(Reason.PATH_UNKNOWN)
    context.authenticated = authenticated = protocol.authenticate(inbound)
    with cleared_frames():
        context.parsed = parsed = protocol.read(operation, authenticated)
    traffic.check_client(protocol.name, authenticated.client)
    if parsed.command is None:
        return Outcome()
    if isinstance(parsed.command, SendOtp):
        return service.send(parsed.command)
    return service.verify(parsed.command)


def _answer(
    protocol: WireProtocol, context: RequestContext, outcome: Outcome, trace: Trace
) -> tuple[Outbound, Event]:
    outbound = protocol.answer(context, outcome)
    return outbound, event_of(protocol.name, context, outcome, outbound.told, trace)


def decided_event(protocol: WireProtocol, trace: Trace, outcome: Outcome) -> Event:
    """Return the event of a request that is decided and not answered yet."""
    context: RequestContext = trace.context
    code = protocol.told_code(context.operation, outcome.reason)
    return event_of(protocol.name, context, outcome, code, trace)


def made_by_host(kind: type[WireProtocol]) -> TypeError:
    """Return the error for a protocol that a host makes itself."""
    name = kind.__name__
    return TypeError(f"{name} is made by OtpMpp; pass it the class: OtpMpp({name})")
