"""Cases of signatures that must be refused: they cover another text than what was sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import quote

from flask_otp_mpp.conformance.case import SIGNED, Group
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing
from flask_otp_mpp.conformance.signed.probe import SIGN, Make, add, probe, resigned
from flask_otp_mpp.conformance.wire import Request

CASES: Final = SignedCases(Group.SIGNATURE, SIGNED, SIGN)
Change: TypeAlias = Callable[[SignedPlay, Request], Request]


# Something is changed after the request was signed.


def _changed(change: Change) -> Make:
    return lambda play: change(play, probe(play))


def _body(change: Callable[[bytes], bytes]) -> Make:
    return _changed(lambda _, request: replace(request, body=change(request.body)))


def _send_changed(play: SignedPlay) -> Request:
    request, user = play.request(Api.SEND, play.fields(Api.SEND)), play.user.encode()
    return replace(request, body=request.body.replace(user, user + b"x"))


def _later(play: SignedPlay, request: Request) -> Request:
    later = play.time(play.bench.now() + timedelta(seconds=1))
    return request.with_header("Request-Time", later)


def _time_into_client(_: SignedPlay, request: Request) -> Request:
    """Move the border between client and time: the signed text stays the same."""
    head, _dot, rest = request.header("request-time").partition(".")
    client = f"{request.header('client-id')}.{head}"
    return request.with_header("Client-Id", client).with_header("Request-Time", rest)


def _body_into_time(play: SignedPlay) -> Request:
    """Move the border between time and body: the signed text stays the same."""
    request = probe(play, memo="a.b")
    head, _dot, rest = request.body.partition(b".")
    time = f"{request.header('request-time')}.{head.decode()}"
    return replace(request.with_header("Request-Time", time), body=rest)


def _of_another(play: SignedPlay) -> Request:
    return replace(probe(play), body=probe(play).body)


def _bit(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


def _letter(signature: bytes) -> str:
    text = base64.b64encode(signature).decode()
    return quote(("B" if text[0] == "A" else "A") + text[1:], safe="")


add(
    CASES,
    (
        ("signature.body-changed", "A code that was changed after signing is refused",
         _body(lambda body: body.replace(b'"000000"', b'"000001"'))),
        ("signature.space-added", "A space that was added to the body after signing is refused",
         _body(lambda body: body.replace(b"}", b" }"))),
        ("signature.newline-added", "A line feed that was added behind the body is refused",
         _body(lambda body: body + b"\n")),
        ("signature.reserialised", "A body that was written again after signing is refused",
         _body(lambda body: json.dumps(json.loads(body)).encode())),
        ("signature.send-changed", "A token that was changed in a request for a code is refused",
         _send_changed),
        ("signature.time-changed", "A Request-Time that was changed after signing is refused",
         _changed(_later)),
        ("signature.of-another-request", "The signature of another request is refused",
         _of_another),
        ("signature.bit-flipped", "A signature with one bit changed is refused", resigned(_bit)),
        ("signature.letter-changed", "A signature with one letter changed is refused",
         resigned(_letter)),
    ),
    "The signature covers each byte of the body, and the time.",
    Means.BAD_SIGNATURE,
)  # fmt: skip
add(
    CASES,
    (
        ("signature.query-added", "A query string that was added after signing is refused",
         _changed(lambda _, request: replace(request, uri=f"{request.uri}?amount=1"))),
    ),
    "The signature covers the query string.",
    Means.BAD_SIGNATURE,
    Means.NO_API,
)  # fmt: skip
add(
    CASES,
    (
        ("signature.time-moved-to-client", "A time that begins in Client-Id is refused",
         _changed(_time_into_client)),
        ("signature.body-moved-to-time", "A body that begins in Request-Time is refused",
         _body_into_time),
    ),
    "A signed text has one reading: neither client nor time can hold what ends it.",
    Means.BAD_SIGNATURE,
    Means.CLIENT_UNKNOWN,
    Means.KEY_NOT_FOUND,
    Means.ACCESS_DENIED,
    Means.PARAMETER,
)  # fmt: skip


# The signature covers another text.


def _covering(change: Callable[[bytes], bytes]) -> Make:
    return lambda play: probe(play, Signing(covers=change))


def _spaced(text: bytes) -> bytes:
    start = text.index(b"{")
    return text[:start] + json.dumps(json.loads(text[start:])).encode()


def _other_path(play: SignedPlay) -> Request:
    used, other = (play.uri(api).encode() for api in (Api.VERIFY, Api.SEND))
    return probe(play, Signing(covers=lambda text: text.replace(used, other, 1)))


def _file_name(text: bytes) -> bytes:
    line, feed, rest = text.partition(b"\n")
    return b"POST " + line.rpartition(b"/")[2] + feed + rest


def _without(play: SignedPlay, header: str) -> Request:
    """Leave the value of a header out of what is signed."""
    at = play.time(play.bench.now())
    part = f"{play.client.id}.".encode() if header == "client" else f"{at}.".encode()
    covers = Signing(time=at, covers=lambda text: text.replace(part, b"", 1))
    return probe(play, covers)


add(
    CASES,
    (
        ("signature.other-path", "A signature for the path of the other API is refused",
         _other_path),
        ("signature.other-method", "A signature for the method GET is refused",
         _covering(lambda text: text.replace(b"POST", b"GET", 1))),
        ("signature.method-in-lower-case", "A signature for the method post is refused",
         _covering(lambda text: text.replace(b"POST", b"post", 1))),
        ("signature.with-host", "A signature over scheme and host is refused",
         _covering(lambda text: text.replace(b" /", b" https://wallet.example/", 1))),
        ("signature.last-segment", "A signature over the last segment of the path is refused",
         _covering(_file_name)),
        ("signature.without-method", "A signature that leaves out the method is refused",
         _covering(lambda text: text.removeprefix(b"POST "))),
        ("signature.without-client", "A signature that leaves out the Client-Id is refused",
         partial(_without, header="client")),
        ("signature.without-time", "A signature that leaves out the Request-Time is refused",
         partial(_without, header="time")),
        ("signature.without-body", "A signature that leaves out the body is refused",
         _covering(lambda text: text[: text.index(b"{")])),
        ("signature.body-alone", "A signature over the body alone is refused",
         _covering(lambda text: text[text.index(b"{") :])),
        ("signature.trailing-newline", "A signature over a final line feed is refused",
         _covering(lambda text: text + b"\n")),
        ("signature.crlf", "A signature over CR LF in place of LF is refused",
         _covering(lambda text: text.replace(b"\n", b"\r\n", 1))),
        ("signature.spaced-body", "A signature over the body with further spaces is refused",
         _covering(_spaced)),
    ),
    "What is signed is: method, space, path and query, line feed, client, dot, time, dot, body.",
    Means.BAD_SIGNATURE,
)  # fmt: skip
