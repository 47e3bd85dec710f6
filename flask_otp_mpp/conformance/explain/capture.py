"""Read a captured exchange: raw HTTP, the output of ``curl -v``, HAR, or parts.

The kind is found by looking at the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from flask_otp_mpp.conformance.explain import curl, har, raw
from flask_otp_mpp.conformance.explain.captured import (
    TIME_HEADERS,
    Captured,
    Direction,
    Sent,
    Unreadable,
)

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of a message given one by one; each replaces what a capture says.

    :param uri: path and query, or a whole URL.
    :param direction: which message they belong to, and is to be explained; None for the request,
        or the answer if only that is signed.
    """

    method: str | None = None
    uri: str | None = None
    client: str | None = None
    time: str | None = None
    signature: str | None = None
    body: bytes | None = field(default=None, repr=False)
    direction: Direction | None = None


def read_capture(data: bytes, entry: int | None = None) -> Captured:
    """Read a captured exchange.

    :param data: a raw HTTP request or answer, or the one and then the other; the output of
        ``curl -v``; or HAR.
    :param entry: which entry of a HAR file, from 1; None if only one of them is signed.
    :raises Unreadable: if it is none of them.
    """
    if data.startswith(_UTF16):  # as PowerShell redirects
        data = data.decode("utf-16", "replace").encode()
    data = data.removeprefix(_BOM).lstrip(b"\r\n\t ")
    if har.looks_like(data):
        return har.read(data, entry)
    if curl.looks_like(data):
        return curl.read(data)
    if raw.looks_like(data):
        return raw.read(data)
    raise Unreadable(
        "this is no raw HTTP message, no output of `curl -v` and no HAR; save one of them, or give "
        "--method, --uri, --client-id, --time, --signature and --body"
    )


def with_parts(captured: Captured | None, parts: Parts) -> Captured:
    """Put parts that are given one by one into a capture.

    :param captured: None if the parts are all that there is.
    :raises Unreadable: if no message is left to explain.
    """
    if captured is None:
        captured = Captured("POST", "", None, None)
    direction = parts.direction or _signed_one(captured)
    old = captured.request if direction is Direction.REQUEST else captured.answer
    given = {
        "client-id": parts.client,
        TIME_HEADERS[direction]: parts.time,
        "signature": parts.signature,
    }
    headers = {name: value for name, value in given.items() if value is not None}
    if old is None and not headers:
        raise Unreadable(f"the capture holds no {direction}; give one that does, or its parts")
    sent = Sent({**(old.headers if old else {}), **headers}, old.body if old else None)
    if parts.body is not None:
        sent = replace(sent, body=parts.body)
    origin, uri = raw.split_target(parts.uri) if parts.uri else ("", captured.uri)
    request, answer = captured.request, captured.answer
    if direction is Direction.REQUEST:
        request = sent
    else:
        answer = sent
    return replace(
        captured,
        method=parts.method or captured.method,
        uri=uri,
        request=request,
        answer=answer,
        origin=origin or captured.origin,
        direction=direction,
    )


def _signed_one(captured: Captured) -> Direction:
    """Return the request, or the answer if only that is signed."""
    request, answer = captured.request, captured.answer
    if answer is None or (request is not None and request.header("signature")):
        return Direction.REQUEST
    return Direction.ANSWER if request is None or answer.header("signature") else Direction.REQUEST
