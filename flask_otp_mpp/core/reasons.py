"""How a request ends: granted, or refused for a reason. The words belong to no protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, NoReturn, ParamSpec, TypeVar


class Reason(Enum):
    """Why a request is refused; the value is the condition, as the documentation prints it.

    Each protocol maps every reason to one code of its own table.
    """

    PATH_UNKNOWN = "the path is under the prefix and names no API"
    METHOD_UNSUPPORTED = "the HTTP method is not POST"
    MEDIA_TYPE_UNSUPPORTED = "the body is not JSON by its media type"
    BODY_TOO_LARGE = "the body is longer than the limit"
    BODY_UNREADABLE = "the body can't be read, is not one JSON object in UTF-8, or repeats a key"
    VERSION_UNSUPPORTED = "the major version of the protocol is not the one that is served"
    FIELD_MISSING = "a required field is missing"
    FIELD_INVALID = "a field breaks its rule"
    CLIENT_UNKNOWN = "the client is missing or unknown"
    PSP_UNKNOWN = "the pspId is not this wallet's, or not one of this client"
    KEY_UNKNOWN = "no key is registered for that client and key version"
    SIGNATURE_INVALID = "a key exists; the signature is missing, malformed or does not match"
    ENCRYPTION_INVALID = "the body is not encrypted to a key of this wallet, or is broken"
    REQUEST_STALE = "the request time is unreadable or outside the freshness window"
    ACCESS_DENIED = "the caller may not use this API, or the host refused the request"
    TRAFFIC_EXCEEDED = "a rate limit of the interface is reached"
    TOKEN_INVALID = "the access token is unknown, malformed, revoked or lacks the scope"
    TOKEN_EXPIRED = "the access token has expired"
    USER_MISSING = "there is no such user, or no longer"
    USER_ABNORMAL = "the user is closed or blocked"
    CHANNEL_UNAVAILABLE = "the wallet has no sender for the channel, or this user no address"
    SEND_LIMITED = "the user's cool-down or send limit is reached"
    SEND_LOCKED = "no code is sent to a user who failed too often: a lock, or OTP is disabled"
    DELIVERY_REFUSED = "the delivery provider refused the message for good"
    PROCESS_FAILED = "the host reports a business failure that is final"
    CODE_UNMATCHED = "the code is wrong and counted; tries may remain"
    TRIES_SPENT = "the tries of this challenge are used up; the right code is refused too"
    USER_LOCKED = "the user failed too often: a lock at this client, or OTP is disabled"
    CHALLENGE_UNKNOWN = "no such challenge, or it belongs to another user or caller"
    CHALLENGE_EXPIRED = "the challenge has expired"
    CHALLENGE_USED = "the challenge was already answered with the right code, and this is it again"
    USED_UNMATCHED = "the challenge was already answered, and this is not the code that was right"
    CHALLENGE_CLOSED = "the challenge was closed by a newer one, or never delivered"
    REQUEST_PENDING = "the same request is in progress, or was interrupted"
    REQUEST_CONFLICT = "the idempotency key was used with other parameters"
    OVERLOADED = "too many messages are being delivered in this process; nothing was done"
    UNFORESEEN = "anything unforeseen: a store is down, a provider timed out, a hook raised"

    __hash__ = object.__hash__  # that of Enum is a function in Python, and tables are keyed by it


MAX_DETAIL: Final = 200
FOREVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of a lock that ends only when an operator or the host unlocks the user."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended, from the store's decision to the answer that is sent.

    :param challenge_id: the challenge that the request was about; empty if there is none.
    :param reason: why the request is refused; None if it is granted.
    :param detail: what to tell the caller in addition to the code's own message, as in
        :class:`~flask_otp_mpp.Refused`.
    :param until: when a lock or a limit ends, if that is known (aware UTC); FOREVER if only an
        unlock ends it.
    :param repeated: this answers a repeat; nothing was done again.
    :param subject: the user, as the host names it; the service adds it to what the store decides.
    """

    challenge_id: str = ""
    reason: Reason | None = None
    detail: str = ""
    until: datetime | None = None
    repeated: bool = False
    subject: str = ""

    def about(self, subject: str) -> Outcome:
        """Return the same with its user."""
        return Outcome(
            self.challenge_id, self.reason, self.detail, self.until, self.repeated, subject
        )

    def explain(self) -> str:
        """Join the detail and the end of a refusal into one sentence for the caller."""
        detail = self.detail[:MAX_DETAIL]
        if self.until is None:
            return detail
        if self.until == FOREVER:
            return f"{detail} OTP is disabled for this user.".lstrip()
        end = f"Not before {self.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}."
        return f"{detail} {end}".lstrip()


class Refused(Exception):
    """Refuse a request from wherever the reason is found; what handles the request catches it.

    :param reason: why.
    :param detail: what to tell the caller beside the code's own message: a field and a rule, never
        a value that was sent. At most 200 characters reach the wire.
    :param until: when the refusal ends, if that is known (aware UTC).
    """

    def __init__(self, reason: Reason, detail: str = "", until: datetime | None = None) -> None:
        super().__init__(reason, detail, until)
        self.reason = reason
        self.detail = detail
        self.until = until

    @property
    def outcome(self) -> Outcome:
        """The same as a value."""
        return Outcome(reason=self.reason, detail=self.detail, until=self.until)


def refuse(reason: Reason, detail: str = "", until: datetime | None = None) -> NoReturn:
    """Refuse the request that is being served; hooks of the host may call this too.

    :raises Refused: always.
    """
    raise Refused(reason, detail, until)


def catch_refusal(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Outcome:
    """Call a step that may refuse; return what it returns, or its refusal as an outcome.

    The only place in the package that catches :class:`~flask_otp_mpp.Refused`.
    """
    try:
        return step(*args, **kwargs)
    except Refused as refusal:
        return refusal.outcome
