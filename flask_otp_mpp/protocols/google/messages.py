"""Read the payloads of Google's requests: JSON, version, time and fields, in this order.

Google Standard Payments v1: RequestHeader, sendOtp, verifyOtp, echo.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.clock_skew import ClockSkew
from flask_otp_mpp.core.idempotency import IdempotencyKey, digest_of
from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import BySend, SendOtp, VerifyOtp
from flask_otp_mpp.core.users import AssociationId, Credential, PhoneNumber
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.google.fields import (
    ASSOCIATION,
    CONTEXT,
    HEADER,
    MAJOR,
    MESSAGE,
    MINOR,
    OTP,
    PHONE,
    REQUEST_ID,
    REVISION,
    SENT,
    SMS_TOKEN,
    TIME,
    VERSION,
)
from flask_otp_mpp.protocols.google.results import not_cached_reasons
from flask_otp_mpp.protocols.json_fields import Fields, read_object
from flask_otp_mpp.protocols.values import Operation, ParsedRequest

NAME: Final = "google"
MAX_VERIFY_ID: Final = 32
"""The length of the id that an answer to verifyOtp bears; a repeat bears the same."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Unreachable(Credential):
    """A text that can't be a phone number; no hook is parameters for its user."""

    __slots__ = ()
    missing = Reason.CHANNEL_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the payloads of requests.

    :param freshness: how far a request's time may be from now, either way.
    :param ttl: how long the result of a request is stored.
    :param number: returns a phone number in E.164 as it is to be looked up, None if it is none.
    :param codes: which row answers each reason.
    :param skew: takes the age of each request into account.
    """

    freshness: timedelta
    ttl: timedelta
    clock: Clock
    number: Callable[[str], str | None]
    codes: Codes = field(repr=False)
    skew: ClockSkew = field(repr=False)
    _not_cached: Mapping[Operation, frozenset[Reason]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        not_cached = {one: not_cached_reasons(one, self.codes) for one in Operation}
        object.__setattr__(self, "_not_cached", not_cached)

    def read(self, operation: Operation, account: str, payload: bytes) -> ParsedRequest:
        """Read a request of that account.

        :raises Refused: by the first rule that it breaks.
        """
        members, parameters = _parse(payload)
        message = Fields(members, tell_required=False)
        header = message.inner(HEADER)
        version = header.inner(VERSION)
        if MAJOR.read(version) != MAJOR.only:
            refuse(
                Reason.VERSION_UNSUPPORTED,
                f"{HEADER}.{VERSION}.{MAJOR.name}: must be {MAJOR.only}.",
            )
        for number in (MINOR, REVISION):  # any; another version may be without them
            number.read(version)
        self._check_time(TIME.read(header))
        request_id = REQUEST_ID.read(header)
        if operation is Operation.ECHO:
            return ParsedRequest(None, for_answer=MESSAGE.read(message))
        caller = Caller(NAME, account)
        request = IdempotencyKey(
            value=_key(operation, account, request_id),
            ttl=self.ttl,
            digest=digest_of(parameters),
            not_cached=self._not_cached[operation],
        )
        if operation is Operation.SEND:
            token = SMS_TOKEN.read(message)
            CONTEXT.check(message)
            credential = self._credential(message)
            return ParsedRequest(
                SendOtp(
                    caller,
                    credential,
                    Channel.MOBILE,
                    request,
                    sms_token=token,
                    retry_unknown=True,
                )
            )
        sent = SENT.read(message)
        code = Secret(OTP.read(message))
        target = BySend(_key(Operation.SEND, account, sent))
        command = VerifyOtp(caller, target, code, request)
        return ParsedRequest(command, for_answer=request.value[:MAX_VERIFY_ID])

    def _check_time(self, text: str) -> None:
        age = (self.clock() - _EPOCH) // _MILLISECOND - int(text)
        self.skew.observe(age / 1000)
        if abs(age) > self.freshness // _MILLISECOND:
            limit = int(self.freshness.total_seconds())
            refuse(Reason.REQUEST_STALE, f"{HEADER}.{TIME.name}: must be within {limit} s of now.")

    def _credential(self, message: Fields) -> Credential:
        if ASSOCIATION.name not in message:
            text = PHONE.read(message)
            number = self.number(text)
            return Unreachable(text) if number is None else PhoneNumber(number)
        if PHONE.name in message:
            refuse(Reason.FIELD_INVALID, f"{PHONE.name}: must not come with {ASSOCIATION.name}.")
        return AssociationId(ASSOCIATION.read(message))


def _parse(payload: bytes) -> tuple[Mapping[str, Any], str]:
    """Return a payload's members, and as one normal text all of them but its time."""
    try:
        members = read_object(payload)
        parameters = dict(members)
        if isinstance(header := members.get(HEADER), dict):
            kept = {name: value for name, value in header.items() if name != TIME.name}
            parameters[HEADER] = kept
        return members, json.dumps(parameters, sort_keys=True)
    except (ValueError, RecursionError):
        rule = "It must be one JSON object in UTF-8, not too deep, with no key repeated."
        refuse(Reason.BODY_UNREADABLE, rule)


def _key(operation: Operation, account: str, name: str) -> str:
    """Return the key of a request; Google's sample has one requestId for a send and a verify."""
    return digest_of(NAME, account, operation.value, name)
