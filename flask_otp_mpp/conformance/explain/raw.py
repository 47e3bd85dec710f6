"""Read raw HTTP messages: a request, an answer, or a request and then its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from flask_otp_mpp.conformance.explain.captured import Captured, Direction, Sent, Unreadable

_REQUEST_LINE: Final = re.compile(r"([A-Za-z]+) (\S+)(?: HTTP/[0-9.]+)?")
_STATUS_LINE: Final = re.compile(r"HTTP/[0-9.]+ [0-9]{3}\b.*")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_ANSWER: Final = re.compile(rb"\r?\n\s*(?=HTTP/[0-9.]+ [0-9]{3})")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r?\n")
_NO_HEADER: Final = "a line of the head is no header; it must be NAME: VALUE"


@dataclass(frozen=True, slots=True)
class _Message:
    start: str
    sent: Sent
    rest: bytes
    notes: tuple[str, ...]


def looks_like(data: bytes) -> bool:
    """Tell whether a text begins like an HTTP message."""
    first = data.splitlines()[0].decode("latin-1").rstrip() if data else ""
    if _STATUS_LINE.fullmatch(first):
        return True
    found = _REQUEST_LINE.fullmatch(first)
    return found is not None and ("/" in found[2] or " HTTP/" in first)


def read(data: bytes) -> Captured:
    """Read a request, an answer, or both.

    :raises Unreadable: if a head can't be read.
    """
    first = _message(data)
    found = _REQUEST_LINE.fullmatch(first.start)
    if found is None or _STATUS_LINE.fullmatch(first.start):
        return Captured(
            *("POST", ""), None, first.sent, direction=Direction.ANSWER, notes=first.notes
        )
    answer, notes = None, first.notes
    if first.rest:
        second = _message(first.rest)
        answer, notes = second.sent, notes + second.notes
    origin, uri = split_target(found[2])
    return Captured(
        *(found[1], uri, first.sent, answer),
        origin=origin or first.sent.header("host"),
        notes=notes,
    )


def split_target(target: str) -> tuple[str, str]:
    """Split a URL or the target of a request into scheme with host, and path with query."""
    found = re.match(r"([a-z]+://[^/?#]*)([^#]*)", target, re.IGNORECASE)
    return ("", target) if found is None else (found[1], found[2] or "/")


def headers_of(lines: list[str]) -> dict[str, str]:
    """Return headers by lower-case name; a line that begins with white space continues one.

    :raises Unreadable: if a line is no header.
    """
    headers: dict[str, str] = {}
    last = ""
    for line in lines:
        if line[:1] in {" ", "\t"} and last:
            headers[last] += "\n" + line.strip()
            continue
        name, colon, value = line.partition(":")
        if name == "" and colon:  # as the :path of HTTP/2
            continue
        if not colon or " " in name.strip():
            raise Unreadable(_NO_HEADER)
        last, value = name.strip().lower(), value.strip()
        headers[last] = f"{headers[last]},{value}" if last in headers else value
    return headers


def cut_body(headers: dict[str, str], rest: bytes) -> tuple[bytes, bytes, tuple[str, ...]]:
    """Return the body, what follows it, and what a reader must know of it."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunked = _unchunked(rest)
        if chunked is not None:
            return *chunked, ()
    length = headers.get("content-length", "")
    following = _ANSWER.search(rest)
    if not length.isdecimal():
        body = rest[: following.start()] if following else rest
        after = rest[following.end() :] if following else b""
        cut = re.sub(rb"\r?\n\Z", b"", body)
        if cut == body:
            return body, after, ()
        note = "There is no Content-Length: the line end at the end is taken for the file's."
        return cut, after, (note,)
    body, after = rest[: int(length)], rest[int(length) :]
    if not after.strip() or after.lstrip().startswith(b"HTTP/"):
        notes: tuple[str, ...] = ()
        if len(body) < int(length):
            notes = (
                f"The capture has {len(body)} bytes of the body, Content-Length says {length}: it "
                "is not what was sent. Save the bytes as they are; an editor changes line ends.",
            )
        return body, after.lstrip(), notes
    whole = rest[: following.start()] if following else rest
    return (
        whole,
        rest[following.end() :] if following else b"",
        (
            f"The capture has {len(whole)} bytes of the body, Content-Length says {length}: it is "
            "not what was sent.",
        ),
    )


def _message(data: bytes) -> _Message:
    end = _HEAD_END.search(data)
    head, rest = (data[: end.start()], data[end.end() :]) if end else (data.rstrip(), b"")
    lines = [line.rstrip("\r") for line in head.decode("latin-1").split("\n")]
    headers = headers_of(lines[1:])
    body, after, notes = cut_body(headers, rest)
    return _Message(lines[0].rstrip(), Sent(headers, body), after, notes)


def _unchunked(data: bytes) -> tuple[bytes, bytes] | None:
    """Join the chunks of a body; None if the capture holds it joined already."""
    body, position = b"", 0
    while (found := _CHUNK.match(data, position)) is not None:
        size = int(found[1], 16)
        body += data[found.end() : found.end() + size]
        position = found.end() + size
        position += len(data[position : position + 2]) - len(data[position : position + 2].lstrip())
        if size == 0:
            return body, data[position:].lstrip()
    return None
