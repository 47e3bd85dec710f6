"""Chains of rows: each row holds the hash of the one before, and a MAC under the pepper.

The hash is SHA-256, so that whoever has an exported head can check a chain without any secret. The
MAC is what a user of the database can't make: without the pepper nobody can add a row, or compute a
chain again, even where no head was kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from flask_otp_mpp.audit.record import Kind, to_text
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.stores.sql.types import EPOCH, MICROSECOND

_PURPOSE: Final = b"flask-otp-mpp audit trail"
_CHANGE: Final = "change"
_ID_DIGITS: Final = 16
_CHAIN_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail.

    :param chain: names its chain: 32 hexadecimal digits.
    :param number: its place there, from 1.
    :param record: all else that is known, as canonical JSON.
    :param previous: the hash of the row before; empty in the first one.
    :param key: which pepper the MAC was made under, see :attr:`AuditKeys.ids`.
    :param hash: SHA-256 of all fields above. That of a checkpoint is that of the last row for which
        it stands.
    :param mac: HMAC of all fields above and the hash.
    """

    chain: str
    number: int
    time: datetime
    kind: str
    subject: str
    record: str
    previous: str
    key: str
    hash: str = ""
    mac: str = ""

    @property
    def text(self) -> str:
        """What is hashed."""
        micros = (self.time - EPOCH) // MICROSECOND
        place = [self.chain, self.number, micros, self.kind, self.subject]
        return to_text([*place, self.record, self.previous, self.key])

    @property
    def digest(self) -> str:
        """The hash that the fields have."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def fields(self) -> Mapping[str, Any]:
        """What is recorded, as values."""
        fields: Mapping[str, Any] = json.loads(self.record)
        return fields


class AuditKeys:
    """The keys of the MACs, one for each pepper.

    :param peppers: the first one's key makes MACs, the others' still verify older rows.
    :ivar ids: a check value of each pepper, in their order; nobody can compute a pepper from it.
    """

    def __init__(self, peppers: Sequence[Secret[bytes]]) -> None:
        derived = [_mac(pepper, _PURPOSE) for pepper in peppers]
        self._keys = {_mac(Secret(one), b"id").hex()[:_ID_DIGITS]: Secret(one) for one in derived}
        self.ids = tuple(self._keys)

    def seal(self, entry: Entry) -> Entry:
        """Return an entry with its MAC; its hash must be there."""
        entry = replace(entry, key=self.ids[0])
        return replace(entry, mac=self._mac_of(entry))

    def holds(self, entry: Entry) -> bool | None:
        """Tell whether an entry's MAC is right; None if it was made under no pepper of these."""
        if entry.key not in self._keys:
            return None
        return hmac.compare_digest(self._mac_of(entry).encode(), entry.mac.encode())

    def chain_after(self, anchor: Entry, names: Mapping[str, Any]) -> str:
        """Return the id of the chain that tells of a change since an anchor.

        It is the same in each process, and nobody else can compute it: no chain can be put there.
        """
        text = to_text([anchor.hash, names])
        key = self._keys[self.ids[0]]
        return _mac(key, f"{_CHANGE}\n{text}".encode()).hex()[: 2 * _CHAIN_BYTES]

    def _mac_of(self, entry: Entry) -> str:
        return _mac(self._keys[entry.key], f"{entry.text}\n{entry.hash}".encode()).hex()


class Chain:
    """The end of a chain that is written here; one thread at a time may add to it.

    :ivar id: names it; random, if none is given.
    """

    def __init__(self, keys: AuditKeys, given_id: str = "") -> None:
        self._keys = keys
        self.id = given_id or secrets.token_hex(_CHAIN_BYTES)
        self._number = 0
        self._hash = ""

    @property
    def is_new(self) -> bool:
        """Whether its first row, the anchor, is yet to come."""
        return not self._number

    def add(self, kind: Kind, time: datetime, subject: str, fields: Mapping[str, Any]) -> Entry:
        """Return the next entry. If it can't be stored, the chain must not be used any more."""
        self._number += 1
        key, record = self._keys.ids[0], to_text(fields)
        entry = Entry(self.id, self._number, time, kind, subject, record, self._hash, key)
        self._hash = entry.digest
        return self._keys.seal(replace(entry, hash=self._hash))


def _mac(key: Secret[bytes], data: bytes) -> bytes:
    return hmac.digest(key.reveal(), data, "sha256")
