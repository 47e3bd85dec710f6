"""The keys of the naive peers: loaded once, or parsed in every request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_PADDING, _SHA256 = padding.PKCS1v15(), hashes.SHA256()


class Keys(Protocol):
    """Sign by the wallet's key, and verify by the caller's."""

    def sign(self, data: bytes) -> bytes: ...
    def holds(self, signature: bytes, data: bytes) -> bool: ...


def keys_of(settings: Mapping[str, str]) -> Keys:
    """Read the keys in BENCH_KEYS, in the way that BENCH_CRYPTO names."""
    folder = Path(settings["BENCH_KEYS"])
    own = (folder / "wallet.pkcs1.pem").read_bytes()
    theirs = (folder / "caller.pub.pem").read_bytes()
    return _EachTime(own, theirs) if settings["BENCH_CRYPTO"] == "sdk" else _Once(own, theirs)


class _Once:
    def __init__(self, own: bytes, theirs: bytes) -> None:
        private = serialization.load_pem_private_key(own, None)
        public = serialization.load_pem_public_key(theirs)
        assert isinstance(private, rsa.RSAPrivateKey)
        assert isinstance(public, rsa.RSAPublicKey)
        self._own, self._theirs = private, public

    def sign(self, data: bytes) -> bytes:
        return self._own.sign(data, _PADDING, _SHA256)

    def holds(self, signature: bytes, data: bytes) -> bool:
        try:
            self._theirs.verify(signature, data, _PADDING, _SHA256)
        except InvalidSignature:
            return False
        return True


class _EachTime:
    def __init__(self, own: bytes, theirs: bytes) -> None:
        from Crypto.Hash import SHA256  # noqa: PLC0415 - only this peer needs pycryptodome
        from Crypto.PublicKey import RSA  # noqa: PLC0415
        from Crypto.Signature import pkcs1_15  # noqa: PLC0415

        self._own, self._theirs = own, theirs
        self._hash, self._rsa, self._scheme = SHA256, RSA, pkcs1_15

    def sign(self, data: bytes) -> bytes:
        return self._scheme.new(self._rsa.import_key(self._own)).sign(self._hash.new(data))

    def holds(self, signature: bytes, data: bytes) -> bool:
        scheme = self._scheme.new(self._rsa.import_key(self._theirs))
        try:
            scheme.verify(self._hash.new(data), signature)
        except ValueError:
            return False
        return True
