"""What is told of a request: the event of its end, and what a bad signature was verified over."""

from __future__ import annotations

import hashlib
import logging
import re
from typing import Final

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.service import SendOtp
from flask_otp_mpp.core.trace import Trace
from flask_otp_mpp.protocols.values import Event, Inbound, RequestContext

logger = logging.getLogger("flask_otp_mpp")
_LOGGABLE: Final = re.compile(r"[A-Za-z0-9._:+-]{1,64}")
"""Texts of callers that may be logged: they begin no second line and no further field."""
_NOT_OPENED: Final = frozenset({Reason.SEND_LIMITED, Reason.SEND_LOCKED})
"""Refusals of a send whose challenge nobody would find: it was never stored."""
_PATH: Final = re.compile(r"[A-Za-z0-9._~/%-]{1,200}")


def event_of(
    protocol: str,
    context: RequestContext,
    outcome: Outcome,
    code: str,
    trace: Trace,
) -> Event:
    """Tell what became of a request.

    :param protocol: its name.
    :param code: of its answer, as :attr:`Outbound.told`.
    """
    command = None if context.parsed is None else context.parsed.command
    tracer = context.inbound.headers.get("tracerid", "")
    caller = _caller(protocol, context)
    return Event(
        protocol,
        context.operation,
        caller,
        outcome.reason,
        outcome.until,
        challenge_id=(
            "" if outcome.reason in _NOT_OPENED else outcome.challenge_id or trace.challenge_id
        ),
        subject=outcome.subject or trace.subject,
        repeated=outcome.repeated,
        channel=command.channel if isinstance(command, SendOtp) else None,
        code=code,
        reference=trace.reference,
        tracer=tracer if _LOGGABLE.fullmatch(tracer) else "",
        seconds={
            "total": trace.total,
            **{str(part): took for part, took in trace.seconds.items()},
        },
        attempts=trace.attempts,
        retries=trace.retries,
        failed="" if trace.failed is None else trace.failed.value,
        claimed=trace.claimed if caller is None else "",
    )


def log_verified(inbound: Inbound) -> None:
    """Log at DEBUG what a signature did not hold for: all that is signed, of the body a digest."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    path = inbound.uri.partition("?")[0]
    signed = (inbound.headers.get(name, "") for name in ("client-id", "request-time"))
    client, time = (text if _LOGGABLE.fullmatch(text) else "?" for text in signed)
    logger.debug(
        "a signature does not hold for: %s %s client=%s time=%s body of %d bytes, SHA-256 %s",
        inbound.method if inbound.method.isalpha() else "?",
        path if _PATH.fullmatch(path) else "?",
        client,
        time,
        len(inbound.body),
        hashlib.sha256(inbound.body).hexdigest(),
    )


def _caller(protocol: str, context: RequestContext) -> Caller | None:
    """Return who asks, as far as it is known."""
    if context.parsed is not None and context.parsed.command is not None:
        return context.parsed.command.caller
    if context.authenticated is not None:
        return Caller(protocol, context.authenticated.client)
    return None
