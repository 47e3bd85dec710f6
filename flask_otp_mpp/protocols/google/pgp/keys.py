"""PGP keys: import them, and check that they are RSA, long enough, on the right side and active.

GnuPG's ``doc/DETAILS``, section "Format of the colon listings".
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flask_otp_mpp.protocols.google.pgp.home import GpgHome
from flask_otp_mpp.protocols.google.pgp.status import lines
from flask_otp_mpp.signing.keys import MIN_BITS, KeyFault

NEVER: Final = -math.inf
_RSA: Final = "1"
_INACTIVE: Final = frozenset("redin")  # revoked, expired, disabled, invalid, not valid
_PRIVATE: Final = 16  # flag of IMPORT_OK


@dataclass(frozen=True, slots=True)
class PgpKey:
    """One key with its subkeys.

    :param fingerprint: of the primary key.
    :param signs_until: until when it can sign, in seconds since the epoch; infinite if for ever,
        ``NEVER`` if it can't now.
    :param encrypts_until: the same for encryption to it.
    :param decrypts: the ids of all parts that are for encryption, active or not, 8 bytes each.
    :param decrypting: the keygrips of the same parts. Under whatever fingerprint and id a part is
        listed, it has the same keygrip.
    :param signing: the keygrips of all parts that sign, active or not.
    """

    fingerprint: str
    signs_until: float
    encrypts_until: float
    decrypts: frozenset[bytes]
    decrypting: frozenset[str]
    signing: frozenset[str]

    @property
    def parts(self) -> str:
        """A digest of its parts, in hexadecimal digits: the fingerprint stays if one changes."""
        return hashlib.sha256("".join(sorted(self.decrypting | self.signing)).encode()).hexdigest()


def import_keys(home: GpgHome, sources: Iterable[str], *, private: bool) -> tuple[PgpKey, ...]:
    """Import armored keys into a home, and check them.

    :param private: whether they must be private keys, or must not be.
    :raises KeyFault: if one can't be used; the home must not be used then.
    """
    found: dict[str, bool] = {}
    for source in sources:
        said = home.ask(["--import"], source.encode()).status
        imported = [line for line in lines(said) if line[0] == "IMPORT_OK"]
        if not imported:
            raise KeyFault(
                "holds something that GnuPG does not read as a key; give armored PGP keys"
            )
        for _, flags, fingerprint in imported:
            held = bool(int(flags) & _PRIVATE)
            found[fingerprint] = held or found.get(fingerprint, False)
    for fingerprint, held in found.items():
        if private and not held:
            raise KeyFault(f"key {fingerprint} is public; our keys must be private")
        if held and not private:
            raise KeyFault(
                f"key {fingerprint} is private; hold their public keys only, and take this one "
                "out of use"
            )
    listed = _list(home)
    return tuple(_read(fingerprint, listed[fingerprint]) for fingerprint in found)


def active(keys: Iterable[PgpKey], now: float) -> tuple[list[str], list[str]]:
    """Return the fingerprints of keys that can sign now, and of those that can be encrypted to."""
    known = list(keys)
    return (
        [key.fingerprint for key in known if key.signs_until > now],
        [key.fingerprint for key in known if key.encrypts_until > now],
    )


def _list(home: GpgHome) -> Mapping[str, Sequence[Sequence[str]]]:
    """Return, for each primary key, its own record and those of its subkeys.

    The last field of each is its keygrip.
    """
    text = home.ask(["--with-colons", "--with-keygrip", "--fixed-list-mode", "--list-keys"]).output
    records: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in text.decode("utf-8", "replace").splitlines():
        record = line.split(":")
        if record[0] == "pub":
            current = [record]
        elif record[0] == "sub":
            current.append(record)
        elif record[0] == "fpr" and len(current) == 1:
            records[record[9]] = current
        elif record[0] == "grp":
            current[-1].append(record[9])
    return records


def _read(fingerprint: str, records: Sequence[Sequence[str]]) -> PgpKey:
    ends: dict[str, float] = {"s": NEVER, "e": NEVER}
    primary_end = _end(records[0])
    for record in records:
        _, validity, bits, algorithm = record[:4]
        end = min(_end(record), primary_end)
        uses = [use for use in ends if use in record[11]]
        if validity in _INACTIVE or records[0][1] in _INACTIVE or not uses:
            continue
        if algorithm != _RSA or int(bits) < MIN_BITS:
            raise KeyFault(
                f"key {fingerprint} has a part that is not RSA of {MIN_BITS} bits or more; use "
                "another"
            )
        for use in uses:
            ends[use] = max(ends[use], end)
    decrypting = [record for record in records if "e" in record[11]]
    return PgpKey(
        fingerprint,
        ends["s"],
        ends["e"],
        frozenset(bytes.fromhex(record[4]) for record in decrypting),
        frozenset(record[-1] for record in decrypting),
        frozenset(record[-1] for record in records if "s" in record[11]),
    )


def _end(record: Sequence[str]) -> float:
    return float(record[6]) if record[6] else math.inf
