"""An account is what was agreed with Google, read and checked; from it comes its envelope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from flask_otp_mpp.protocols.google.jose.jwk import Jwk
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from flask_otp_mpp.protocols.google.plain import PlainSealer
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.signing.keys import KeyFault

KEY_ALGORITHMS: Final = ("RSA-OAEP-256", "RSA-OAEP")
CONTENT_ALGORITHMS: Final = ("A256GCM", "A128CBC-HS256", "A256CBC-HS512")
SIGNATURE_ALGORITHMS: Final = ("RS256", "PS256")
SEPARATOR: Final = "\n    "
"""What stands between faults that are told together."""
TIMEOUT: Final = 3.0
"""How long gpg may take for one message, in seconds."""


@dataclass(frozen=True, slots=True)
class JoseAccount:
    """Hold what was agreed for an account that seals by JOSE; see ``settings``."""

    name: str
    paths: tuple[str, ...]
    our_keys: tuple[Jwk, ...]
    their_keys: tuple[Jwk, ...]
    key_algorithms: tuple[str, ...] = KEY_ALGORITHMS
    content_algorithms: tuple[str, ...] = CONTENT_ALGORITHMS
    signature_algorithms: tuple[str, ...] = SIGNATURE_ALGORITHMS
    signed: bool = True

    def sealer(self) -> Sealer:
        """Make the envelope.

        :raises KeyFault: if joserfc is not installed, or the keys don't do.
        """
        try:
            from flask_otp_mpp.protocols.google.jose.sealer import JoseSealer  # noqa: PLC0415 - an extra
        except ImportError:
            raise KeyFault(
                "needs joserfc, which is not installed; pip install 'flask-otp-mpp[google]'"
            ) from None
        return JoseSealer(
            self.our_keys,
            self.their_keys,
            key_algorithms=self.key_algorithms,
            content_algorithms=self.content_algorithms,
            signature_algorithms=self.signature_algorithms,
            signed=self.signed,
        )


@dataclass(frozen=True, slots=True)
class PgpAccount:
    """Hold what was agreed for an account that seals by PGP; see ``settings``."""

    name: str
    paths: tuple[str, ...]
    our_keys: tuple[str, ...] = field(repr=False)
    their_keys: tuple[str, ...] = field(repr=False)
    timeout: float = TIMEOUT
    program: str = "gpg"

    def sealer(self) -> Sealer:
        """Make the envelope, with a key directory and an agent of its own.

        :raises KeyFault: if GnuPG is not there, or the keys don't do.
        """
        return PgpSealer(self.our_keys, self.their_keys, program=self.program, timeout=self.timeout)


@dataclass(frozen=True, slots=True)
class PlainAccount:
    """Hold an account for trials, whose bodies are bare JSON."""

    name: str
    paths: tuple[str, ...]

    def sealer(self) -> Sealer:
        return PlainSealer()


Account: TypeAlias = JoseAccount | PgpAccount | PlainAccount


def open_sealers(accounts: Iterable[Account]) -> Mapping[str, Sealer]:
    """Make the envelope of every account, by its name.

    :raises ValueError: with every account's fault; nothing is left open then.
    """
    sealers: dict[str, Sealer] = {}
    faults: list[str] = []
    for account in accounts:
        try:
            sealers[account.name] = account.sealer()
        except KeyFault as fault:
            faults.append(f"account {account.name!r}: {fault}")
    if faults:
        for sealer in sealers.values():
            sealer.close()
        raise ValueError(SEPARATOR.join(faults))
    return sealers
