"""A key is parsed once, is strong enough, and never shows itself in a message."""

from __future__ import annotations

import base64
import binascii
import stat
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from flask_otp_mpp.core.reasons import Reason, refuse

MIN_BITS: Final = 2048
_PADDING: Final = padding.PKCS1v15()
_HASH: Final = hashes.SHA256()

ClientKeyHook: TypeAlias = Callable[[str, str | None], str | rsa.RSAPublicKey | None]


class KeyFault(ValueError):
    """Say why a key can't be used: what was found and what would do, never the key."""


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
    """Sign with a private key held by this process."""

    def __init__(self, version: str, key: rsa.RSAPrivateKey) -> None:
        self.version = version
        self._key = key

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, _PADDING, _HASH)


class ClientKeys:
    """Find the public key that a client's signature must match.

    :param listed: for each client id its keys by version.
    :param hook: asked for ``(client id, version or None)`` when the list has no such key; it
        returns a key, None if it knows none, or refuses with a reason.
    """

    def __init__(
        self,
        listed: Mapping[str, Mapping[str, rsa.RSAPublicKey]],
        hook: ClientKeyHook | None = None,
    ) -> None:
        self._listed = {client: dict(keys) for client, keys in listed.items()}
        self._hook = hook

    def find(self, client: str, version: str | None) -> rsa.RSAPublicKey:
        """Return the key of that version, or the client's newest one if the version is None.

        :raises Refused: CLIENT_UNKNOWN if nothing is known of the client, KEY_UNKNOWN if it has
            keys and not this one.
        """
        keys = self._listed.get(client, {})
        if version is None and keys:
            return keys[newest(keys)]
        if version is not None and version in keys:
            return keys[version]
        found = self._hook(client, version) if self._hook is not None else None
        if found is not None:
            return found if isinstance(found, rsa.RSAPublicKey) else _parsed(found)
        refuse(Reason.KEY_UNKNOWN if keys else Reason.CLIENT_UNKNOWN)


@lru_cache(256)
def _parsed(source: str) -> rsa.RSAPublicKey:
    """Parse what a hook returns for each request only once."""
    return load_public_key(source)


def newest(versions: Mapping[str, object]) -> str:
    """Return the highest version if all are numbers, the one listed last otherwise."""
    if all(version.isdecimal() for version in versions):
        return max(versions, key=int)
    return list(versions)[-1]


def load_public_key(source: str) -> rsa.RSAPublicKey:
    """Read an RSA public key of at least 2048 bits.

    :param source: PEM, one line of bare base64 (SubjectPublicKeyInfo), or the path of a file that
        holds either.
    :raises KeyFault: if it is no such key.
    """
    data = _read(source)
    loader = (
        serialization.load_pem_public_key
        if data.startswith(b"-----")
        else serialization.load_der_public_key
    )
    try:
        key = loader(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFault(
            "does not load as a public key; give PEM, bare base64 of SubjectPublicKeyInfo, "
            "or the path of a file that holds either"
        ) from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyFault("is not an RSA key; RSA256 needs RSA of 2048 bits or more")
    _check_size(key.key_size)
    return key


def load_private_key(source: str) -> rsa.RSAPrivateKey:
    """Read an unencrypted RSA private key of at least 2048 bits.

    This takes tens of milliseconds, for the key is validated: do it at start-up only.

    :param source: PEM or bare base64 of PKCS#8 or PKCS#1, or the path of a file that holds either.
    :raises KeyFault: if it is no such key.
    """
    data = _read(source)
    loader = (
        serialization.load_pem_private_key
        if data.startswith(b"-----")
        else serialization.load_der_private_key
    )
    try:
        key = loader(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFault(
            "does not load as a private key; give unencrypted PKCS#8 or PKCS#1 as PEM or bare "
            "base64, or the path of a file that holds either (make one: flask otp-mpp keygen)"
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyFault("is not an RSA key; RSA256 needs RSA of 2048 bits or more")
    _check_size(key.key_size)
    return key


def is_exposed(source: str) -> bool:
    """Tell whether a key is a file that others than its owner and group may read."""
    path = _as_path(source.strip())
    return path is not None and bool(path.stat().st_mode & stat.S_IROTH)


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


def _check_size(bits: int) -> None:
    if bits < MIN_BITS:
        raise KeyFault(f"is RSA of {bits} bits; use {MIN_BITS} bits or more")


def _as_path(source: str) -> Path | None:
    """Return the file that a source names, None if it can't be a path or there is no such file."""
    if "\n" in source or len(source) > 1024:
        return None
    try:
        path = Path(source)
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None


def _read(source: str) -> bytes:
    """Return PEM as it is and anything else as DER."""
    text = source.strip()
    path = _as_path(text)
    if path is not None:
        try:
            text = path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFault(f"names a file that can't be read ({type(error).__name__})") from None
    if text.startswith("-----"):
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise KeyFault("is neither a file that exists, nor PEM, nor bare base64 of a key") from None
