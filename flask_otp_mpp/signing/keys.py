"""RSA keys: reading them, and signing by one.

A key is parsed once, and is never repeated in a message.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from flask_otp_mpp.core import secret_files

MIN_BITS: Final = 2048
_PADDING: Final = padding.PKCS1v15()
_HASH: Final = hashes.SHA256()
_PEM: Final = "-----BEGIN "
_NO_RSA: Final = f"this is not an RSA key; RSA256 needs RSA of {MIN_BITS} bits or more"


class KeyFault(ValueError):
    """Say why a key can't be used: what was found and what to give instead, never the key."""


class Signer(Protocol):
    """Sign answers; implement it to keep the private key in an HSM or a KMS.

    :ivar version: the key version that answers name, as uploaded to the other side.
    """

    @property
    def version(self) -> str: ...

    def sign(self, data: bytes) -> bytes:
        """Return the RSASSA-PKCS1-v1_5 signature with SHA-256 of ``data``."""
        ...


class LocalSigner:
    """Sign with a private key held by this process.

    :param version: the key version that answers name.
    :raises KeyFault: if the key has fewer than 2048 bits.
    """

    def __init__(self, version: str, key: rsa.RSAPrivateKey) -> None:
        check_size(key.key_size)
        self.version = version
        self._key = key

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, _PADDING, _HASH)


def fingerprint(key: rsa.RSAPublicKey) -> str:
    """Return the SHA-256 of a key as DER (SubjectPublicKeyInfo), in hexadecimal digits."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def load_public_key(source: str) -> rsa.RSAPublicKey:
    """Read an RSA public key of at least 2048 bits.

    :param source: PEM, one line of bare base64 (SubjectPublicKeyInfo), or the path of a file that
        holds either, with or without ``file:`` before it.
    :raises KeyFault: if it is no such key; one that comes from a file is named by the file.
    """
    with _named(source):
        return _public_key(_read(source))


def load_private_key(source: str) -> rsa.RSAPrivateKey:
    """Read an unencrypted RSA private key of at least 2048 bits.

    This takes tens of milliseconds, for the key is validated: do it at start-up only.

    :param source: PEM or bare base64 of PKCS#8 or PKCS#1, or the path of a file that holds either,
        with or without ``file:`` before it.
    :raises KeyFault: if it is no such key; one that comes from a file is named by the file.
    """
    with _named(source):
        data = _read(source)
        key = _load(_private, data)
        if key is None and _load(_public, data) is not None:
            raise KeyFault("this is a public key; a private key is needed")
        if key is None:
            raise KeyFault(
                "this does not load as a private key; give unencrypted PKCS#8 or PKCS#1 as PEM or "
                "bare base64, or the path of a file that holds either (make one: "
                "flask otp-mpp keygen)"
            )
        if not isinstance(key, rsa.RSAPrivateKey):
            raise KeyFault(_NO_RSA)
        check_size(key.key_size)
        return key


def one_line(key: rsa.RSAPublicKey) -> str:
    """Write a public key as the one line of base64 that is uploaded to the other side."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def private_pem(key: rsa.RSAPrivateKey) -> bytes:
    """Write a private key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_key_of_text(text: str) -> rsa.RSAPublicKey:
    """Read a public key as :func:`load_public_key` does, but a text is never taken for a path.

    :raises KeyFault: if it is no such key.
    """
    return _public_key(_decoded(text.strip()))


def _public_key(data: bytes) -> rsa.RSAPublicKey:
    key = _load(_public, data)
    if key is None and _load(_private, data) is not None:
        raise KeyFault("this is a private key; a public key is needed, give that one")
    if key is None:
        raise KeyFault(
            "this does not load as a public key; give PEM, bare base64 of "
            "SubjectPublicKeyInfo, or (in a setting) the path of a file that holds either"
        )
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyFault(_NO_RSA)
    check_size(key.key_size)
    return key


def _public(data: bytes) -> object:
    if _PEM.encode() in data:
        return serialization.load_pem_public_key(data)
    return serialization.load_der_public_key(data)


def _private(data: bytes) -> object:
    if _PEM.encode() in data:
        return serialization.load_pem_private_key(data, None)
    return serialization.load_der_private_key(data, None)


def _load(load: Callable[[bytes], object], data: bytes) -> object:
    """Return the key that is in PEM or DER; None if there is none of that kind."""
    try:
        return load(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def check_size(bits: int) -> None:
    """Check the length of a key, wherever it comes from.

    :raises KeyFault: if it is below 2048 bits.
    """
    if bits < MIN_BITS:
        raise KeyFault(f"this is RSA of {bits} bits; use {MIN_BITS} bits or more")


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Name the file that a key comes from in what is wrong with it."""
    try:
        yield
    except KeyFault as fault:
        path = _as_path(source.strip())
        if path is None:
            raise
        raise KeyFault(f"file {str(path)!r}: {fault}") from None


def _as_path(source: str) -> Path | None:
    """Return the file that a source names, None if it can't be a path or there is no such file."""
    if "\n" in source or len(source) > 1024:
        return None
    try:
        path = Path(source.removeprefix(secret_files.PREFIX))
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None


def _read(source: str) -> bytes:
    """Return the PEM or DER that a source is, or names the file of."""
    text = source.strip()
    path = _as_path(text)
    if path is not None:
        try:
            text = secret_files.read_text(path, "replace")  # comments may be in any charset
        except OSError as error:
            raise KeyFault(f"it can't be read ({type(error).__name__})") from None
    elif text.startswith(secret_files.PREFIX):
        name = text.removeprefix(secret_files.PREFIX)
        raise KeyFault(f"file {name!r} does not exist; name one that this process may read")
    return _decoded(text)


def _decoded(text: str) -> bytes:
    """Return PEM as it is, with the text around it (RFC 7468, section 2), and base64 as DER."""
    if _PEM in text:
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode("".join(text.removeprefix("\ufeff").split()), validate=True)
    except (binascii.Error, ValueError):
        raise KeyFault(
            "this is neither a file that exists, nor PEM, nor bare base64 of a key"
        ) from None
