"""JOSE bodies of any kind, right and wrong: what a caller could send, and what an attacker would.

RFC 7515, 7516 and 7518. A header is written as it is given, whatever was done.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import threading
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flask_otp_mpp.conformance.case import Skipped
from flask_otp_mpp.protocols.google.accounts import JoseAccount
from flask_otp_mpp.protocols.google.jose.jwk import Jwk, pick_one
from flask_otp_mpp.protocols.google.sealer import from_base64url

UNKNOWN: Final = "conformance-unknown"
"""The ``kid`` of a key that the wallet does not know."""
_KEY_BYTES: Final = {
    "A128GCM": 16,
    "A192GCM": 24,
    "A256GCM": 32,
    "A128CBC-HS256": 32,
    "A192CBC-HS384": 48,
    "A256CBC-HS512": 64,
}
_HASHES: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_MACS: Final = {"256": "sha256", "384": "sha384", "512": "sha512"}


class JoseForge:
    """Make the JWS and the JWE of a body, each part as a case wants it.

    :param account: Google's side.
    """

    def __init__(self, account: JoseAccount) -> None:
        self.account = account
        self.recipient = pick_one(account.their_keys, "enc")
        self._lock = threading.Lock()
        self._unknown: rsa.RSAPrivateKey | None = None

    @property
    def signer(self) -> Jwk:
        """The key that signs.

        :raises Skipped: if the account's bodies are not signed.
        """
        if not self.account.signed:
            raise Skipped("the account's bodies are not signed")
        return pick_one(self.account.our_keys, "sig")

    @property
    def wraps(self) -> tuple[str, ...]:
        """The algorithms that encrypt keys, the usual one first; so for the next two."""
        alg = self.recipient.alg
        return self.account.key_algorithms if alg is None else (alg,)

    @property
    def encrypts(self) -> tuple[str, ...]:
        """The algorithms that encrypt content."""
        return self.account.content_algorithms

    @property
    def signs(self) -> tuple[str, ...]:
        """The algorithms that sign."""
        alg = self.signer.alg
        return self.account.signature_algorithms if alg is None else (alg,)

    @property
    def unknown(self) -> rsa.RSAPrivateKey:
        """A key that the wallet does not know; made once."""
        with self._lock:
            self._unknown = self._unknown or rsa.generate_private_key(65537, 2048)
        return self._unknown

    @cached_property
    def _private(self) -> rsa.RSAPrivateKey:
        return private_key(self.signer)

    def good(self, payload: bytes) -> bytes:
        """Return a body that is right."""
        return self.sealed(self.signed(payload) if self.account.signed else payload)

    def signed(
        self,
        payload: bytes,
        *,
        alg: str | None = None,
        header: Mapping[str, Any] | bytes = b"",
        key: rsa.RSAPrivateKey | None = None,
    ) -> bytes:
        """Return a JWS.

        :param alg: by which it is signed; the agreed one by default.
        :param header: members beside the usual ones, where None leaves one out, or the header's
            bytes.
        :param key: that signs; the account's by default.
        """
        name = alg or self.signs[0]
        head = _header({"alg": name, "kid": self.signer.kid}, header)
        text = head + b"." + b64(payload)
        digest = _HASHES[name[-3:]]
        kind: Any = (
            padding.PSS(padding.MGF1(digest), digest.digest_size)
            if name.startswith("PS")
            else padding.PKCS1v15()
        )
        return text + b"." + b64((key or self._private).sign(text, kind, digest))

    def signed_by_mac(self, payload: bytes) -> bytes:
        """Return a JWS by HS256 whose secret is the public key, as its PEM file has it."""
        secret = self._private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        head = _header({"alg": "HS256", "kid": self.signer.kid}, b"")
        text = head + b"." + b64(payload)
        return text + b"." + b64(hmac.digest(secret, text, "sha256"))

    def sealed(
        self,
        plaintext: bytes,
        *,
        alg: str | None = None,
        enc: str | None = None,
        header: Mapping[str, Any] | bytes = b"",
        key: rsa.RSAPublicKey | None = None,
    ) -> bytes:
        """Return a JWE; the parameters are those of :meth:`signed`.

        :param enc: by which the content is encrypted; the agreed one by default.
        :param key: to which it is encrypted; the wallet's by default.
        """
        name = alg or self.wraps[0]
        content = enc or self.encrypts[0]
        usual = {"alg": name, "enc": content, "kid": self.recipient.kid}
        head = _header(usual, header)
        cek = os.urandom(_KEY_BYTES[content])
        wrapped = (key or public_key(self.recipient)).encrypt(cek, _wrapping(name))
        return b".".join([head, b64(wrapped), *map(b64, _encrypt(content, cek, plaintext, head))])


def b64(data: bytes) -> bytes:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def flipped(token: bytes, part: int) -> bytes:
    """Return a compact token with one bit of one part changed."""
    parts = token.split(b".")
    data = bytearray(base64.urlsafe_b64decode(parts[part] + b"=" * (-len(parts[part]) % 4)))
    data[len(data) // 2] ^= 1
    parts[part] = b64(bytes(data))
    return b".".join(parts)


def replaced(token: bytes, part: int, data: bytes) -> bytes:
    """Return a compact token with another part, base64url as it is given."""
    parts = token.split(b".")
    parts[part] = data
    return b".".join(parts)


def deflated(data: bytes) -> bytes:
    """Compress as ``zip: DEF`` does (RFC 1951)."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def private_key(jwk: Jwk) -> rsa.RSAPrivateKey:
    """Return the key of a private JWK."""
    numbers = {name: int.from_bytes(from_base64url(v.encode())) for name, v in _numbers(jwk)}
    n, e, d = (numbers[name] for name in ("n", "e", "d"))
    p, q = sorted(rsa.rsa_recover_prime_factors(n, e, d), reverse=True)
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(e, n),
    ).private_key(unsafe_skip_rsa_key_validation=True)


