"""Faults of the headers and the HTTP status of answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.messages import code_of
from tests.conformance.faulty.signing import sealed, with_header

FAULTS: Final = FaultList()


@FAULTS.add(
    "capital-header-names",
    "The names of the answer's headers are capitalised.",
    "answers.header-names",
)
def capital_header_names(request: Request, answer: Next) -> Response:
    response = answer(request)
    return replace(response, headers=tuple((name.title(), one) for name, one in response.headers))


@FAULTS.add(
    "no-response-time",
    "Answers have no Response-Time, and none in what is signed.",
    "answers.response-time",
)
def no_response_time(request: Request, answer: Next) -> Response:
    return sealed(request, with_header(answer(request), "response-time"))


def _at(change: Callable[[datetime], str]) -> Layer:
    def layer(request: Request, answer: Next) -> Response:
        response = answer(request)
        told = response.header("response-time")
        if not told:
            return response
        changed = change(datetime.fromisoformat(told))
        return sealed(request, with_header(response, "response-time", changed))

    return layer


FAULTS.add("stale-response-time", "The Response-Time is an hour old.", "answers.fresh")(
    _at(lambda told: (told - timedelta(hours=1)).isoformat())
)
FAULTS.add(
    "response-time-since-epoch",
    "The Response-Time is written as milliseconds since 1970.",
    "answers.response-time",
)(_at(lambda told: str(int(told.timestamp() * 1000))))
FAULTS.add(
    "response-time-without-offset", "The Response-Time has no offset.", "answers.response-time"
)(_at(lambda told: told.replace(tzinfo=None).isoformat()))


@FAULTS.add(
    "client-not-echoed",
    "Answers have no Client-Id, and none in what is signed.",
    "answers.client-id",
)
def client_not_echoed(request: Request, answer: Next) -> Response:
    return sealed(request, with_header(answer(request), "client-id"))


@FAULTS.add("client-twice", "Answers name the client in two headers.", "answers.headers-once")
def client_twice(request: Request, answer: Next) -> Response:
    response = answer(request)
    client = response.header("client-id")
    return with_header(response, "client-id", client, client)


@FAULTS.add("media-type-html", "Answers say that they are text/html.", "answers.media-type")
def media_type_html(request: Request, answer: Next) -> Response:
    return with_header(answer(request), "content-type", "text/html; charset=utf-8")


@FAULTS.add(
    "http-400", "Refusals have the HTTP status 400.", "answers.http-200", "body.one-megabyte"
)
def http_400(request: Request, answer: Next) -> Response:
    response = answer(request)
    return replace(response, status=200 if code_of(response) == "SUCCESS" else 400)


@FAULTS.add(
    "html-404",
    "A path that is no API is answered by a page of the framework.",
    "answers.client-id",
    "answers.http-200",
    "answers.media-type",
    "answers.no-inner-workings",
    "answers.not-stored",
    "answers.one-object",
    "answers.response-time",
    "answers.seen-no-api",
    "transport.doubled-slash",
    "transport.get-unknown-path",
    "transport.longer-name",
    "transport.path-above",
    "transport.path-below",
    "transport.path-case",
    "transport.trailing-slash",
    "transport.unknown-path",
)
def html_404(request: Request, answer: Next) -> Response:
    response = answer(request)
    return _page(404) if code_of(response) in ("NO_INTERFACE_DEF", "API_INVALID") else response


@FAULTS.add(
    "html-405",
    "A method that is not POST is answered by a page of the framework.",
    "answers.client-id",
    "answers.http-200",
    "answers.media-type",
    "answers.no-inner-workings",
    "answers.not-stored",
    "answers.one-object",
    "answers.response-time",
    "answers.seen-method",
    "transport.delete",
    "transport.get",
    "transport.get-send",
    "transport.get-unknown-path",
    "transport.options",
    "transport.patch",
    "transport.propfind",
    "transport.put",
)
def html_405(request: Request, answer: Next) -> Response:
    return answer(request) if request.method == "POST" else _page(405)


def _page(status: int) -> Response:
    body = b"<!doctype html><title>Error</title>"
    headers = (("Content-Type", "text/html"), ("Content-Length", str(len(body))))
    return Response(status, headers, body, 0)
