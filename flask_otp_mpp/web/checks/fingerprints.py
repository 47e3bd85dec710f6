"""The keys of a deployment in one list: whose each is, its fingerprint, and its file."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.protocols.alipay.clients import Client
from flask_otp_mpp.protocols.google.accounts import Account, JoseAccount
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.protocols.google.settings import GoogleSettings
from flask_otp_mpp.signing.keys import fingerprint
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.exposed_files import paths_of
from flask_otp_mpp.web.settings import SigningSettings

ACCOUNTS: Final = key_of(GoogleSettings, "accounts")
OWN: Final = key_of(SigningSettings, "private_keys")


class Side(Enum):
    """Say whose a key is."""

    OURS = auto()
    THEIRS = auto()


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A public key, or the public half of a private one, and where it is configured.

    :param where: the setting and the place in it.
    :param owner: the protocol with the client or account; empty for the wallet's own keys.
    :param changed_at: when the key's file was last changed; None if it is in no file. A copy is
        younger than its key.
    """

    side: Side
    where: str
    owner: str
    key: RSAPublicKey
    changed_at: datetime | None = None

    @property
    def number(self) -> int:
        """The modulus, by which two keys are the same."""
        return self.key.public_numbers().n

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the key as DER (SubjectPublicKeyInfo), in hexadecimal digits."""
        return fingerprint(self.key)


def listed_keys(checked: CheckedApp) -> Iterator[ListedKey]:
    """Yield the keys of all protocols but those of PGP accounts, which GnuPG alone can read."""
    signing = checked.settings(SigningSettings)
    sources = _mapping(checked.config.get(OWN))
    for version, key in signing.private_keys.items():
        place = f"{OWN}[{version!r}]"
        yield ListedKey(Side.OURS, place, "", key.public_key(), _changed_at(sources.get(version)))
    for protocol, group in checked.protocols:
        if protocol.clients is not None:
            setting = key_of(protocol.settings, protocol.clients)
            yield from _of_clients(
                setting, protocol.name, getattr(group, protocol.clients), checked.config
            )
    for account in accounts(checked):
        if isinstance(account, JoseAccount):
            yield from _of_account(account)


def accounts(checked: CheckedApp) -> tuple[Account, ...]:
    """Return Google's accounts; none if Google is not served."""
    if GoogleStandardPayments not in checked.state.components.protocols:
        return ()
    return checked.settings(GoogleSettings).accounts


def _of_clients(
    setting: str, protocol: str, clients: Mapping[str, Client], config: Mapping[str, Any]
) -> Iterator[ListedKey]:
    for name, client in clients.items():
        entry = _mapping(_mapping(config.get(setting)).get(name))
        sources = _mapping(entry.get("keys", entry))
        for version, key in client.keys.items():
            place = f"{setting}[{name!r}], key {version!r}"
            changed_at = _changed_at(sources.get(version))
            yield ListedKey(Side.THEIRS, place, f"{protocol} {name}", key, changed_at)


def _of_account(account: JoseAccount) -> Iterator[ListedKey]:
    for side, member in ((Side.OURS, "our_keys"), (Side.THEIRS, "their_keys")):
        for jwk in getattr(account, member):
            place = f"{ACCOUNTS}[{account.name!r}], {member} {jwk.kid!r}"
            try:
                exponent, modulus = (_number(jwk.members[name]) for name in ("e", "n"))
                key = RSAPublicNumbers(exponent, modulus).public_key()
            except (ValueError, TypeError, KeyError):
                continue  # a fault of the configuration
            yield ListedKey(side, place, f"google {account.name}", key)


def _number(digits: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(digits + "=" * (-len(digits) % 4)))


def _changed_at(source: object) -> datetime | None:
    for path in paths_of(source):
        return _time_of(path)
    return None


def _time_of(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError):
        return None


def _mapping(raw: object) -> Mapping[str, Any]:
    """Return a mapping of a host with its keys as texts; an empty one if it is none."""
    return {str(name): value for name, value in raw.items()} if isinstance(raw, Mapping) else {}