def public_key(jwk: Jwk) -> rsa.RSAPublicKey:
    """Return the key of a JWK."""
    numbers = {name: int.from_bytes(from_base64url(v.encode())) for name, v in _numbers(jwk)}
    return rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key()


def _numbers(jwk: Jwk) -> list[tuple[str, str]]:
    return [(name, text) for name, text in jwk.members.items() if name != "kty"]


def _header(usual: Mapping[str, Any], header: Mapping[str, Any] | bytes) -> bytes:
    if isinstance(header, bytes):
        return b64(header or json.dumps(usual).encode())
    members = {name: value for name, value in {**usual, **header}.items() if value is not None}
    return b64(json.dumps(members).encode())


def _wrapping(alg: str) -> Any:
    if alg == "RSA1_5":
        return padding.PKCS1v15()
    digest = hashes.SHA256() if alg == "RSA-OAEP-256" else hashes.SHA1()  # noqa: S303 - RFC 7518, 4.3
    return padding.OAEP(padding.MGF1(digest), digest, None)


def _encrypt(enc: str, cek: bytes, plaintext: bytes, aad: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the initialization vector, the ciphertext and the tag (RFC 7518, section 5)."""
    if enc.endswith("GCM"):
        iv = os.urandom(12)
        sealed = AESGCM(cek).encrypt(iv, plaintext, aad)
        return iv, sealed[:-16], sealed[-16:]
    half, iv = len(cek) // 2, os.urandom(16)
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(cek[half:]), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(plaintext) + padder.finalize())
    ciphertext += encryptor.finalize()
    text = aad + iv + ciphertext + (8 * len(aad)).to_bytes(8)
    return iv, ciphertext, hmac.digest(cek[:half], text, _MACS[enc[-3:]])[:half]


def jwk_of(key: rsa.RSAPublicKey) -> dict[str, str]:
    """Return a public key as a JWK."""
    numbers = key.public_numbers()
    n, e = numbers.n.to_bytes(key.key_size // 8), numbers.e.to_bytes(3)
    return {"kty": "RSA", "n": b64(n).decode(), "e": b64(e).decode()}
