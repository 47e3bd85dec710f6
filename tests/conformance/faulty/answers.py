"""Faults of the signature of answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import quote, unquote

from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.messages import code_of, fields
from tests.conformance.faulty.signing import sealed, with_header

FAULTS: Final = FaultList()
_UNDECIDED: Final = ("answers.signed-unknown",)
"""It finds what an answer of status U has: one to a repeat that comes before the answer has it."""


@FAULTS.add(
    "unsigned",
    "No answer is signed.",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)
def unsigned(request: Request, answer: Next) -> Response:
    return with_header(answer(request), "signature")


@FAULTS.add("unsigned-errors", "Answers that refuse are not signed.", "answers.signed-failure")
def unsigned_errors(request: Request, answer: Next) -> Response:
    response = answer(request)
    return response if code_of(response) == "SUCCESS" else with_header(response, "signature")


@FAULTS.add(
    "other-key",
    "Answers are signed by a key that the caller does not have.",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)
def other_key(request: Request, answer: Next) -> Response:
    return sealed(request, answer(request), by="no wallet")


@FAULTS.add(
    "signed-request-time",
    "The signature covers the request's time, not the answer's.",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)
def signed_request_time(request: Request, answer: Next) -> Response:
    response = answer(request)
    told = response.header("response-time")
    wrong = with_header(response, "response-time", request.header("request-time"))
    return with_header(sealed(request, wrong), "response-time", told)


@FAULTS.add(
    "signed-path-without-prefix",
    "The signature covers the path without its prefix.",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)
def signed_path_without_prefix(request: Request, answer: Next) -> Response:
    return sealed(request, answer(request), uri="/" + request.uri.rpartition("/")[2])


@FAULTS.add(
    "signed-url",
    "The signature covers the URL with scheme and host, not the path.",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)
def signed_url(request: Request, answer: Next) -> Response:
    host = request.header("host")
    return sealed(request, answer(request), uri=f"https://{host}{request.uri}")


@FAULTS.add(
    "signed-without-method",
    "The answer's signature does not cover the method.",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)
def signed_without_method(request: Request, answer: Next) -> Response:
    return sealed(request, answer(request), method="")


@FAULTS.add(
    "body-after-signature",
    "The body is written anew after it was signed.",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)
def body_after_signature(request: Request, answer: Next) -> Response:
    response = answer(request)
    body = json.dumps(fields(response)).encode()
    return with_header(replace(response, body=body), "content-length", str(len(body)))


def _header_changed(change: Callable[[str], str]) -> Layer:
    def layer(request: Request, answer: Next) -> Response:
        response = answer(request)
        value = response.header("signature")
        return with_header(response, "signature", change(value)) if value else response

    return layer


def _in_lines(value: str) -> str:
    """Break the base64 into lines, as ``base64.encodebytes`` does, and encode it for a URL."""
    before, _, signature = value.rpartition("=")
    lines = base64.encodebytes(base64.b64decode(unquote(signature))).decode()
    return f"{before}={quote(lines, safe='')}"


FAULTS.add(
    "signature-header-spaced",
    "The items of the Signature header have spaces before them.",
    "answers.signature-form",
)(_header_changed(lambda value: value.replace(",", ", ")))
FAULTS.add(
    "signature-not-url-encoded",
    "The signature in its header is not url-encoded.",
    "answers.signature-form",
    "answers.signature-url-encoded",
)(_header_changed(unquote))
FAULTS.add(
    "signature-in-lines",
    "The signature in its header is base64 with line breaks.",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)(_header_changed(_in_lines))
FAULTS.add(
    "no-key-version",
    "The Signature header of answers names no key version.",
    "answers.signature-form",
    "answers.signature-key",
    "answers.signed-failure",
    "answers.signed-success",
    sometimes=_UNDECIDED,
)(_header_changed(lambda value: value.replace("keyVersion=1,", "")))
