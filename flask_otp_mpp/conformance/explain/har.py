"""Read HAR files, as browsers and proxies save them (HTTP Archive 1.2)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask_otp_mpp.conformance.explain.captured import Captured, Sent, Unreadable
from flask_otp_mpp.conformance.explain.raw import split_target

_NO_HAR: Final = "this is JSON, and no HAR: log.entries must be a list of entries with a request"


def looks_like(data: bytes) -> bool:
    """Tell whether a text is JSON."""
    return data.startswith(b"{")


def read(data: bytes, entry: int | None = None) -> Captured:
    """Read one entry.

    :param entry: from 1; None if only one of them is signed.
    :raises Unreadable: if it is no HAR, or it is not clear which entry is meant.
    """
    try:
        entries = json.loads(data)["log"]["entries"]
        if not isinstance(entries, list):
            raise Unreadable(_NO_HAR)
        return _captured(_chosen(entries, entry))
    except Unreadable:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreadable(_NO_HAR) from None


def _chosen(entries: Sequence[Mapping[str, Any]], entry: int | None) -> Mapping[str, Any]:
    if entry is not None:
        if not 1 <= entry <= len(entries):
            raise Unreadable(f"--entry is {entry}; the HAR has {len(entries)} entries, from 1")
        return entries[entry - 1]
    signed = [
        number
        for number, one in enumerate(entries, 1)
        if any("signature" in _headers(one[side]) for side in ("request", "response"))
    ]
    if len(signed) == 1:
        return entries[signed[0] - 1]
    if not signed:
        raise Unreadable("no entry of the HAR has a Signature header; name one by --entry")
    raise Unreadable(f"entries {', '.join(map(str, signed))} of the HAR are signed; choose --entry")


def _captured(entry: Mapping[str, Any]) -> Captured:
    request, response = entry["request"], entry["response"]
    origin, uri = split_target(_bytewise(request["url"]))
    posted = request.get("postData") or {}
    content = response.get("content") or {}
    return Captured(
        request["method"],
        uri,
        Sent(_headers(request), _body(posted)),
        Sent(_headers(response), _body(content)) if response.get("status") else None,
        origin=origin,
    )


def _headers(message: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for one in message["headers"]:
        name, value = one["name"].lower(), _bytewise(one["value"]).strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _body(content: Mapping[str, Any]) -> bytes:
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        try:
            return base64.b64decode(text)
        except binascii.Error:
            raise Unreadable("a body of the HAR is said to be base64, and is not") from None
    return str(text).encode("utf-8", "surrogatepass")


def _bytewise(text: str) -> str:
    """Return a text with one character for each byte of its UTF-8."""
    return text.encode().decode("latin-1")
