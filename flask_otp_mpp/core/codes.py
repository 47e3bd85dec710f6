"""Generate codes without bias, and digest them so that a digest is useless without the pepper."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Sequence

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.policy import Resend
from flask_otp_mpp.core.secret import Secret

MIN_PEPPER_BYTES = 32


def new_challenge_id() -> str:
    """Return the id of a new challenge: 44 hexadecimal digits, of which 128 bits are random.

    It begins with the time in milliseconds, so that a database adds and purges rows in one place
    of its index.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(16)}"


class Codes:
    """Generates codes and digests them by HMAC-SHA256 under a pepper that is not in the store.

    :param peppers: secrets of at least 32 bytes; a list is for rotation: the first digests new
        codes, the others still verify old ones.
    :param digits: length of a code.
    :param resend: under :attr:`Resend.REUSE` a code is derived from its challenge's id and the
        pepper (as RFC 4226 derives one from a counter), so that it can be sent again without
        being stored; otherwise it comes from :mod:`secrets`.
    """

    def __init__(self, peppers: Sequence[Secret[bytes]], digits: int, resend: Resend) -> None:
        if not peppers or any(len(pepper.reveal()) < MIN_PEPPER_BYTES for pepper in peppers):
            raise ValueError(f"every pepper must have {MIN_PEPPER_BYTES} bytes or more")
        # What a pepper begins is computed once. It shows no part of it.
        self._keyed = tuple(hmac.new(pepper.reveal(), digestmod="sha256") for pepper in peppers)
        self._digits = digits
        self._resend = resend
        self._normal = re.compile(f"[0-9]{{{digits}}}")

    def generate(self, challenge_id: str) -> Secret[str]:
        """Return the code of a new challenge; leading zeros are kept."""
        if self._resend is Resend.REUSE:
            return self._derive(self._keyed[0], challenge_id)
        return Secret(f"{secrets.randbelow(10**self._digits):0{self._digits}d}")

    def recover(self, challenge: Challenge) -> Secret[str]:
        """Derive the code of an open challenge again, whichever pepper it was made under.

        :raises LookupError: if the pepper is not listed any more, or the code was not derived.
        """
        for keyed in self._keyed:
            code = self._derive(keyed, challenge.id)
            found = _digest(keyed, challenge.id, challenge.subject, challenge.caller, code)
            if hmac.compare_digest(found, challenge.digest):
                return code
        raise LookupError("the open challenge was not made under a pepper that is still listed")

    def digest(self, challenge_id: str, subject: str, caller: str, code: Secret[str]) -> bytes:
        """Digest a new code together with its challenge, and the user and caller it is made for.

        So a challenge whose row is given to another user or caller matches no code any more.
        """
        return _digest(self._keyed[0], challenge_id, subject, caller, code)

    def candidates(
        self, challenge_id: str, subject: str, caller: str, code: Secret[str]
    ) -> tuple[bytes, ...]:
        """Return the digests by which a presented code may be stored, one for each pepper.

        The normal form is exactly as many ASCII digits as a code has. Anything else (a space, a
        line feed, digits of another script) has no digest and so matches nothing.
        """
        if self._normal.fullmatch(code.reveal()) is None:
            return ()
        return tuple([_digest(one, challenge_id, subject, caller, code) for one in self._keyed])

    def request_macs(self, digest: str) -> tuple[str, ...]:
        """Return the MACs by which a digest of parameters may be stored, one for each pepper.

        Parameters hold tokens, phone numbers and codes, some of them easy to guess: a digest
        without the pepper would let anybody who reads the database check a guess.
        """
        return tuple(_mac(keyed, "request", digest).hex() for keyed in self._keyed)

    def _derive(self, keyed: hmac.HMAC, challenge_id: str) -> Secret[str]:
        # 256 bits are reduced to at most 34: the bias of the remainder is below 2**-220.
        mac = _mac(keyed, "code", challenge_id)
        return Secret(f"{int.from_bytes(mac) % 10**self._digits:0{self._digits}d}")


def _digest(
    keyed: hmac.HMAC, challenge_id: str, subject: str, caller: str, code: Secret[str]
) -> bytes:
    return _mac(keyed, "digest", challenge_id, subject, caller, code.reveal())


def _mac(keyed: hmac.HMAC, *parts: str) -> bytes:
    """Return the HMAC of the parts, each behind its length, so that no other parts share it."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    mac = keyed.copy()
    mac.update(b"".join([len(part).to_bytes(4) + part for part in encoded]))
    return mac.digest()
