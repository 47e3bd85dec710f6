"""JSON Web Keys: read them, and check what is agreed about each beside its numbers.

RFC 7517. The numbers are checked by joserfc, when a sealer is made of the keys. No message shows a
key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flask_otp_mpp.core.secret_files import PREFIX, read_text
from flask_otp_mpp.signing.keys import MIN_BITS, KeyFault

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_USES: Final = {
    **dict.fromkeys(("sign", "verify"), "sig"),
    **dict.fromkeys(("encrypt", "decrypt", "wrapKey", "unwrapKey"), "enc"),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "sig"),
    **dict.fromkeys(("RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"), "enc"),
}
"""What a member of ``key_ops``, or ``alg``, says of the use of an RSA key (RFC 7517, RFC 7518)."""
_NUMBERS: Final = ("n", "e", "d", "p", "q", "dp", "dq", "qi")


@dataclass(frozen=True, slots=True)
class Jwk:
    """One RSA key of a JWK set.

    :param kid: by which headers name it.
    :param use: ``sig``, ``enc``, or None for both. It is what ``use`` says; if that is missing,
        what follows from ``key_ops`` (RFC 7517, section 4.3), or else from ``alg``.
    :param alg: the one algorithm that it is for, None for any.
    :param members: the key's type and numbers, for a JOSE library.
    """

    kid: str
    use: str | None
    alg: str | None
    members: Mapping[str, Any] = field(repr=False)

    def serves(self, use: str) -> bool:
        return self.use in (None, use)


def read_sets(raw: object, *, private: bool) -> tuple[Jwk, ...]:
    """Read keys and key sets: one of, or a list of, JSON texts, paths of such files, mappings.

    :param private: whether they must be private keys, or must not be.
    :raises KeyFault: if one is no such key, or two have the same ``kid``; a key that comes from a
        file is named by the file.
    """
    found: dict[str, Jwk] = {}
    for origin, members in _members(raw):
        try:
            key = _read(members, private=private)
        except KeyFault as fault:
            raise KeyFault(f"{origin}{fault}") from None
        if key.kid in found:
            raise KeyFault(f"holds two keys with kid {key.kid!r}; give each one of its own")
        found[key.kid] = key
    if not found:
        raise KeyFault("holds no key; give JWKs or JWK sets, or the paths of files that hold them")
    return tuple(found.values())


def public_set(keys: Iterable[Jwk]) -> str:
    """Return the public halves of keys as a JWK set, for the other side."""
    listed = [
        {
            "kid": key.kid,
            **({} if key.use is None else {"use": key.use}),
            **({} if key.alg is None else {"alg": key.alg}),
            **{name: key.members[name] for name in ("kty", "n", "e")},
        }
        for key in keys
    ]
    return json.dumps({"keys": listed}, indent=1)


def pick(keys: Iterable[Jwk], use: str) -> tuple[Jwk, ...]:
    """Return the keys for that use, in the order in which they are configured.

    :raises KeyFault: if there is none.
    """
    chosen = tuple(key for key in keys if key.serves(use))
    if not chosen:
        raise KeyFault(f"holds no key with 'use': {use!r}; add one")
    return chosen


def pick_one(keys: Iterable[Jwk], use: str) -> Jwk:
    """Return the first key for that use; one that is for nothing else precedes one for both.

    :raises KeyFault: if there is none, or several of which nothing says what they are for: nothing
        may be encrypted to a key that the other side only signs by.
    """
    chosen = pick(keys, use)
    declared = [key for key in chosen if key.use == use]
    if not declared and len(chosen) > 1:
        names = ", ".join(repr(key.kid) for key in chosen)
        raise KeyFault(f"does not say which of the keys {names} is for {use!r}; add their 'use'")
    return declared[0] if declared else chosen[0]


def _members(raw: object, origin: str = "") -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return the members of each key, behind the name of the file that it comes from."""
    if isinstance(raw, str):
        origin, raw = _parse(raw.strip())
    if isinstance(raw, list | tuple):
        for item in raw:
            yield from _members(item, origin)
        return
    if not isinstance(raw, Mapping):
        raise KeyFault(
            f"{origin}is no JWK; give JSON, the path of a file that holds it, or a mapping"
        )
    if "keys" in raw:
        yield from _members(raw["keys"], origin)
    else:
        yield origin, raw


def _parse(source: str) -> tuple[str, object]:
    """Return what a JSON text or a file holds, behind the name of the file."""
    origin, text = "", source.removeprefix("\ufeff")
    try:
        if not text.startswith(("{", "[")):
            path = source.removeprefix(PREFIX)
            text = read_text(path)
            origin = f"file {path!r} "
        parsed: object = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        found = f"{origin}is" if origin else "names a file that can't be read, or is"
        raise KeyFault(f"{found} no JSON ({type(error).__name__})") from None
    if isinstance(parsed, str):
        raise KeyFault(f"{origin}is a JSON text and no JWK")
    return origin, parsed


def _use_by_operations(kid: str, operations: object) -> str | None:
    """Return the use that ``key_ops`` tells; None if it tells none, or both."""
    if operations is None:
        return None
    if not isinstance(operations, list) or not all(isinstance(one, str) for one in operations):
        raise KeyFault(f"key {kid!r} has 'key_ops' that are no list of texts")
    uses = {_USES[one] for one in operations if one in _USES}
    return uses.pop() if len(uses) == 1 else None


def _read(members: Mapping[str, Any], *, private: bool) -> Jwk:
    kid, use, alg = (members.get(name) for name in ("kid", "use", "alg"))
    if not isinstance(kid, str) or not 0 < len(kid) <= 256:
        raise KeyFault("holds a key without 'kid'; headers name keys by it")
    if members.get("kty") != "RSA":
        raise KeyFault(f"key {kid!r} is not RSA; use RSA of {MIN_BITS} bits or more")
    if use not in (None, "sig", "enc"):
        raise KeyFault(f"key {kid!r} is neither for 'sig' nor for 'enc' by its 'use'")
    if alg is not None and not isinstance(alg, str):
        raise KeyFault(f"key {kid!r} has an 'alg' that is no text")
    if use is None:
        use = _use_by_operations(kid, members.get("key_ops")) or _USES.get(alg or "")
    if private and "d" not in members:
        raise KeyFault(f"key {kid!r} is public; our keys must be private")
    if not private and not _PRIVATE.isdisjoint(members):
        raise KeyFault(
            f"key {kid!r} is private; hold their public keys only, and take this one out of use"
        )
    if "oth" in members:
        raise KeyFault(f"key {kid!r} has more than two primes; use one of two")
    numbers = {name: members[name] for name in _NUMBERS if name in members}
    return Jwk(kid, use, alg, {"kty": "RSA", **numbers})
