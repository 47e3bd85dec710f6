"""The request by which cases of the envelope are tried: it needs no code, and changes nothing.

It is an attempt at a challenge that nobody knows. Who is let in learns that there is no such
challenge; who learns anything else was not let in.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from flask_otp_mpp.conformance.case import Need, Severity, Source
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing
from flask_otp_mpp.conformance.wire import Request

Make: TypeAlias = Callable[[SignedPlay], Request]
"""Makes the request of a case; nothing is sent."""
LET_IN: Final = (Means.ID_NOT_USABLE, Means.WRONG_CODE)
"""What the probe is answered when its envelope was found right."""
SIGN: Final = Source("Alipay+ and AMS API overview", "Sign a request and verify the signature")
HEADER: Final = Source("Alipay+ and AMS API overview", "Request header")


def reading(text: str) -> Source:
    """Return the source of a rule of which no document speaks: our reading, and what else is fine.

    :param text: both, in a sentence or two.
    """
    return Source("none", "none", text)


def probe(play: SignedPlay, signing: Signing | None = None, **fields: Any) -> Request:
    """Return the request, signed as usual or in another way.

    :param fields: further ones, or other values.
    """
    client = signing.client if signing else None
    return play.request(Api.VERIFY, {**play.fields(Api.VERIFY, client=client), **fields}, signing)


def header_of(play: SignedPlay, signature: bytes | str, algorithm: str = "RSA256") -> str:
    """Return a Signature header; a text is taken as it is."""
    text = signature if isinstance(signature, str) else quote(base64.b64encode(signature), safe="")
    return f"algorithm={algorithm},keyVersion={play.client.key_version},signature={text}"


def resigned(change: Callable[[bytes], bytes | str]) -> Make:
    """Return what makes a probe whose signature was changed; a text is taken as it is."""

    def make(play: SignedPlay) -> Request:
        request = probe(play)
        value = request.header("signature").rpartition("=")[2]
        changed = change(base64.b64decode(unquote_to_bytes(value)))
        return request.with_header("Signature", header_of(play, changed))

    return make


def add(
    cases: SignedCases,
    rows: Iterable[tuple[str, str, Make]],
    rule: str,
    *means: Means,
    needs: tuple[Need, ...] = (),
    source: Source | None = None,
    severity: Severity = Severity.REQUIRED,
) -> None:
    """Add cases that differ in one request only, which is answered with one of these meanings.

    :param rows: id, title, and what makes the request.
    """
    for name, title, make in rows:
        play = partial(_deliver, make, means)
        cases.add(name, title, rule, *needs, source=source, severity=severity, users=0)(play)


def _deliver(make: Make, means: tuple[Means, ...], play: SignedPlay) -> None:
    play.expect(play.deliver(make(play)), *means)
