"""Faults of the fields of a body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from flask_otp_mpp.conformance.signed.dialect import ALIPAYPLUS
from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.messages import code_of, fields, with_body, with_fields, with_result
from tests.conformance.faulty.signing import is_right, signed
from tests.wallet import ACQUIRER, PSP

FAULTS: Final = FaultList()
Change: TypeAlias = Callable[[str, Any], Any]
_LONGEST: Final = {
    field.name: field.longest for fields in ALIPAYPLUS.fields.values() for field in fields
}
_KNOWN: Final = {
    "acquirerId": ACQUIRER,
    "pspId": PSP,
    "accessToken": "no-such-token",
    "verifyRequestId": "no-such-challenge",
    "otpCode": "000000",
    "verifyType": None,
}
"""What a wallet makes of a value that it does not check: what is known, or what is not found."""


def _each(change: Change) -> Layer:
    """Return a layer that changes the value of each field that the documents have."""

    def layer(request: Request, answer: Next) -> Response:
        members = fields(request)
        changed = {name: change(name, members[name]) for name in members if name in _KNOWN}
        return answer(with_fields(request, **changed))

    return layer


def _illegal_if(rule: Callable[[Mapping[str, Any]], bool]) -> Layer:
    """Return a layer that has requests refused as illegal for which a rule holds."""

    def layer(request: Request, answer: Next) -> Response:
        return answer(with_fields(request, acquirerId="") if rule(fields(request)) else request)

    return layer


FAULTS.add(
    "empty-accepted",
    "A text may be empty.",
    "fields.optional-empty",
    "fields.send-empty",
    "fields.verify-empty",
)(_each(lambda name, value: _KNOWN[name] if value == "" else value))
FAULTS.add(
    "number-accepted",
    "A number stands for the text that it is written as.",
    "fields.send-number",
    "fields.verify-number",
)(_each(lambda _, value: str(value) if type(value) is int else value))
FAULTS.add(
    "boolean-accepted",
    "A Boolean stands for some text.",
    "fields.optional-of-another-type",
    "fields.send-boolean",
    "fields.verify-boolean",
)(_each(lambda name, value: _KNOWN[name] if isinstance(value, bool) else value))
FAULTS.add(
    "null-accepted", "A required field may be null.", "fields.send-null", "fields.verify-null"
)(_each(lambda name, value: _KNOWN[name] if value is None else value))
FAULTS.add(
    "list-accepted",
    "A list stands for its first member.",
    "fields.optional-of-another-type",
    "fields.send-list",
    "fields.verify-list",
)(_each(lambda _, value: value[0] if isinstance(value, list) else value))
FAULTS.add(
    "object-accepted",
    "An object stands for some text.",
    "fields.optional-of-another-type",
    "fields.send-object",
    "fields.verify-object",
)(_each(lambda name, value: _KNOWN[name] if isinstance(value, dict) else value))
FAULTS.add(
    "too-long-accepted",
    "A text that is too long is cut.",
    "fields.send-too-long",
    "fields.verify-too-long",
)(_each(lambda name, value: value[: _LONGEST[name]] if isinstance(value, str) else value))
FAULTS.add(
    "channel-in-any-case", "The case of verifyType does not matter.", "fields.send-lower-case"
)(
    _each(
        lambda name, value: (
            value.upper() if name == "verifyType" and isinstance(value, str) else value
        )
    )
)
FAULTS.add(
    "other-channel-is-default",
    "A verifyType that is not known stands for MOBILE.",
    "fields.send-other-value",
    "fields.send-too-long",
    "happy.no-id-after-failure",
)(
    _each(
        lambda name, value: (
            "MOBILE"
            if name == "verifyType"
            and value not in ("EMAIL", "", None, "mobile")
            and isinstance(value, str)
            else value
        )
    )
)
FAULTS.add(
    "optional-null-refused", "An optional field of null is refused.", "fields.optional-null"
)(_illegal_if(lambda members: members.get("verifyType", "") is None))
FAULTS.add(
    "unknown-field-refused",
    "A field that is not known is refused.",
    "body.escaped-slash",
    "body.surrogate-pair",
    "body.utf-8",
    "fields.send-unknown-field",
    "fields.verify-unknown-field",
    "headers.sdk-php",
)(_illegal_if(lambda members: not members.keys() <= _KNOWN.keys()))


FAULTS.add("no-email", "Codes are not sent by e-mail.", "happy.email")(
    _illegal_if(lambda members: members.get("verifyType") == "EMAIL")
)
FAULTS.add("default-not-named", "MOBILE can't be named.", "happy.named-channel")(
    _illegal_if(lambda members: members.get("verifyType") == "MOBILE")
)
FAULTS.add(
    "id-trimmed", "Case and spaces of a verifyRequestId do not matter.", "life.almost-the-id"
)(
    _each(
        lambda name, value: (
            value.strip().lower() if name == "verifyRequestId" and isinstance(value, str) else value
        )
    )
)


@FAULTS.add(
    "unreadable-unforeseen",
    "A body that can't be read is an unknown exception.",
    "body.array",
    "body.bom",
    "body.comment",
    "body.deep",
    "body.empty",
    "body.encoded-surrogate",
    "body.garbage-behind",
    "body.latin-1",
    "body.line-feed-in-string",
    "body.long-number",
    "body.no-json",
    "body.no-members",
    "body.null",
    "body.number",
    "body.single-quotes",
    "body.string",
    "body.trailing-comma",
    "body.truncated",
    "body.two-objects",
    "body.utf-16",
)
def unreadable_unforeseen(request: Request, answer: Next) -> Response:
    response = answer(request)
    if code_of(response) != "PARAM_ILLEGAL" or fields(request):
        return response
    return with_result(request, response, resultCode="UNKNOWN_EXCEPTION", resultStatus="U")


@FAULTS.add(
    "constants-accepted",
    "What JSON has not, and Python reads, is read: NaN, UTF-16.",
    "body.infinity",
    "body.nan",
    "body.utf-16",
)
def constants_accepted(request: Request, answer: Next) -> Response:
    try:
        members = json.loads(request.body, parse_constant=str)
    except (ValueError, RecursionError):
        return answer(request)
    if not is_right(request) or members == fields(request):
        return answer(request)
    return answer(signed(replace(request, body=json.dumps(members).encode())))


@FAULTS.add(
    "missing-accepted",
    "A required field may be missing.",
    "body.no-members",
    "fields.message-names-the-field",
    "fields.send-missing",
    "fields.verify-missing",
)
def missing_accepted(request: Request, answer: Next) -> Response:
    if not fields(request) and request.body != b"{}":
        return answer(request)
    names: tuple[str, ...] = ("acquirerId", "pspId", "accessToken")
    if request.uri.endswith("verifyOTP"):
        names += ("verifyRequestId", "otpCode")
    missing = {name: _KNOWN[name] for name in names if name not in fields(request)}
    return answer(with_fields(request, **missing) if missing else request)


@FAULTS.add(
    "last-duplicate",
    "Of a repeated field the last one counts.",
    "body.duplicate",
    "body.duplicate-behind",
    "body.duplicate-escaped",
)
def last_duplicate(request: Request, answer: Next) -> Response:
    if not is_right(request) or not fields(request):
        return answer(request)
    return answer(signed(replace(request, body=json.dumps(fields(request)).encode())))


@FAULTS.add(
    "no-field-named", "A message about a field does not name it.", "fields.message-names-the-field"
)
def no_field_named(request: Request, answer: Next) -> Response:
    response = answer(request)
    if code_of(response) != "PARAM_ILLEGAL":
        return response
    result = {**fields(response)["result"], "resultMessage": "Illegal parameters."}
    return with_body(request, response, json.dumps({"result": result}).encode())
