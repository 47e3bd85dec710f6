"""Nothing in a body is believed before its envelope has opened; nothing leaves but in one.

What every envelope of Google Standard Payments can do, whichever way its account seals. Google's
side of a conversation uses the same envelopes with the keys exchanged.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol

from flask_otp_mpp.core.reasons import Reason, refuse

MAX_SEALED: Final = 64 * 1024
"""The longest body that is opened, in bytes; Google's messages take under 3,000."""
MAX_PAYLOAD: Final = 64 * 1024
"""The longest payload, in bytes, that comes out, decompressed."""

_BASE64URL: Final = re.compile(rb"([A-Za-z0-9_-]+)={0,2}")


@dataclass(frozen=True, slots=True)
class Opened:
    """Hold what was in an envelope, and who sealed it.

    :param payload: the bytes inside: JSON, if the caller does as agreed. Not parsed here.
    :param signer: the key whose signature holds, by its ``kid`` or fingerprint; empty if the
        account's callers are authenticated elsewhere (a bare JWE, plain).
    """

    payload: bytes = field(repr=False)
    signer: str


class Sealer(Protocol):
    """Open what the other side has sealed, and seal what it may read.

    :ivar media_type: the ``Content-Type`` of what it seals, and of what it opens.
    """

    @property
    def media_type(self) -> str: ...

    def open(self, body: bytes) -> Opened:
        """Decrypt and check the signature.

        :raises Refused: ENCRYPTION_INVALID if it can't be decrypted, for whatever cause, always
            the same and without a detail; SIGNATURE_INVALID if it was decrypted and no signature
            of an active key of the account holds; UNFORESEEN if the tool did not finish.
        """
        ...

    def seal(self, payload: bytes) -> bytes:
        """Sign with our key and encrypt to theirs.

        :raises SealFault: if that can't be done now.
        """
        ...

    def close(self) -> None:
        """Let go of processes and files; closing twice does no harm."""
        ...


class SealFault(RuntimeError):
    """Say that an answer can't be sealed, and why; no part of it is in the message."""


def refuse_encryption() -> NoReturn:
    """Refuse a body, whatever made its decryption fail: a cause that shows is an oracle."""
    refuse(Reason.ENCRYPTION_INVALID)


def refuse_signature() -> NoReturn:
    """Refuse a body that was decrypted and is signed by nobody who may."""
    refuse(Reason.SIGNATURE_INVALID)


def from_base64url(text: bytes) -> bytes:
    """Read base64url, padded or not, in one way only.

    :raises ValueError: if it is anything else, bits that no encoder sets included.
    """
    found = _BASE64URL.fullmatch(text)
    if found is None:
        raise ValueError("is not base64url")
    digits = found[1]
    data = base64.urlsafe_b64decode(digits + b"=" * (-len(digits) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != digits:
        raise ValueError("is not base64url as an encoder writes it")
    return data
