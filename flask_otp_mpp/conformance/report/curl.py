"""A request as a command of ``curl``, for a shell."""

from __future__ import annotations

import shlex
from typing import Final
from urllib.parse import urlsplit

from flask_otp_mpp.conformance.masking import Mask
from flask_otp_mpp.conformance.wire import Request

_OF_CURL: Final = ("User-Agent", "Accept", "Content-Type")
"""The headers that curl adds where none are given."""
_LONGEST: Final = 4096
"""Bytes of a body that a command holds."""
_PLAIN: Final = frozenset(range(0x20, 0x7F)) - set(b"\\%'")


def curl(request: Request, base_url: str, mask: Mask) -> str:
    """Return the command that sends a request again.

    :param base_url: of which scheme and host count: the request's URI is the whole path.
    :param mask: hides secrets; where it has some, the signature is hidden, too: it would not hold.
    """
    parts = urlsplit(base_url)
    given = {name.lower() for name, _ in request.headers}
    before, body = _body(request.body, mask)
    headers = [
        (name, "<signature>" if mask.hides and name.lower() == "signature" else value)
        for name, value in request.headers
    ]
    method = ["--head"] if (request.method, body) == ("HEAD", []) else ["-X", request.method]
    words = [
        ["curl", "--include", "--path-as-is", "--globoff", *method],
        *(["-H", f"{name}:"] for name in _OF_CURL if name.lower() not in given),
        *(["-H", f"{name}: {value}" if value else f"{name};"] for name, value in headers),
        *([body] if body else []),
        [f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{request.uri}"],
    ]
    return before + " \\\n  ".join(shlex.join(mask(one) for one in line) for line in words)


def _body(body: bytes, mask: Mask) -> tuple[str, list[str]]:
    """Return what stands before the command, and its options for a body."""
    if not body:
        return "", []
    if len(body) > _LONGEST:
        return f"# body.bin: the {len(body)} bytes of the body\n", ["--data-binary", "@body.bin"]
    text = body.decode("utf-8", "surrogateescape")
    if text.isprintable() and text.isascii():
        return "", ["--data-raw", text]
    raw = mask(text).encode("utf-8", "surrogateescape")
    octal = "".join(chr(one) if one in _PLAIN else f"\\{one:03o}" for one in raw)
    return f"printf '{octal}' | ", ["--data-binary", "@-"]
