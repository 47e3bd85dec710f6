"""Settings that Alipay+ and AMS have in common: the keys of their clients, and where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.core.readers import Reader, Unreadable, describe, mapping
from flask_otp_mpp.core.settings import Rule
from flask_otp_mpp.protocols.values import Mount
from flask_otp_mpp.signing.keys import load_public_key

Clients: TypeAlias = Mapping[str, Mapping[str, RSAPublicKey]]
"""For each client id the public keys by their version."""
_KEYS: Final = "{key version: public key}"


def _parse_clients(raw: object) -> Clients:
    clients: dict[str, dict[str, RSAPublicKey]] = {}
    if raw is None:
        return clients
    findings = []
    for client, keys in mapping(raw, f"{{client id: {_KEYS}}}").items():
        if not isinstance(keys, Mapping) or not keys:
            found = describe(keys or None)
            findings.append(f"client {client!r} maps to {found}; map it to {_KEYS}")
            continue
        clients[client] = {}
        for version, source in keys.items():
            try:
                if not isinstance(source, str) or not source.strip():
                    raise ValueError(f"found {describe(source)}; write the key or a file's path")
                clients[client][str(version)] = load_public_key(source)
            except ValueError as fault:
                findings.append(f"key {str(version)!r} of client {client!r}: {fault}")
    if findings:
        raise Unreadable(findings, clients)
    return clients


CLIENTS: Final = Reader(
    "a mapping of client id to a mapping of key version to public key", _parse_clients
)


def _check_paths(verify: str, send: str) -> str:
    if verify != send:
        return ""
    return f"is {verify!r}, the path of the other API, too; each API needs one of its own"


DISTINCT_PATHS: Final = Rule(("verify_path", "send_path"), _check_paths)
"""Both APIs on one path would leave the second one unreachable."""


def mount_at(prefix: str, public_prefix: str | None, setting: str = "") -> Mount:
    """Return a mount that callers see at its prefix, unless another public prefix is given.

    :param setting: the key of the prefix.
    """
    return Mount(prefix, prefix if public_prefix is None else public_prefix, setting)


def called_uris(mounts: Iterable[Mount], paths: Iterable[str]) -> frozenset[str]:
    """Return what callers call: the public prefix of each mount with each path."""
    below = list(paths)
    return frozenset(mount.public_prefix + path for mount in mounts for path in below)
