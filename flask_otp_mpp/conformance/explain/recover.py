"""Read off a signature what it was made over: by which key, which padding and which hash.

A signature of RSASSA-PKCS1-v1_5 gives its digest back to who has the public key (RFC 8017, section
8.2.2). So each key is tried once, and each string that may have been signed costs one hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.conformance.explain.base import Mistake

_RIGHT: Final = "sha256"
_DIGEST_INFO: Final = {
    "md5": "3020300c06082a864886f70d020505000410",
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}
"""DER of AlgorithmIdentifier and what stands before the digest (RFC 8017, section 9.2, note 1)."""
_ONLY: Final = "Sign by RSASSA-PKCS1-v1_5 with SHA-256: SHA256withRSA in Java, `RS256` elsewhere."


def _hash_mistake(name: str) -> Mistake:
    shown = name.upper().replace("SHA", "SHA-")
    return Mistake(
        f"hash-{name}",
        f"the signature was made with {shown}",
        f"{shown} in place of SHA-256",
        _ONLY,
    )


HASHES: Final = {name: _hash_mistake(name) for name in _DIGEST_INFO if name != _RIGHT}
PSS: Final = Mistake(
    "padding-pss",
    "the signature was made with the padding PSS",
    "RSASSA-PSS in place of PKCS#1 v1.5",
    _ONLY,
)
NO_DIGEST_INFO: Final = Mistake(
    "padding-raw-digest",
    "the bare digest was encrypted by the private key, without the name of its hash",
    "the digest in place of a DigestInfo",
    f"Use a function that signs, not one that encrypts. {_ONLY}",
)
RAW_TEXT: Final = Mistake(
    "padding-no-hash",
    "the string was encrypted by the private key without being hashed",
    "the string in place of a DigestInfo",
    f"Use a function that signs, not one that encrypts. {_ONLY}",
)
SIGNING_MISTAKES: Final = (*HASHES.values(), PSS, NO_DIGEST_INFO, RAW_TEXT)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a signature was made over.

    :param mistakes: in hash and padding.
    :param matches: tells whether a string is the one that was signed.
    :param digest: of the string, in hex; empty if the signature does not give it back.
    """

    mistakes: tuple[Mistake, ...]
    matches: Callable[[bytes], bool] = field(repr=False)
    digest: str = ""


def recover(key: RSAPublicKey, signature: bytes) -> Recovered | None:
    """Return what a signature was made over; None if it was not made by the private half."""
    if len(signature) != (key.key_size + 7) // 8:
        return None
    try:
        data = key.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    except (InvalidSignature, ValueError):
        return _pss(key, signature)
    for name, start in _DIGEST_INFO.items():
        digest = data.removeprefix(bytes.fromhex(start))
        if digest != data and len(digest) == hashlib.new(name, usedforsecurity=False).digest_size:
            return _of_digest(name, digest, ())
    for name in ("sha256", "sha1", "sha512", "sha384", "sha224", "md5"):
        size = hashlib.new(name, usedforsecurity=False).digest_size
        if len(data) == size:
            return _of_digest(name, data, (NO_DIGEST_INFO,))
        if len(data) == 2 * size and data.isalnum():
            try:
                return _of_digest(name, bytes.fromhex(data.decode()), (NO_DIGEST_INFO,))
            except ValueError:
                continue
    return Recovered((RAW_TEXT,), lambda text: text == data)


def _of_digest(name: str, digest: bytes, mistakes: tuple[Mistake, ...]) -> Recovered:
    wrong = (HASHES[name],) if name in HASHES else ()
    make = _hash(name)
    return Recovered(wrong + mistakes, lambda text: make(text) == digest, digest.hex())


def _hash(name: str) -> Callable[[bytes], bytes]:
    make = getattr(hashlib, name)
    return lambda data: bytes(make(data, usedforsecurity=False).digest())


def _pss(key: RSAPublicKey, signature: bytes) -> Recovered | None:
    """Return what a signature of RSASSA-PSS holds (RFC 8017, section 9.1.2).

    By another hash than the signer's, one block of 128 reads as a salt by chance, with hardly any
    padding before it. So the salt with the longest padding is taken, and the first one of several:
    the longest salts have none.
    """
    numbers = key.public_numbers()
    bits = key.key_size - 1
    number = pow(int.from_bytes(signature), numbers.e, numbers.n)
    if number.bit_length() > bits or number & 0xFF != 0xBC:
        return None
    found: dict[int, Recovered] = {}
    encoded = number.to_bytes((bits + 7) // 8)
    for name in ("sha256", "sha1", "sha512", "sha384", "sha224"):
        size = hashlib.new(name, usedforsecurity=False).digest_size
        masked, digest = encoded[: -size - 1], encoded[-size - 1 : -1]
        for mask_name in dict.fromkeys((name, "sha1")):  # Java masks by SHA-1 unless told
            salt = _salt(masked, digest, mask_name, bits)
            if salt is not None:
                wrong = (HASHES[name],) if name in HASHES else ()
                one = Recovered((*wrong, PSS), _matches_pss(name, digest, salt))
                found.setdefault(len(masked) - len(salt), one)
    return found[max(found)] if found else None


def _matches_pss(name: str, digest: bytes, salt: bytes) -> Callable[[bytes], bool]:
    make = _hash(name)
    return lambda text: make(bytes(8) + make(text) + salt) == digest


def _salt(masked: bytes, digest: bytes, mask_name: str, bits: int) -> bytes | None:
    """Return the salt, if the masked block is one; None otherwise."""
    make = _hash(mask_name)
    count = -(-len(masked) // len(make(b"")))
    mask = b"".join(make(digest + number.to_bytes(4)) for number in range(count))[: len(masked)]
    block = bytes(one ^ other for one, other in zip(masked, mask, strict=True))
    block = bytes([block[0] & (0xFF >> (8 * len(block) + 8 * len(digest) + 8 - bits))]) + block[1:]
    padded, one, salt = block.partition(b"\x01")
    return salt if one and not padded.strip(b"\0") else None
