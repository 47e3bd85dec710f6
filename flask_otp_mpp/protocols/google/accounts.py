"""Accounts: what was agreed with Google for each, member by member, and the sealer made from it.

A member is declared like a setting; its key is the name of the member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Final, TypeAlias

from flask_otp_mpp.core.readers import FLAG, Reader, Unreadable, text, whole
from flask_otp_mpp.core.settings import Rule, setting
from flask_otp_mpp.protocols.google.account_members import (
    ARMORED,
    ERRORS,
    PATHS,
    PHONES,
    RSA1_5,
    TIMEOUT,
    Errors,
    Phones,
    algorithms,
    jwks,
)
from flask_otp_mpp.protocols.google.jose.jwk import Jwk, pick
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from flask_otp_mpp.protocols.google.plain import PlainSealer
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.signing.keys import KeyFault

MAX_PROCESSES: Final = 64


def _check_rsa1_5(names: tuple[str, ...], allowed: bool) -> str:  # noqa: FBT001 - a rule's argument
    if RSA1_5 not in names or allowed:
        return ""
    return f"may hold {RSA1_5!r} only if 'rsa1_5' is true: it is not safe"


def _check_signing(keys: tuple[Jwk, ...], signed: bool) -> str:  # noqa: FBT001 - a rule's argument
    try:
        if signed:
            pick(keys, "sig")
    except KeyFault as fault:
        return str(fault)
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonMembers:
    """Hold what every account has.

    :param name: of the deployment's choosing.
    """

    name: str
    paths: tuple[str, ...] = setting(
        "paths",
        PATHS,
        "Where below the prefix its methods lie. No clear-text header names the account, so the "
        "path does, and no two accounts have the same one.",
        default="/v1",
    )
    errors: Errors = setting(
        "errors",
        ERRORS,
        "Whether an error without a code, or to a caller who is not proven, has an empty body, or "
        "a sealed ErrorResponse.",
        default="empty",
    )
    phones: Phones = setting(
        "phones",
        PHONES,
        "Whether phone numbers that can't exist are refused, or the host is asked for all.",
        default="checked",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JoseAccount(CommonMembers):
    """Hold what was agreed for an account that seals by JOSE; keys are RSA and have a ``kid``."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("our_keys", "signed"), _check_signing),
        Rule(("their_keys", "signed"), _check_signing),
        Rule(("key_algorithms", "rsa1_5"), _check_rsa1_5),
    )

    our_keys: tuple[Jwk, ...] = setting(
        "our_keys",
        jwks(private=True),
        "The wallet's private keys: the first for `sig` signs, all for `enc` decrypt.",
    )
    their_keys: tuple[Jwk, ...] = setting(
        "their_keys",
        jwks(private=False),
        "Google's public keys: any for `sig` proves, the first for `enc` is sealed to.",
    )
    signed: bool = setting(
        "signed", FLAG, "False for a bare JWE, where mutual TLS authenticates.", default=True
    )
    rsa1_5: bool = setting("rsa1_5", FLAG, "Lets `RSA1_5` into `key_algorithms`.", default=False)
    key_algorithms: tuple[str, ...] = setting(
        "key_algorithms",
        algorithms("RSA-OAEP-256", "RSA-OAEP", RSA1_5),
        "The `alg` of a JWE. The first of each list seals, all open.",
        default=["RSA-OAEP-256", "RSA-OAEP"],
    )
    content_algorithms: tuple[str, ...] = setting(
        "content_algorithms",
        algorithms(
            "A256GCM", "A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A192GCM", "A192CBC-HS384"
        ),
        "The `enc` of a JWE.",
        default=["A256GCM", "A128CBC-HS256", "A256CBC-HS512"],
    )
    signature_algorithms: tuple[str, ...] = setting(
        "signature_algorithms",
        algorithms("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        "The `alg` of a JWS.",
        default=["RS256", "PS256"],
    )

    def sealer(self) -> Sealer:
        """Make the sealer.

        :raises KeyFault: if joserfc is not installed, or a key can't be used.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PgpAccount(CommonMembers):
    """Hold what was agreed for an account that seals by PGP; keys are RSA, without passphrase."""

    our_keys: tuple[str, ...] = setting(
        "our_keys",
        ARMORED,
        "The wallet's private keys: all sign, all decrypt.",
        secret=True,
    )
    their_keys: tuple[str, ...] = setting(
        "their_keys",
        ARMORED,
        "Google's public keys: any proves, all are sealed to.",
        secret=True,
    )
    timeout: float = setting(
        "timeout",
        TIMEOUT,
        "How long gpg may take for one message.",
        default=3,
    )
    processes: int = setting(
        "processes",
        whole(1, MAX_PROCESSES),
        "How many messages a process opens at once; fewer than it has threads.",
        default=2,
    )
    program: str = setting(
        "program", Reader("a text", text), "gpg, by name or path.", default="gpg"
    )

    def sealer(self) -> Sealer:
        """Make the sealer, with a key directory and an agent of its own.

        :raises KeyFault: if GnuPG is not there, or a key can't be used.
        """
        return PgpSealer(
            self.our_keys,
            self.their_keys,
            program=self.program,
            timeout=self.timeout,
            processes=self.processes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainAccount(CommonMembers):
    """Hold an account for trials, whose bodies are bare JSON."""

    def sealer(self) -> Sealer:
        return PlainSealer()


Account: TypeAlias = JoseAccount | PgpAccount | PlainAccount
KINDS: Final[Mapping[str, type[JoseAccount] | type[PgpAccount] | type[PlainAccount]]] = {
    "jose": JoseAccount,
    "pgp": PgpAccount,
    "plain": PlainAccount,
}
"""The classes of accounts by the value of their member ``envelope``."""


def open_sealers(accounts: Iterable[Account]) -> Mapping[str, Sealer]:
    """Make the sealer of every account, by its name.

    No message names its account, so two accounts that could open the same one are a fault.

    :raises Unreadable: with every account's fault; nothing is left open then.
    """
    sealers: dict[str, Sealer] = {}
    findings: list[str] = []
    for account in accounts:
        try:
            sealers[account.name] = account.sealer()
        except KeyFault as fault:
            findings.append(f"account {account.name!r}: {fault}")
    findings += [
        f"account {other!r} opens the messages of account {name!r}: both have one of 'our_keys' "
        "and one of 'their_keys' in common; give each account keys of its own to decrypt by"
        for (name, one), (other, another) in combinations(sealers.items(), 2)
        if one.opening_keys.overlap(another.opening_keys)
    ]
    if findings:
        for sealer in sealers.values():
            sealer.close()
        raise Unreadable(findings, {})
    return sealers
