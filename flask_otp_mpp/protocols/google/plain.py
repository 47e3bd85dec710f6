"""Bodies as bare JSON, neither signed nor encrypted, to read them in trials."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flask_otp_mpp.protocols.google.sealer import (
    MAX_SEALED,
    Opened,
    OpeningKeys,
    refuse_encryption,
)


class PlainSealer:
    """Passes bodies on unchanged, for trials on a developer's machine.

    The configuration refuses it unless the app is in debug or testing mode.
    """

    media_type: Final = "application/json; charset=utf-8"
    opening_keys: Final = OpeningKeys()
    key_prints: Final[Mapping[str, str]] = MappingProxyType({})

    def open(self, body: bytes) -> Opened:
        if len(body) > MAX_SEALED:
            refuse_encryption()
        return Opened(body, signer="")

    def seal(self, payload: bytes) -> bytes:
        return payload

    def close(self) -> None:
        """Do nothing."""
