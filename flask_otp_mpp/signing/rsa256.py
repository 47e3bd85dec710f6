"""What is signed is the bytes on the wire; there is one algorithm and one reading of a signature.

Alipay+ API overview, "Sign a request and verify the signature".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final, Self
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from flask_otp_mpp.signing.keys import Signer

ALGORITHM: Final = "RSA256"
_PADDING: Final = padding.PKCS1v15()
_HASH: Final = hashes.SHA256()
_NAMES: Final = {"algorithm": "algorithm", "keyversion": "key_version", "signature": "signature"}
_VERSION: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")


class Malformed(ValueError):
    """Say which rule of the Signature header is broken."""


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """Hold what a ``Signature`` header says.

    :param key_version: None if the header names none, which stands for the client's newest key.
    """

    key_version: str | None
    signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``algorithm=RSA256, keyVersion=1, signature=<base64>``.

        White space around the commas and the case of names and algorithm do not matter. A name
        that is repeated or unknown does, and so does any algorithm but RSA256. The signature may
        be percent-encoded or bare; it must be standard base64 in its one canonical spelling.

        :raises Malformed: naming the rule.
        """
        parts: dict[str, str] = {}
        for item in text.split(","):
            name, equals, value = item.strip().partition("=")
            known = _NAMES.get(name.strip().lower())
            if not equals or known is None or known in parts:
                raise Malformed("must hold algorithm, keyVersion and signature, each once")
            parts[known] = value.strip()
        if parts.get("algorithm", "").upper() != ALGORITHM:
            raise Malformed(f"algorithm must be {ALGORITHM}")
        version = parts.get("key_version")
        if version is not None and _VERSION.fullmatch(version) is None:
            raise Malformed("keyVersion must be 1 to 32 letters, digits, dots, dashes")
        return cls(version, _decode(parts.get("signature", "")))


def canonical(method: str, uri: str, client: str, time: str, body: bytes) -> bytes:
    """Join what is signed: ``METHOD uri LF client.time.body``, with no line feed at the end.

    :param uri: path and query string as the caller used them; an answer signs its request's.
    :param time: the Request-Time or Response-Time header, as it stands.
    """
    return f"{method} {uri}\n{client}.{time}.".encode("latin-1") + body


def signature_header(signer: Signer, data: bytes) -> str:
    """Sign, and write the header in the one form that every official client can read.

    No white space, for the Java SDK takes the third item as it stands; percent-encoded, for it
    wants exactly one ``=`` in it.
    """
    text = base64.b64encode(signer.sign(data)).decode()
    quoted = text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    return f"algorithm={ALGORITHM},keyVersion={signer.version},signature={quoted}"


def header_signer(signer: Signer, remembered: int = 256) -> Callable[[bytes], str]:
    """Return a function that does what :func:`signature_header` does, for less where it can.

    The scheme is deterministic, and all answers of one second to one client and API that have no
    id in them are the same bytes: such an answer is signed once and then looked up.

    :param remembered: how many signatures are kept, the latest used ones.
    """
    return lru_cache(remembered)(partial(signature_header, signer))


def holds(key: rsa.RSAPublicKey, signature: bytes, data: bytes) -> bool:
    """Tell whether the signature over the data was made with the private half of the key."""
    try:
        key.verify(signature, data, _PADDING, _HASH)
    except InvalidSignature:
        return False
    return True


def _decode(text: str) -> bytes:
    raw = unquote_to_bytes(text)  # unlike unquote_plus, leaves the + of bare base64 alone
    try:
        signature = base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("signature must be standard base64, percent-encoded or bare") from None
    if not signature or base64.b64encode(signature) != raw:
        raise Malformed("signature must be base64 in its canonical spelling")
    return signature
