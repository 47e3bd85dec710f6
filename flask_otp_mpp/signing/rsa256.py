"""RSA256, the signature of Alipay+ and AMS: the text that is signed, and the Signature header.

RSASSA-PKCS1-v1_5 with SHA-256 over the bytes that are sent. Alipay+ API overview, "Sign a request
and verify the signature".
"""

from __future__ import annotations

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
_ESCAPES: Final = (("%2B", "+"), ("%2F", "/"), ("%3D", "="))
_VERSION: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")


class Malformed(ValueError):
    """Raised for a Signature header that breaks a rule; the message names the rule."""


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """A parsed ``Signature`` header.

    :param key_version: None if the header names none; the client's newest key is meant then.
    :param signature: the decoded bytes.
    """

    key_version: str | None
    signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``algorithm=RSA256, keyVersion=1, signature=<base64>``.

        White space around the commas, and upper or lower case of names and algorithm, are ignored.
        Each of the three may stand there once; further items ``name=value`` are ignored. The
        algorithm must be RSA256, which is meant if it is left out. The signature may be
        percent-encoded or bare; it must be standard base64, with padding, as an encoder writes it.

        :raises Malformed: if a rule is broken.
        """
        parts: dict[str, str] = {}
        for item in text.split(","):
            name, equals, value = item.strip().partition("=")
            known = _NAMES.get(name.strip().lower())
            if not equals or known in parts:
                raise Malformed("must hold algorithm, keyVersion and signature, each once")
            if known is not None:
                parts[known] = value.strip()
        if parts.get("algorithm", ALGORITHM).upper() != ALGORITHM:
            raise Malformed(f"algorithm must be {ALGORITHM}")
        version = parts.get("key_version")
        if version is not None and _VERSION.fullmatch(version) is None:
            raise Malformed("keyVersion must be 1 to 32 letters, digits, dots, dashes")
        return cls(version, _decode(parts.get("signature", "")))


def canonical(method: str, uri: str, client: str, time: str, body: bytes) -> bytes:
    """Return the bytes to sign: ``METHOD uri LF client.time.body``, without a final line feed.

    :param uri: path and query string as the caller used them; an answer uses those of its request.
    :param time: the value of the Request-Time or Response-Time header, unchanged.
    """
    return f"{method} {uri}\n{client}.{time}.".encode("latin-1") + body


def signature_header(signer: Signer, data: bytes) -> str:
    """Sign the data and return the header, in the form that every official client can read.

    There is no white space, because the Java SDK does not strip the third item. The signature is
    percent-encoded, because that SDK expects exactly one ``=`` in it.
    """
    text = binascii.b2a_base64(signer.sign(data), newline=False).decode()
    for escaped, character in _ESCAPES:
        text = text.replace(character, escaped)
    return f"algorithm={ALGORITHM},keyVersion={signer.version},signature={text}"


def header_signer(signer: Signer, remembered: int = 256) -> Callable[[bytes], str]:
    """Return :func:`signature_header` for one signer, with a cache.

    RSASSA-PKCS1-v1_5 is deterministic, so equal data have equal signatures. Refusals to one client
    within one second are often equal: they are signed once.

    :param remembered: the number of signatures in the cache; the least recently used one goes.
    """
    return lru_cache(remembered)(partial(signature_header, signer))


def holds(key: rsa.RSAPublicKey, signature: bytes, data: bytes) -> bool:
    """Tell whether the signature of the data was made with the private key of this public key."""
    try:
        key.verify(signature, data, _PADDING, _HASH)
    except InvalidSignature:
        return False
    return True


def _decode(text: str) -> bytes:
    for escaped, character in _ESCAPES:  # what callers escape; unquoting takes ten times as long
        text = text.replace(escaped, character)
    raw = unquote_to_bytes(text)  # unlike unquote_plus, leaves the + of bare base64 alone
    try:
        signature = binascii.a2b_base64(raw, strict_mode=True)
    except binascii.Error:
        raise Malformed("signature must be standard base64, percent-encoded or bare") from None
    if not signature or binascii.b2a_base64(signature, newline=False) != raw:
        raise Malformed("signature must be base64 as an encoder writes it")
    return signature
