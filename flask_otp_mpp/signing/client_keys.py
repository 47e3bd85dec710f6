"""The keys of clients: those that settings list, and those that a hook of the host knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.core.trace import Part, timed
from flask_otp_mpp.signing.keys import KeyFault, check_size, public_key_of_text

_REMEMBERED: Final = 1024
ClientKeyHook: TypeAlias = Callable[[str, str | None], str | rsa.RSAPublicKey | None]


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
        found = None
        if self._hook is not None:
            with timed(Part.HOOKS):
                found = self._hook(client, version)
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
        check_size(found.key_size)
        return found
    if isinstance(found, str):
        return _parsed(found)
    kind = type(found).__name__
    raise KeyFault(f"the client_key hook returned {kind}; return a text, an RSAPublicKey or None")


@lru_cache(256)
def _parsed(text: str) -> rsa.RSAPublicKey:
    """Parse what a hook returns for each request only once; a text is a key and never a path."""
    return public_key_of_text(text)


def newest(versions: Mapping[str, object]) -> str:
    """Return the highest version if all are numbers, the one listed last otherwise."""
    if all(version.isdecimal() for version in versions):
        return max(versions, key=int)
    return list(versions)[-1]
