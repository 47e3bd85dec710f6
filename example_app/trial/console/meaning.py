"""What a result means, why it came, and where the documents and this project explain it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from example_app.trial.console.choices import OPERATIONS
from example_app.trial.console.faults import ALIPAYPLUS, AMS, GOOGLE
from flask_otp_mpp import Event, Operation, Reason, state_of

GUIDE: Final = "docs/troubleshooting.md"
_BOOKS: Final = {ALIPAYPLUS: "Alipay+ Mobile Payment Provider API", AMS: "AMS API"}
_RESULTS: Final = {
    Operation.SEND: "SendOtpResultCode",
    Operation.VERIFY: "VerifyOtpResultCode",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a result means.

    :param reason: the name of the package's reason; empty if the request was granted.
    :param condition: what happened, as the package's documentation says it.
    :param document: where the protocol's own documents list the code.
    :param section: the heading of this project's troubleshooting page.
    """

    reason: str
    condition: str
    document: str
    section: str


def meaning_of(protocol: str, operation: Operation, event: Event | None) -> Meaning:
    """Return what the result of a request means, by the event that was published for it."""
    reason = None if event is None else event.reason
    condition = "The request was granted." if reason is None else _sentence(reason)
    name = "" if reason is None else reason.name
    return Meaning(
        name, condition, _document(protocol, operation, reason), _section(protocol, reason)
    )


def _sentence(reason: Reason) -> str:
    return f"{reason.value[0].upper()}{reason.value[1:]}."


def _document(protocol: str, operation: Operation, reason: Reason | None) -> str:
    if protocol != GOOGLE:
        call = OPERATIONS[protocol][operation is Operation.VERIFY]
        return f"{_BOOKS[protocol]}: {call}, “Result/Error codes”"
    status = "200" if reason is None else _row(protocol, reason)[1]
    table = _RESULTS[operation] if status == "200" else "ErrorResponseCode and HTTP status"
    return f"Google Standard Payments v1: {table}"


def _section(protocol: str, reason: Reason | None) -> str:
    if reason is None:
        return "SUCCESS of Google" if protocol == GOOGLE else "SUCCESS"
    code, status = _row(protocol, reason)
    return code if code.isidentifier() else f"{status} without a body"


def _row(protocol: str, reason: Reason) -> tuple[str, str]:
    """Return code and status by which the wallet answers a reason."""
    served = next(one for one in state_of().protocols if one.name == protocol)
    row = served.chosen_codes[reason]
    return row.code, row.status
