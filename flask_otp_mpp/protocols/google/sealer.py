"""What every kind of sealed body of Google Standard Payments offers: open one, seal one.

Google's side of a conversation uses the same sealers with the keys exchanged.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
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
    """What was in a sealed body, and who sealed it.

    :param payload: the bytes inside, not parsed: JSON, if the caller does as agreed.
    :param signer: the key whose signature is valid, by its ``kid`` or fingerprint; empty if the
        account's callers are authenticated elsewhere (a bare JWE, plain).
    """

    payload: bytes = field(repr=False)
    signer: str


@dataclass(frozen=True, slots=True)
class OpeningKeys:
    """Name the keys on which it depends what a sealer opens.

    A name stands for the numbers of a key, whatever id it is listed under: ids in a message are not
    signed, so whoever delivers it can change them.

    :param decrypting: our keys, one of which decrypts; none for plain bodies.
    :param verifying: their keys, one of which must have signed; none if nothing need be signed.
    """

    decrypting: frozenset[str] = frozenset()
    verifying: frozenset[str] = frozenset()

    def overlap(self, other: OpeningKeys) -> bool:
        """Tell whether both could open one message: nothing else in it says for whom it is."""
        signed = bool(self.verifying) and bool(other.verifying)
        if self.decrypting.isdisjoint(other.decrypting):
            return False
        return not signed or not self.verifying.isdisjoint(other.verifying)


class Sealer(Protocol):
    """Opens what the other side has sealed, and seals what it may read.

    :ivar media_type: the ``Content-Type`` of what it seals, and of what it opens.
    :ivar opening_keys: on which keys it depends what it opens.
    :ivar key_prints: the fingerprints of the keys in use, ours and theirs, by their names.
    """

    @property
    def media_type(self) -> str: ...

    @property
    def opening_keys(self) -> OpeningKeys: ...

    @property
    def key_prints(self) -> Mapping[str, str]: ...

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
        """End processes and remove files; may be called twice."""
        ...


class SealFault(RuntimeError):
    """An answer can't be sealed; the message says why and holds no part of it."""


def refuse_encryption() -> NoReturn:
    """Refuse a body that can't be decrypted; the cause would help an attacker (oracle)."""
    refuse(Reason.ENCRYPTION_INVALID)


def refuse_signature() -> NoReturn:
    """Refuse a body that was decrypted and has no valid signature of the account."""
    refuse(Reason.SIGNATURE_INVALID)


def from_base64url(text: bytes) -> bytes:
    """Decode base64url, with or without padding.

    :raises ValueError: if it is anything else, also if bits are set that no encoder sets.
    """
    found = _BASE64URL.fullmatch(text)
    if found is None:
        raise ValueError("is not base64url")
    digits = found[1]
    data = base64.urlsafe_b64decode(digits + b"=" * (-len(digits) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != digits:
        raise ValueError("is not base64url as an encoder writes it")
    return data
