"""RSA keys: reading them, signing by one, and finding the key of a client.

A key is parsed once, and is never repeated in a message.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from flask_otp_mpp.core import secret_files
from flask_otp_mpp.core.reasons import Reason, refuse

MIN_BITS: Final = 2048
_PADDING: Final = padding.PKCS1v15()
_HASH: Final = hashes.SHA256()
_REMEMBERED: Final = 1024
_NO_RSA: Final = f"this is not an RSA key; RSA256 needs RSA of {MIN_BITS} bits or more"

ClientKeyHook: TypeAlias = Callable[[str, str | None], str | rsa.RSAPublicKey | None]


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
        _check_size(key.key_size)
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
        self._from_hook: dict[str, rsa.RSAPublicKey] = {}

    def find(self, client: str, version: str | None) -> rsa.RSAPublicKey:
        """Return the key of that version, or the client's newest one if the version is None.

        :raises Refused: CLIENT_UNKNOWN if nothing is known of the client, KEY_UNKNOWN if it has
            keys and not this one.
        """
        listed = self._from_list(client, version)
        if listed is not None:
            return listed
        found = self._hook(client, version) if self._hook is not None else None
        if found is None:
            refuse(Reason.KEY_UNKNOWN if self._listed.get(client) else Reason.CLIENT_UNKNOWN)
        key = _from_hook(found)
        if len(self._from_hook) >= _REMEMBERED:
            self._from_hook.clear()
        self._from_hook[client] = key
        return key

    def recall(self, client: str, version: str | None) -> rsa.RSAPublicKey | None:
        """Return a key without asking the hook: a listed one, or what it returned last."""
        return self._from_list(client, version) or self._from_hook.get(client)

    def knows(self, client: str) -> bool:
        """Tell whether a client has keys, without asking the hook."""
        return bool(self._listed.get(client)) or client in self._from_hook

    def _from_list(self, client: str, version: str | None) -> rsa.RSAPublicKey | None:
        keys = self._listed.get(client)
        if not keys:
            return None
        return keys.get(newest(keys) if version is None else version)


def _from_hook(found: object) -> rsa.RSAPublicKey:
    """Return the key that a hook has found.

    :raises KeyFault: if it is none, or has fewer than 2048 bits.
    """
    if isinstance(found, rsa.RSAPublicKey):
        _check_size(found.key_size)
        return found
    if isinstance(found, str):
        return _parsed(found)
    kind = type(found).__name__
    raise KeyFault(f"the client_key hook returned {kind}; return a text, an RSAPublicKey or None")


@lru_cache(256)
def _parsed(text: str) -> rsa.RSAPublicKey:
    """Parse what a hook returns for each request only once; a text is a key and never a path."""
    return _public_key(_decoded(text.strip()))


def newest(versions: Mapping[str, object]) -> str:
    """Return the highest version if all are numbers, the one listed last otherwise."""
    if all(version.isdecimal() for version in versions):
        return max(versions, key=int)
    return list(versions)[-1]


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
        _check_size(key.key_size)
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
    _check_size(key.key_size)
    return key


def _public(data: bytes) -> object:
    if data.startswith(b"-----"):
        return serialization.load_pem_public_key(data)
    return serialization.load_der_public_key(data)


def _private(data: bytes) -> object:
    if data.startswith(b"-----"):
        return serialization.load_pem_private_key(data, None)
    return serialization.load_der_private_key(data, None)


def _load(load: Callable[[bytes], object], data: bytes) -> object:
    """Return the key that is in PEM or DER; None if there is none of that kind."""
    try:
        return load(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _check_size(bits: int) -> None:
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
            text = path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFault(f"it can't be read ({type(error).__name__})") from None
    elif text.startswith(secret_files.PREFIX):
        name = text.removeprefix(secret_files.PREFIX)
        raise KeyFault(f"file {name!r} does not exist; name one that this process may read")
    return _decoded(text)


def _decoded(text: str) -> bytes:
    """Return PEM as it is and base64 as DER."""
    if text.startswith("-----"):
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise KeyFault(
            "this is neither a file that exists, nor PEM, nor bare base64 of a key"
        ) from None
