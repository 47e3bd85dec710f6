"""JOSE made by jwcrypto, right and wrong: the second implementation and the attacker's tool."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwcrypto import jwe, jwk, jws

from tests.vectors import google

TO_WALLET = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "integrator-enc-1"}
BY_GOOGLE = {"alg": "RS256", "kid": "google-sig-1"}
JWE = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
JWS = ("protected", "payload", "signature")
EVERYTHING = [*jwe.default_allowed_algs, "RSA1_5", "HS256", "none"]


@cache
def key(name: str) -> Any:
    """Read a key of the vectors once: it is validated at its first use, for 45 ms."""
    return jwk.JWK.from_json(google.jwk(name))


def encrypted(
    payload: bytes, to: str = "integrator-enc-1", header: dict[str, Any] | None = None
) -> bytes:
    protected = json.dumps(TO_WALLET | (header or {}))
    token = jwe.JWE(payload, protected=protected, algs=EVERYTHING)
    token.add_recipient(key(f"{to}.public"))
    return str(token.serialize(compact=True)).encode()


def signed(
    payload: bytes,
    by: str = "google-sig-1",
    header: dict[str, Any] | None = None,
    with_key: Any = None,
) -> bytes:
    token = jws.JWS(payload)
    token.allowed_algs = [*jws.default_allowed_algs, "HS256"]
    protected = json.dumps(BY_GOOGLE | {"kid": by} | (header or {}))
    token.add_signature(with_key or key(f"{by}.private"), None, protected, None)
    return str(token.serialize(compact=True)).encode()


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def with_header(token: bytes, header: bytes) -> bytes:
    """Put another header before what is left of a compact token."""
    return b64(header) + token[token.index(b".") :]


def opened(body: bytes, by: str, proven_by: str) -> bytes:
    token = jwe.JWE(algs=EVERYTHING)
    token.deserialize(body.decode(), key(f"{by}.private"))
    inner = jws.JWS()
    inner.deserialize(token.payload.decode(), key(f"{proven_by}.public"))
    payload: bytes = inner.payload
    return payload


def sealed_raw(plaintext: bytes, header: bytes, to: str = "integrator-enc-1") -> bytes:
    """Seal bytes as they are by RSA-OAEP-256 and A256GCM, whatever the header says of them."""
    cek, iv, aad = os.urandom(32), os.urandom(12), b64(header)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    recipient = load_pem_public_key(key(f"{to}.public").export_to_pem())
    assert isinstance(recipient, RSAPublicKey)
    wrapped = recipient.encrypt(cek, oaep)
    sealed = AESGCM(cek).encrypt(iv, plaintext, aad)
    return b".".join([aad, b64(wrapped), b64(iv), b64(sealed[:-16]), b64(sealed[-16:])])


def signed_raw(payload: bytes, header: bytes, by: str = "google-sig-1") -> bytes:
    """Sign by RS256, whatever the header says of it and whatever the key is for."""
    signer = load_pem_private_key(key(f"{by}.private").export_to_pem(True, None), None)
    assert isinstance(signer, RSAPrivateKey)
    token = b64(header) + b"." + b64(payload)
    return token + b"." + b64(signer.sign(token, padding.PKCS1v15(), hashes.SHA256()))


def to(kid: str) -> dict[str, str]:
    return {"kid": kid}


def header_of(token: bytes) -> bytes:
    """Return a compact token's header."""
    head = token.split(b".")[0]
    return base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))


def jwk_with(name: str, **more: Any) -> dict[str, Any]:
    """Return a key of the vectors with other members."""
    members: dict[str, Any] = json.loads(google.jwk(name))
    return members | more


def jwk_without_use(name: str, **more: Any) -> dict[str, Any]:
    """Return a key of the vectors without ``use``, and with other members."""
    members = jwk_with(name)
    del members["use"]
    return members | more


def flattened(token: bytes, names: Sequence[str]) -> bytes:
    """Turn compact into JSON serialization."""
    return json.dumps(dict(zip(names, token.decode().split("."), strict=True))).encode()


def without_key(token: bytes) -> bytes:
    parts = token.split(b".")
    return b".".join([parts[0], b"", *parts[2:]])
