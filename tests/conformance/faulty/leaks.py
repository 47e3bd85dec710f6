"""Faults of what answers tell that they must not, and of the time that they take."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Final

from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Next
from tests.conformance.faulty.messages import code_of, fields, with_result
from tests.conformance.faulty.signing import with_header

FAULTS: Final = FaultList()
_LIMIT_SECONDS: Final = 1.5


@FAULTS.add(
    "token-in-answer",
    "The message of a refusal repeats the access token.",
    "answers.no-token",
    "fields.message-without-the-value",
)
def token_in_answer(request: Request, answer: Next) -> Response:
    response = answer(request)
    token = fields(request).get("accessToken")
    if code_of(response) == "SUCCESS" or not isinstance(token, str):
        return response
    message = f"{fields(response).get('result', {}).get('resultMessage')} {token[:64]}"
    return with_result(request, response, resultMessage=message)


@FAULTS.add(
    "code-in-answer",
    "The answer to a send holds the code that was sent, for tests.",
    "answers.no-code",
)
def code_in_answer(request: Request, answer: Next) -> Response:
    response = answer(request)
    if not request.uri.endswith("sendOTP") or code_of(response) != "SUCCESS":
        return response
    token = fields(request)["accessToken"]
    inbox = answer(replace(request, method="GET", uri=f"/inbox/{token}", body=b""))
    code = json.loads(inbox.body)[-1]["code"]
    return with_result(request, response, resultMessage=f"Success: {code}")


@FAULTS.add(
    "address-in-answer", "The answer to a send tells where the code was sent.", "answers.no-address"
)
def address_in_answer(request: Request, answer: Next) -> Response:
    response = answer(request)
    if not request.uri.endswith("sendOTP") or code_of(response) != "SUCCESS":
        return response
    return with_result(request, response, resultMessage="Success: sent to +8613012345678")


def _crash(request: Request, answer: Next) -> Response:
    """Answer a text that can't be written as UTF-8 by a stack trace."""
    if b"\\ud800" not in request.body:
        return answer(request)
    return with_result(
        request,
        answer(request),
        resultCode="UNKNOWN_EXCEPTION",
        resultStatus="U",
        resultMessage="Traceback (most recent call last): UnicodeEncodeError",
    )


FAULTS.add(
    "stack-trace",
    "A text that is no UTF-8 is answered by a stack trace.",
    "answers.no-inner-workings",
    "fields.text-with-lone-surrogate",
)(_crash)


@FAULTS.add(
    "unsigned-crash",
    "An answer to what was not foreseen is not signed.",
    "answers.signed-unknown",
    "fields.text-with-lone-surrogate",
)
def unsigned_crash(request: Request, answer: Next) -> Response:
    response = _crash(request, answer)
    if code_of(response) != "UNKNOWN_EXCEPTION":
        return response
    told = with_result(request, response, resultMessage="Unknown exception.")
    return with_header(told, "signature")


@FAULTS.add("cookie", "Answers set a cookie.", "answers.no-cookie")
def cookie(request: Request, answer: Next) -> Response:
    return with_header(answer(request), "set-cookie", "session=1")


@FAULTS.add(
    "may-be-stored", "Answers do not say that no cache may store them.", "answers.not-stored"
)
def may_be_stored(request: Request, answer: Next) -> Response:
    return with_header(answer(request), "cache-control")


@FAULTS.add_stateful(
    "slow-answer",
    "An answer takes longer than the wallet promises.",
    "answers.slowest-in-time",
    sometimes=("answers.in-time",),
    kit={"limits": {"answer_seconds": _LIMIT_SECONDS}},
)
class SlowAnswer:
    """Delay the first answer only: one is too many already."""

    def __init__(self) -> None:
        self._delays = iter((_LIMIT_SECONDS + 0.1,))

    def __call__(self, request: Request, answer: Next) -> Response:
        time.sleep(next(self._delays, 0))
        return answer(request)
