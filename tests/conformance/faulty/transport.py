"""Faults of time, method, path, media type and the order of checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from flask_otp_mpp.conformance.wire import Request, Response
from flask_otp_mpp.protocols.alipay.signed_headers import parse_time
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.messages import code_of, fields, refusal
from tests.conformance.faulty.signing import is_right, sealed_for, signed

FAULTS: Final = FaultList()
_JSON: Final = "application/json"


@FAULTS.add(
    "time-not-checked",
    "A Request-Time of any age and form is accepted.",
    "answers.seen-access-denied",
    "headers.empty-time",
    "headers.no-time-signed",
    "time.epoch",
    "time.future",
    "time.future-milliseconds",
    "time.hour-25",
    "time.huge",
    "time.month-13",
    "time.nan",
    "time.offset-counts",
    "time.stale",
    "time.stale-milliseconds",
    "time.word",
)
def time_not_checked(request: Request, answer: Next) -> Response:
    response = answer(request)
    # What the wallet says of the time stands behind the text of its result code.
    if "Request-Time:" not in fields(response).get("result", {}).get("resultMessage", ""):
        return response
    fresh = request.with_header("request-time", response.header("response-time"))
    return answer(signed(fresh))


def _time_refused(rule: Callable[[str], bool]) -> Layer:
    def layer(request: Request, answer: Next) -> Response:
        response = answer(request)
        if not rule(request.header("request-time")):
            return response
        return refusal(request, response, "ACCESS_DENIED")

    return layer


FAULTS.add(
    "epoch-refused",
    "A Request-Time in milliseconds since 1970 is refused.",
    "headers.sdk-go",
    "headers.sdk-java",
    "headers.sdk-java-rpc",
    "time.milliseconds",
    "time.nanoseconds",
)(_time_refused(str.isdecimal))
FAULTS.add(
    "offset-refused",
    "A Request-Time that does not end with Z is refused.",
    "time.half-hour",
    "time.offset",
    "time.west",
)(_time_refused(lambda time: time[-6:-5] in ("+", "-") and time[-6:] != "+00:00"))


FAULTS.add(
    "times-in-one-form",
    "A Request-Time needs milliseconds and an offset in figures.",
    "headers.none",
    "headers.sdk-go",
    "headers.sdk-java",
    "headers.sdk-java-rpc",
    "headers.sdk-php",
    "headers.sdk-python",
    "time.compact-offset",
    "time.half-hour",
    "time.hundredths",
    "time.microseconds",
    "time.milliseconds",
    "time.minute",
    "time.nanoseconds",
    "time.nine-digits",
    "time.offset",
    "time.thousandths",
    "time.west",
    "time.z",
)(_time_refused(lambda time: re.fullmatch(r"\S{19}\.\d{3}[+-]\d\d:\d\d", time) is None))


@FAULTS.add(
    "narrow-window",
    "A Request-Time may be a minute old only, or early.",
    "time.just-ahead",
    "time.just-old",
)
def narrow_window(request: Request, answer: Next) -> Response:
    response = answer(request)
    then, now = parse_time(request.header("request-time")), response.header("response-time")
    if then is None or abs(datetime.fromisoformat(now) - then) < timedelta(minutes=1):
        return response
    return refusal(request, response, "ACCESS_DENIED")


@FAULTS.add(
    "proxy-headers-obeyed",
    "Headers of proxies change the method and the path.",
    "headers.method-override",
    "headers.original-url",
)
def proxy_headers_obeyed(request: Request, answer: Next) -> Response:
    response = answer(request)
    if request.header("x-http-method-override"):
        return refusal(request, response, "METHOD_NOT_SUPPORTED")
    if request.header("x-original-url") or request.header("x-rewrite-url"):
        return refusal(request, response, "NO_INTERFACE_DEF")
    return response


@FAULTS.add("chunked-refused", "A body in chunks is not read.", "body.chunked")
def chunked_refused(request: Request, answer: Next) -> Response:
    response = answer(request)
    chunked = request.header("transfer-encoding")
    return refusal(request, response, "PARAM_ILLEGAL") if chunked else response


@FAULTS.add(
    "any-method",
    "Any method is accepted.",
    "answers.seen-method",
    "transport.delete",
    "transport.get",
    "transport.get-send",
    "transport.options",
    "transport.patch",
    "transport.propfind",
    "transport.put",
)
def any_method(request: Request, answer: Next) -> Response:
    if request.method == "POST" or not is_right(request):
        return answer(request)
    return sealed_for(request, answer(signed(replace(request, method="POST"))))


@FAULTS.add(
    "any-media-type",
    "Any media type is accepted.",
    "answers.seen-media-type",
    "transport.form",
    "transport.multipart",
    "transport.text",
    "transport.xml",
)
def any_media_type(request: Request, answer: Next) -> Response:
    return answer(request.with_header("content-type", _JSON))


@FAULTS.add(
    "media-type-as-text",
    "The media type is compared letter by letter.",
    "transport.charset-in-lower-case",
    "transport.charset-quoted",
    "transport.empty-parameter",
    "transport.json",
    "transport.no-space",
    "transport.space-before-semicolon",
    "transport.type-in-upper-case",
    "transport.unknown-parameter",
)
def media_type_as_text(request: Request, answer: Next) -> Response:
    if request.header("content-type") == "application/json; charset=UTF-8":
        return answer(request)
    return answer(request.with_header("content-type", "text/plain"))


@FAULTS.add(
    "accept-obeyed",
    "Who does not accept JSON is refused.",
    "headers.accept",
    "headers.sdk-java-rpc",
    "headers.sdk-python",
)
def accept_obeyed(request: Request, answer: Next) -> Response:
    accepted = request.header("accept")
    if not accepted or _JSON in accepted or "*/*" in accepted:
        return answer(request)
    return answer(request.with_header("content-type", "text/plain"))


@FAULTS.add(
    "body-before-signature",
    "A body that is no JSON is refused before the signature is.",
    "body.bad-signature-empty",
    "body.bad-signature-first",
)
def body_before_signature(request: Request, answer: Next) -> Response:
    response = answer(request)
    if code_of(response) != "INVALID_SIGNATURE" or fields(request):
        return response
    return refusal(request, response, "PARAM_ILLEGAL")
