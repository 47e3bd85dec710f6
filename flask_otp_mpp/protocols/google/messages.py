"""Read the payloads of Google's requests: JSON, version, time and fields, in this order.

Google Standard Payments v1: RequestHeader, sendOtp, verifyOtp, echo.
"""

from __future__ import annotations

import json
import re
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
from flask_otp_mpp.protocols.google.results import not_cached_reasons
from flask_otp_mpp.protocols.json_fields import Fields, Rule, read_object
from flask_otp_mpp.protocols.values import Operation, ParsedRequest

NAME: Final = "google"
MAJOR: Final = 1
MAX_VERIFY_ID: Final = 32
"""The length of the id that an answer to verifyOtp bears; a repeat bears the same."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_HEADER: Final = "requestHeader"
_TIME: Final = "requestTimestamp"

_MOMENT: Final = Rule(re.compile("[0-9]{1,19}"), "milliseconds since 1970, as a text of digits")
_REQUEST_ID: Final = Rule(re.compile("[a-zA-Z0-9:_-]{1,100}"), "1 to 100 letters, digits or :-_")
# Google says its length only. The alphabet is that of Android's SMS retriever, base64 of either
# kind: no dot, no space, nothing that could be read as a link in a message.
_TOKEN: Final = Rule(re.compile("[A-Za-z0-9+/_-]{11}"), "11 letters, digits or +/-_")
_NAME: Final = Rule(
    re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}"), "1 to 256 characters, none a control"
)
_NUMBER: Final = Rule(re.compile("(?s:.{1,64})"), "a text of 1 to 64 characters")
_GUESS: Final = Rule(re.compile("(?s:.{1,32})"), "a text of 1 to 32 characters")
_WORD: Final = Rule(re.compile("[^\ud800-\udfff]*"), "a text in Unicode")


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
        header = message.inner(_HEADER)
        version = header.inner("protocolVersion")
        if version.number("major") != MAJOR:
            refuse(
                Reason.VERSION_UNSUPPORTED,
                f"{_HEADER}.protocolVersion.major: must be {MAJOR}.",
            )
        for name in ("minor", "revision"):  # any; another version may be without them
            version.number(name)
        self._check_time(header.matching(_TIME, _MOMENT))
        request_id = header.matching("requestId", _REQUEST_ID)
        if operation is Operation.ECHO:
            return ParsedRequest(None, for_answer=message.matching("clientMessage", _WORD))
        caller = Caller(NAME, account)
        request = IdempotencyKey(
            value=_key(operation, account, request_id),
            ttl=self.ttl,
            digest=digest_of(parameters),
            not_cached=self._not_cached[operation],
        )
        if operation is Operation.SEND:
            token = message.matching("smsMatchingToken", _TOKEN)
            message.check_union("otpContext")
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
        sent = message.matching("sendOtpRequestId", _REQUEST_ID)
        code = Secret(message.matching("otp", _GUESS))
        target = BySend(_key(Operation.SEND, account, sent))
        command = VerifyOtp(caller, target, code, request)
        return ParsedRequest(command, for_answer=request.value[:MAX_VERIFY_ID])

    def _check_time(self, text: str) -> None:
        age = (self.clock() - _EPOCH) // _MILLISECOND - int(text)
        self.skew.observe(age / 1000)
        if abs(age) > self.freshness // _MILLISECOND:
            limit = int(self.freshness.total_seconds())
            refuse(Reason.REQUEST_STALE, f"{_HEADER}.{_TIME}: must be within {limit} s of now.")

    def _credential(self, message: Fields) -> Credential:
        if "associationId" not in message:
            text = message.matching("accountPhoneNumber", _NUMBER)
            number = self.number(text)
            return Unreachable(text) if number is None else PhoneNumber(number)
        if "accountPhoneNumber" in message:
            refuse(Reason.FIELD_INVALID, "accountPhoneNumber: must not come with associationId.")
        return AssociationId(message.matching("associationId", _NAME))


def _parse(payload: bytes) -> tuple[Mapping[str, Any], str]:
    """Return a payload's members, and as one normal text all of them but its time."""
    try:
        members = read_object(payload)
        parameters = dict(members)
        if isinstance(header := members.get(_HEADER), dict):
            parameters[_HEADER] = {name: value for name, value in header.items() if name != _TIME}
        return members, json.dumps(parameters, sort_keys=True)
    except (ValueError, RecursionError):
        rule = "It must be one JSON object in UTF-8, not too deep, with no key repeated."
        refuse(Reason.BODY_UNREADABLE, rule)


def _key(operation: Operation, account: str, name: str) -> str:
    """Return the key of a request; Google's sample has one requestId for a send and a verify."""
    return digest_of(NAME, account, operation.value, name)
