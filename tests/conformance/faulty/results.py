"""Faults of the result of answers."""

from __future__ import annotations

import json
from typing import Final

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.messages import code_of, fields, with_body, with_result

FAULTS: Final = FaultList()


@FAULTS.add(
    "no-result-message",
    "Results have no resultMessage.",
    "answers.message",
    "fields.message-names-the-field",
)
def no_result_message(request: Request, answer: Next) -> Response:
    return with_result(request, answer(request), resultMessage=None)


@FAULTS.add(
    "long-result-message",
    "A resultMessage has more than 256 characters.",
    "answers.message-length",
    "fields.message-names-the-field",
)
def long_result_message(request: Request, answer: Next) -> Response:
    response = answer(request)
    if code_of(response) == "SUCCESS":
        return response
    return with_result(request, response, resultMessage="The request is refused. " * 20)


def _result_of(code: str, **changed: str | None) -> Layer:
    """Return a layer that changes the result of answers with this code."""

    def layer(request: Request, answer: Next) -> Response:
        response = answer(request)
        if code_of(response) != code:
            return response
        return with_result(request, response, **changed)

    return layer


FAULTS.add(
    "code-in-words",
    "The result code of an invalid token is in words.",
    "answers.result-code",
    "answers.seen-token-invalid",
    "isolation.other-client-same-token",
    "isolation.token-of-first-client",
    "isolation.token-of-other-client",
    "keys.second-client",
    "users.send-no-scope",
    "users.send-unknown-token",
    "users.token-in-other-case",
    "users.token-with-space",
    "users.verify-no-scope",
    "users.verify-unknown-token",
)(_result_of("INVALID_TOKEN", resultCode="invalid token"))
FAULTS.add(
    "no-status",
    "The result of an expired token has no resultStatus.",
    "answers.result-status",
    "answers.status-of-code",
)(_result_of("EXPIRED_ACCESS_TOKEN", resultStatus=None))
FAULTS.add(
    "undecided",
    "An expired token has the status U, as if it could be valid later.",
    "answers.status-of-code",
)(_result_of("EXPIRED_ACCESS_TOKEN", resultStatus="U"))
FAULTS.add(
    "key-not-found-never",
    "A key version that is not known is called a bad signature.",
    "answers.seen-key-not-found",
    "keys.unknown-version",
    "keys.unknown-version-fresh-key",
)(_result_of("KEY_NOT_FOUND", resultCode="INVALID_SIGNATURE"))
FAULTS.add(
    "unknown-client-bad-signature",
    "An unknown client is told that its signature is bad.",
    "answers.seen-client-unknown",
    "floods.unknown-clients",
    "isolation.other-psp-sends",
    "isolation.other-psp-verifies",
    "keys.client-prolonged",
    "keys.client-shortened",
    "keys.unknown-client",
)(_result_of("INVALID_CLIENT", resultCode="INVALID_SIGNATURE"))
FAULTS.add(
    "code-of-no-document",
    "A frozen user is answered with a code of no document.",
    "answers.seen-user-abnormal",
    "users.send-frozen-user",
    "users.verify-frozen-user",
)(_result_of("USER_STATUS_ABNORMAL", resultCode="USER_IS_FROZEN"))


@FAULTS.add(
    "id-with-refusals",
    "A send that is refused has a verifyRequestId, too.",
    "happy.no-id-after-failure",
)
def id_with_refusals(request: Request, answer: Next) -> Response:
    response = answer(request)
    if not request.uri.endswith("sendOTP") or code_of(response) in ("SUCCESS", ""):
        return response
    body = json.dumps({**fields(response), "verifyRequestId": "0" * 32}).encode()
    return with_body(request, response, body)


def _passed(value: bool | str) -> Layer:
    def layer(request: Request, answer: Next) -> Response:
        response = answer(request)
        if code_of(response) != "VERIFY_UNMATCHED":
            return response
        return with_body(
            request, response, json.dumps({**fields(response), "isPassed": value}).encode()
        )

    return layer


FAULTS.add(
    "passed-false-as-text",
    'isPassed is the text "false", which is true to many.',
    "happy.no-false-text",
    wire=Wire.AMS,
)(_passed("false"))
FAULTS.add(
    "passed-for-wrong-code",
    "isPassed is true for a wrong code.",
    "happy.is-not-passed",
    wire=Wire.AMS,
)(_passed(True))


@FAULTS.add("passed-as-number", "isPassed is the number 1.", "happy.is-passed", wire=Wire.AMS)
def passed_as_number(request: Request, answer: Next) -> Response:
    response = answer(request)
    members = fields(response)
    if "isPassed" not in members:
        return response
    return with_body(request, response, json.dumps({**members, "isPassed": 1}).encode())


@FAULTS.add(
    "request-id-not-echoed",
    "An answer does not name the request's id.",
    "happy.echo",
    wire=Wire.AMS,
)
def request_id_not_echoed(request: Request, answer: Next) -> Response:
    response = answer(request)
    members = fields(response)
    if members.pop("authenticationRequestId", None) is None:
        return response
    return with_body(request, response, json.dumps(members).encode())
