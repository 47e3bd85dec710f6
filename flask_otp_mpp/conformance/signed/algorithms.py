"""Cases of signatures that must be refused: they are none of RSA256, or can't be read."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from functools import partial
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from flask_otp_mpp.conformance.case import SIGNED, Group, Source
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing
from flask_otp_mpp.conformance.signed.probe import SIGN, Make, add, header_of, probe, resigned
from flask_otp_mpp.signing.keys import one_line

CASES: Final = SignedCases(Group.SIGNATURE, SIGNED, SIGN)
PKCS1: Final = padding.PKCS1v15()
PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def _signed_by(make: Callable[[SignedPlay, bytes], str]) -> Make:
    return lambda play: probe(play, Signing(signer=partial(make, play)))


def _rsa(hash_: hashes.HashAlgorithm, pad: padding.AsymmetricPadding = PKCS1) -> Make:
    return _signed_by(lambda play, text: header_of(play, play.client.key.sign(text, pad, hash_)))


def _named(algorithm: str) -> Make:
    """Name another algorithm in a header that is right otherwise."""
    return _signed_by(
        lambda play, text: header_of(
            play, play.client.key.sign(text, PKCS1, hashes.SHA256()), algorithm
        )
    )


def _hmac(play: SignedPlay, text: bytes) -> str:
    """Sign by what everybody knows: the public key."""
    public = one_line(play.client.key.public_key()).encode()
    return header_of(play, hmac.digest(public, text, hashlib.sha256), "HS256")


add(
    CASES,
    (
        ("signature.hs256", "The algorithm HS256 is refused", _named("HS256")),
        ("signature.rsa1", "The algorithm RSA1 is refused", _named("RSA1")),
        ("signature.none", "The algorithm none is refused", _named("none")),
        ("signature.ps256", "The algorithm PS256 is refused", _named("PS256")),
        ("signature.rsa512", "The algorithm RSA512 is refused", _named("RSA512")),
        ("signature.none-unsigned", "The algorithm none without a signature is refused",
         _signed_by(lambda play, _: header_of(play, "", "none"))),
        ("signature.hmac-by-public-key", "A digest that is keyed by the public key is refused",
         _signed_by(_hmac)),
        ("signature.sha1", "A signature over SHA-1 is refused",
         _rsa(hashes.SHA1())),  # noqa: S303 - it must be refused
        ("signature.sha384", "A signature over SHA-384 is refused", _rsa(hashes.SHA384())),
        ("signature.sha512", "A signature over SHA-512 is refused", _rsa(hashes.SHA512())),
        ("signature.pss", "A signature with the padding PSS is refused",
         _rsa(hashes.SHA256(), PSS)),
    ),
    "RSA256, which is PKCS#1 v1.5 with SHA-256, is the one algorithm.",
    Means.BAD_SIGNATURE,
)  # fmt: skip


# The signature can't be read.

add(
    CASES,
    (
        ("signature.testing-signature", "The value testing_signature is refused",
         resigned(lambda _: "testing_signature")),
        ("signature.header-testing-signature", "The header testing_signature is refused",
         _signed_by(lambda _, __: "testing_signature")),
        ("signature.value-empty", "An empty value is refused", resigned(lambda _: "")),
        ("signature.value-missing", "A header without the part signature is refused",
         _signed_by(lambda play, _: header_of(play, "").rpartition(",")[0])),
        ("signature.no-base64", "A value that is no base64 is refused",
         resigned(lambda _: "!?*%28%29%25")),
        ("signature.long-value", "A value of 4,000 letters is refused",
         resigned(lambda _: "A" * 4000)),
    ),
    "A signature that can't be read is a bad one.",
    Means.BAD_SIGNATURE,
)  # fmt: skip
add(
    CASES,
    (
        ("signature.truncated", "The first half of a signature is refused",
         resigned(lambda found: found[: len(found) // 2])),
        ("signature.zero-before", "A signature with a zero byte before it is refused",
         resigned(lambda found: b"\0" + found)),
        ("signature.zero-behind", "A signature with a zero byte behind it is refused",
         resigned(lambda found: found + b"\0")),
    ),
    "A signature is as long as the modulus.",
    Means.BAD_SIGNATURE,
    source=Source("RFC 8017", "8.2.2, step 1"),
)  # fmt: skip
