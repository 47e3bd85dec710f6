"""OpenPGP bodies of any kind, right and wrong, made by ``gpg`` in a directory of the kit's own."""

from __future__ import annotations

import base64
import threading
import time
from typing import Final

from flask_otp_mpp.conformance.case import Skipped
from flask_otp_mpp.protocols.google.pgp.home import START_TIMEOUT, GpgHome
from flask_otp_mpp.protocols.google.pgp.keys import active
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer

_ADDRESS: Final = "conformance-unknown@test.invalid"
_LONGEST: Final = 1 << 20
_SESSION_KEYS: Final = frozenset({1, 3})
NO_INTEGRITY: Final = 9
"""The packet tag of encrypted data without integrity protection (RFC 4880, section 5.7)."""


class PgpForge:
    """Sign and encrypt as a case wants it.

    :param sealer: Google's side, as it was opened.
    :param armored: its private keys and the wallet's public keys.
    :param program: gpg, by name or path.
    :ivar signer: the fingerprint of the key that signs.
    :ivar recipient: that of the key of the wallet.
    """

    def __init__(self, sealer: PgpSealer, armored: tuple[str, ...], program: str) -> None:
        now = time.time()
        self.signer = active(sealer.ours, now)[0][0]
        self.recipient = active(sealer.theirs, now)[1][0]
        self._armored = armored
        self._program = program
        self._lock = threading.RLock()
        self._made: GpgHome | None = None
        self._unknown = ""

    @property
    def unknown(self) -> str:
        """The fingerprint of a key, for both uses, that the wallet does not know; made once."""
        with self._lock:
            if not self._unknown:
                make = ("--passphrase", "", "--quick-generate-key", _ADDRESS, "rsa2048")
                self._home.ask([*make, "sign", "never"])
                listed = self._home.ask(["--with-colons", "--list-keys", _ADDRESS]).output.decode()
                found = next(line for line in listed.splitlines() if line.startswith("fpr"))
                self._unknown = found.split(":")[9]
                add = ("--passphrase", "", "--quick-add-key", self._unknown, "rsa2048")
                self._home.ask([*add, "encr", "never"])
        return self._unknown

    @property
    def _home(self) -> GpgHome:
        """The directory with the keys of both sides; made when it is needed first."""
        with self._lock:
            if self._made is None:
                self._made = GpgHome(self._program)
                for key in self._armored:
                    self._made.ask(["--import"], key.encode())
            return self._made

    def signs(self, *names: str) -> tuple[str, ...]:
        """Return the arguments by which keys sign; the account's by default."""
        users = [word for name in names or (self.signer,) for word in ("--local-user", name)]
        return ("--sign", *users)

    def encrypts(self, *names: str) -> tuple[str, ...]:
        """Return the arguments that encrypt to keys; the wallet's by default."""
        users = [word for name in names or (self.recipient,) for word in ("--recipient", name)]
        return ("--encrypt", *users)

    def message(self, payload: bytes, *arguments: str) -> bytes:
        """Return the message that gpg makes by these arguments.

        :raises Skipped: if it makes none: another version of gpg does not have all of them.
        """
        done = self._home.run(arguments, payload, timeout=START_TIMEOUT, longest=_LONGEST)
        if done.code != 0:
            raise Skipped(f"this version of gpg does not make it: gpg {' '.join(arguments[:2])}")
        return done.output

    def good(self, payload: bytes, *arguments: str) -> bytes:
        """Return a message that is right, made with further arguments."""
        return self.message(payload, *arguments, *self.encrypts(), *self.signs())


def body_of(message: bytes) -> bytes:
    """Return the body of a request: base64url of a message."""
    return base64.urlsafe_b64encode(message)


def data_at(message: bytes) -> int:
    """Return where the encrypted data of a binary message begins: behind its session keys.

    RFC 4880, section 4.2; gpg writes session keys with lengths of the old format.
    """
    place = 0
    while message[place] >> 2 & 0x0F in _SESSION_KEYS and not message[place] & 0x40:
        octets = 1 << (message[place] & 3)
        start = place + 1 + octets
        place = start + int.from_bytes(message[place + 1 : start])
    return place


def tag_at(message: bytes, place: int) -> int:
    """Return the tag of the packet that begins there."""
    first = message[place]
    return first & 0x3F if first & 0x40 else first >> 2 & 0x0F
