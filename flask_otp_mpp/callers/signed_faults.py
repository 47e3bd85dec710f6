"""The faults that a trial call of a signed protocol can contain, one at a time.

They are put into a request after it was signed, as an attacker on the network could do it. The
wallet must refuse each of them. ``key``, ``stale`` and ``path`` are put in by the caller itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Final, Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.callers.transport import Call

Tamper: TypeAlias = Literal[
    "body",
    "path",
    "query",
    "method",
    "time",
    "client",
    "key",
    "key-version",
    "signature",
    "algorithm",
    "testing-signature",
    "no-signature",
    "no-client",
    "no-time",
    "media-type",
    "stale",
]
"""The names of the faults that a request can contain, as the parameter ``tamper`` takes them."""


@cache
def strangers_key() -> rsa.RSAPrivateKey:
    """Return a key that no wallet knows; one for all, as it takes a tenth of a second to make."""
    return rsa.generate_private_key(65537, 2048)


def after_signing(tamper: Tamper | None, call: Call) -> Call:
    """Return the request with the fault in it; unchanged if the fault is elsewhere, or None."""
    change = _CHANGES.get(tamper)
    return call if change is None else change(call)


def _header(name: str, change: Callable[[str], str]) -> Callable[[Call], Call]:
    def tamper(call: Call) -> Call:
        return replace(call, headers={**call.headers, name: change(call.headers[name])})

    return tamper


def _without(name: str) -> Callable[[Call], Call]:
    def tamper(call: Call) -> Call:
        return replace(call, headers={k: v for k, v in call.headers.items() if k != name})

    return tamper


def _flip(text: str) -> str:
    """Change one letter of the signature that is not part of a percent-escape.

    The header stays well formed, and the signature does not match.
    """
    start, mark, signature = text.partition("signature=")
    return start + mark + re.sub("(?<!%)(?<!%.)[a-z]", _other_letter, signature, count=1)


def _other_letter(found: re.Match[str]) -> str:
    return "b" if found[0] == "a" else "a"


def _next_second(text: str) -> str:
    return (datetime.fromisoformat(text) + timedelta(seconds=1)).isoformat(timespec="milliseconds")


_CHANGES: Final[Mapping[Tamper | None, Callable[[Call], Call]]] = {
    "body": lambda call: replace(call, body=call.body.replace(b"}", b" }")),
    "query": lambda call: replace(call, uri=f"{call.uri}?x=1"),
    "method": lambda call: replace(call, method="PUT"),
    "time": _header("request-time", _next_second),
    "client": _header("client-id", lambda client: f"{client}X"),
    "key-version": _header("signature", lambda text: re.sub("Version=[^,]*", "Version=99", text)),
    "signature": _header("signature", _flip),
    "algorithm": _header("signature", lambda text: text.replace("RSA256", "HS256")),
    "testing-signature": _header(
        "signature", lambda text: text.partition("signature=")[0] + "signature=testing_signature"
    ),
    "no-signature": _without("signature"),
    "no-client": _without("client-id"),
    "no-time": _without("request-time"),
    "media-type": _header("content-type", lambda _: "text/plain"),
}
