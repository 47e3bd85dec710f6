"""Clients of Alipay+ and AMS: what is configured for each of them.

A client's entry is the short form, a mapping of versions to keys, or a mapping of members::

    {
        "CLIENT_1": {"1": "/etc/wallet/alipayplus.pub"},
        "CLIENT_2": {
            "keys": {"1": "/etc/wallet/other.pub"},
            "psp_ids": ["1022172000000000000"],
            "acquirers": ["1022188000000000000"],
        },
    }

A member is declared like a setting; its key is the name of the member.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.core.caller import CLIENT_ID, CLIENT_ID_RULE
from flask_otp_mpp.core.readers import Reader, Unreadable, describe, mapping, texts
from flask_otp_mpp.core.settings import (
    PREFIX,
    ConfigurationError,
    Faults,
    read_members,
    setting,
    settings_of,
)
from flask_otp_mpp.signing.keys import fingerprint, load_public_key

logger = logging.getLogger("flask_otp_mpp")

SANDBOX_CLIENT: Final = "SANDBOX_"
"""What the ids of clients of the sandbox start with. Those of AMS have paths of their own."""

Keys: TypeAlias = Mapping[str, RSAPublicKey]
_KEYS: Final = "{key version: public key}"


def _parse_keys(raw: object) -> Keys:
    keys: dict[str, RSAPublicKey] = {}
    findings = []
    if raw is None:
        return keys
    for version, source in mapping(raw, _KEYS).items():
        try:
            if not isinstance(source, str) or not source.strip():
                raise ValueError(f"found {describe(source)}; write the key or a file's path")
            keys[str(version)] = load_public_key(source)
        except ValueError as fault:
            findings.append(f"key {str(version)!r}: {fault}")
    if findings:
        raise Unreadable(findings, keys)
    return keys


TEXTS: Final = Reader(
    "a list of texts, or None", lambda raw: None if raw is None else frozenset(texts(raw))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Hold what is configured for one client."""

    keys: Keys = setting(
        "keys",
        Reader(f"a mapping {_KEYS}", _parse_keys),
        "The public keys by which the client signs; none if a `client_key` hook knows them.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayPlusClient(Client):
    """Hold what is configured for one client of Alipay+."""

    psp_ids: frozenset[str] | None = setting(
        "psp_ids", TEXTS, "The pspIds that the client may name.", default=None
    )
    acquirers: frozenset[str] | None = setting(
        "acquirers", TEXTS, "The acquirerIds for which it may ask.", default=None
    )


C = TypeVar("C", bound=Client)


def clients_reader(kind: type[C]) -> Reader[Mapping[str, C]]:
    """Return the reader of a mapping of client ids to clients of a kind."""
    members = [one.name for one in settings_of(kind).values()]

    def parse(raw: object) -> Mapping[str, C]:
        clients: dict[str, C] = {}
        if raw is None:
            return clients
        findings = []
        for name, entry in mapping(raw, f"{{client id: {_KEYS}}}").items():
            if CLIENT_ID.fullmatch(str(name)) is None:
                findings.append(f"client {name!r}: an id has {CLIENT_ID_RULE}; correct it")
            elif not isinstance(entry, Mapping) or not entry:
                found = describe(entry or None)
                findings.append(f"client {name!r} maps to {found}; map it to {_KEYS}")
            else:
                faults: Faults = []
                given: Mapping[str, Any] = entry
                if entry.keys().isdisjoint(members):
                    given = {"keys": entry}
                clients[name] = read_members(kind, given, faults, of="a client")
                findings += [
                    f"client {name!r}: {finding}"
                    if member == "keys"
                    else f"client {name!r}: {member!r} {finding}"
                    for member, finding in faults
                ]
        if findings:
            raise Unreadable(findings, clients)
        return clients

    return Reader("a mapping of client id to a mapping of key version to public key", parse)


def keys_of(clients: Mapping[str, Client]) -> Mapping[str, Keys]:
    """Return the keys of each client by their version."""
    return {name: client.keys for name, client in clients.items()}


def prints_of(keys: Mapping[str, Keys]) -> Mapping[str, str]:
    """Return the fingerprint of each client's keys, by client and version."""
    return {
        f"{client} {version}": fingerprint(key)
        for client, versions in keys.items()
        for version, key in versions.items()
    }


@dataclass(frozen=True, slots=True)
class Scope:
    """What a client of Alipay+ may name.

    :param acquirers: all if it is None.
    """

    psp_ids: frozenset[str]
    acquirers: frozenset[str] | None


def scopes_of(
    clients: Mapping[str, AlipayPlusClient],
    psp_ids: frozenset[str],
    acquirers: frozenset[str] | None,
    *,
    hooked: bool,
) -> tuple[Mapping[str, Scope], Scope]:
    """Return what each listed client may name, and what a client may that is not listed.

    With several clients and several pspIds, only what is said of a client holds for it: otherwise a
    sandbox client could name the pspId of production.

    :param psp_ids: those of the wallet.
    :param hooked: whether a ``client_key`` hook may know further clients.
    :raises ConfigurationError: if it is not said which pspIds are a client's, or one of them is not
        the wallet's.
    """
    faults = []
    divided = len(psp_ids) > 1 and (hooked or len(clients) > 1)
    if divided and not clients:
        faults.append("has no client, and several pspIds; list each client as {'psp_ids': […]}")
    for name, client in clients.items():
        if divided and client.psp_ids is None:
            faults.append(
                f"client {name!r}: does not say which pspIds it may use, and there are several "
                "pspIds and clients; write {'keys': {…}, 'psp_ids': […]}"
            )
        foreign = (client.psp_ids or frozenset()) - psp_ids
        if psp_ids and foreign:  # the wallet's may be at fault themselves
            faults.append(
                f"client {name!r}: 'psp_ids' holds {min(foreign)!r}; it must be in "
                f"{PREFIX}ALIPAYPLUS_PSP_ID too"
            )
    if faults:
        raise ConfigurationError([(f"{PREFIX}ALIPAYPLUS_CLIENTS", fault) for fault in faults])
    listed = {
        name: Scope(
            psp_ids if client.psp_ids is None else client.psp_ids,
            acquirers if client.acquirers is None else client.acquirers,
        )
        for name, client in clients.items()
    }
    return listed, Scope(frozenset() if divided else psp_ids, acquirers)


def sandbox_in_production(scopes: Mapping[str, Scope]) -> Iterator[str]:
    """Yield each client of the sandbox that may name a pspId as a client of production may."""
    production = {
        psp_id
        for name, scope in scopes.items()
        if not name.startswith(SANDBOX_CLIENT)
        for psp_id in scope.psp_ids
    }
    for name, scope in scopes.items():
        if name.startswith(SANDBOX_CLIENT) and not scope.psp_ids.isdisjoint(production):
            yield name


def warn_of_sandbox(scopes: Mapping[str, Scope]) -> None:
    """Warn of each client of the sandbox that may name a pspId as a client of production may."""
    for name in sandbox_in_production(scopes):
        logger.warning(
            "%r: client %r of the sandbox may name a pspId of production; give it its own "
            "'psp_ids', or it can cause codes to be sent to users of production",
            f"{PREFIX}ALIPAYPLUS_CLIENTS",
            name,
        )
