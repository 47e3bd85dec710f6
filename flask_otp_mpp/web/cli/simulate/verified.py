"""What the wallet in this process verified a signature over, and where it differs from ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask, request

from flask_otp_mpp.conformance.explain.string_to_sign import first_difference
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.protocols.values import Event
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.web.blueprint import BODY
from flask_otp_mpp.web.events import otp_refused
from flask_otp_mpp.web.inbound import InboundReader

_AROUND: Final = 40


@contextmanager
def watch_signatures(app: Flask, protocol: WireProtocol) -> Iterator[list[str]]:
    """Collect the texts whose signature the app refuses in the ``with`` block."""
    refused: list[str] = []

    def note(_app: Flask, event: Event, **_: Any) -> None:
        if event.protocol == protocol.name and event.reason is Reason.SIGNATURE_INVALID:
            refused.append(_verified(protocol))

    with otp_refused.connected_to(note, app):
        yield refused


def _verified(protocol: WireProtocol) -> str:
    """Return what the signature of the current request must cover."""
    environ = request.environ
    for mount in protocol.mounts:
        reader = InboundReader(mount)
        if (below := reader.path_below(environ)) is not None:
            read = reader.read(environ, below, "", environ.get(BODY))
            client, time = (read.headers.get(name, "") for name in ("client-id", "request-time"))
            return rsa256.canonical(read.method, read.uri, client, time, read.body).decode(
                errors="replace"
            )
    return ""


def explain(signed: str, verified: str) -> str:
    """Say where two texts differ, and show both there."""
    index = first_difference(signed, verified)
    if index is None:
        return (
            "The wallet verified the same string, so it is the key that differs, or the Signature "
            "header:\nsee that the client's key of this version is the public half of --key "
            "(`flask otp-mpp pubkey`)."
        )
    begin = max(signed.rfind("\n", 0, index) + 1, index - _AROUND)
    pieces = {
        name: text[begin : index + _AROUND].partition("\n")[0]
        for name, text in (("signed", signed), ("verified", verified))
    }
    lines = [f"  {name:<8}  {piece}" for name, piece in pieces.items()]
    return "\n".join(
        [
            f"The wallet verified another string; character {index + 1} is the first to differ:",
            *lines,
            " " * (len("  verified  ") + index - begin) + "^",
        ]
    )
