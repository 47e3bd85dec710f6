"""Bare JSON goes in and out as it is, so that a trial can be read: nothing is proven by it."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.protocols.google.sealer import MAX_SEALED, Opened, refuse_encryption


class PlainSealer:
    """Open and seal nothing, for trials on one's own machine.

    The configuration refuses it unless the app is in debug or testing mode.
    """

    media_type: Final = "application/json; charset=utf-8"

    def open(self, body: bytes) -> Opened:
        if len(body) > MAX_SEALED:
            refuse_encryption()
        return Opened(body, signer="")

    def seal(self, payload: bytes) -> bytes:
        return payload

    def close(self) -> None:
        """Hold nothing, let go of nothing."""
