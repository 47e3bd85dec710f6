"""Accounts: what was agreed with Google for each, member by member, and the sealer made from it.

A member is declared like a setting; its key is the name of the member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Final, TypeAlias

from flask_otp_mpp.core.readers import FLAG, Reader, Unreadable, describe, path, text, texts, whole
from flask_otp_mpp.core.secret_files import PREFIX, read_text
from flask_otp_mpp.core.settings import Rule, setting
from flask_otp_mpp.protocols.google.jose.jwk import Jwk, pick, read_sets
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from flask_otp_mpp.protocols.google.plain import PlainSealer
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.signing.keys import KeyFault

MAX_TIMEOUT: Final = 30.0
MAX_PROCESSES: Final = 64

_RSA1_5: Final = "RSA1_5"
_ARMOR: Final = "-----BEGIN PGP "
_KEY_ALGORITHMS: Final = ("RSA-OAEP-256", "RSA-OAEP", _RSA1_5)
_CONTENT_ALGORITHMS: Final = (
    "A256GCM", "A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A192GCM", "A192CBC-HS384",
)  # fmt: skip
_SIGNATURE_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_JWKS: Final = "JWKs or JWK sets: JSON texts, mappings or files' paths, one or a list"
_ARMORED: Final = "armored PGP keys: texts or files' paths, one or a list"


def _jwks(*, private: bool) -> Reader[tuple[Jwk, ...]]:
    def parse(raw: object) -> tuple[Jwk, ...]:
        keys = read_sets(raw, private=private)
        pick(keys, "enc")
        return keys

    return Reader(_JWKS, parse)


def _algorithms(known: tuple[str, ...]) -> Reader[tuple[str, ...]]:
    kind = f"one of, or a list of: {', '.join(known)}"

    def check(names: tuple[str, ...]) -> str:
        unknown = [name for name in names if name not in known]
        return f"holds {unknown[0]!r}; set it to {kind}" if unknown else ""

    return Reader(kind, texts, check)


def _parse_armored(raw: object) -> tuple[str, ...]:
    return tuple(_armored_text(source.strip()) for source in texts(raw))


def _armored_text(source: str) -> str:
    held, subject = source, ""
    if _ARMOR not in source:
        path = source.removeprefix(PREFIX)
        try:
            # Comments may be in any charset: GnuPG writes them as they come.
            held, subject = read_text(path, "replace"), f"file {path!r} "
        except (OSError, ValueError) as error:
            kind = type(error).__name__
            raise KeyFault(f"names a file that can't be read ({kind})") from None
    _, begin, armored = held.partition(_ARMOR)
    if not begin:
        raise KeyFault(f"{subject}holds no armored PGP key (make one: gpg --armor --export)")
    return begin + armored


def _parse_timeout(raw: object) -> float:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return float(raw)
    raise ValueError(f"found {describe(raw)}; set it to a number of seconds")


def _check_timeout(value: float) -> str:
    if 0 < value <= MAX_TIMEOUT:
        return ""
    return f"is {value:g}; set it to more than 0 and at most {MAX_TIMEOUT:g} seconds"


def _check_rsa1_5(names: tuple[str, ...], allowed: bool) -> str:  # noqa: FBT001 - a rule's argument
    if _RSA1_5 not in names or allowed:
        return ""
    return f"may hold {_RSA1_5!r} only if 'rsa1_5' is true: it is not safe"


def _check_signing(keys: tuple[Jwk, ...], signed: bool) -> str:  # noqa: FBT001 - a rule's argument
    try:
        if signed:
            pick(keys, "sig")
    except KeyFault as fault:
        return str(fault)
    return ""


_PATHS: Final = Reader(
    "a URL path, or a list of them", lambda raw: tuple(path(one) for one in texts(raw))
)
_PATHS_MEANING: Final = (
    "Where below the prefix its methods lie. No clear-text header names the account, so the path "
    "does, and no two accounts have the same one."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoseAccount:
    """Hold what was agreed for an account that seals by JOSE; keys are RSA and have a ``kid``.

    :param name: of the deployment's choosing.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("our_keys", "signed"), _check_signing),
        Rule(("their_keys", "signed"), _check_signing),
        Rule(("key_algorithms", "rsa1_5"), _check_rsa1_5),
    )

    name: str
    paths: tuple[str, ...] = setting("paths", _PATHS, _PATHS_MEANING, default="/v1")
    our_keys: tuple[Jwk, ...] = setting(
        "our_keys",
        _jwks(private=True),
        "The wallet's private keys: the first for `sig` signs, all for `enc` decrypt.",
    )
    their_keys: tuple[Jwk, ...] = setting(
        "their_keys",
        _jwks(private=False),
        "Google's public keys: any for `sig` proves, the first for `enc` is sealed to.",
    )
    signed: bool = setting(
        "signed", FLAG, "False for a bare JWE, where mutual TLS authenticates.", default=True
    )
    rsa1_5: bool = setting("rsa1_5", FLAG, "Lets `RSA1_5` into `key_algorithms`.", default=False)
    key_algorithms: tuple[str, ...] = setting(
        "key_algorithms",
        _algorithms(_KEY_ALGORITHMS),
        "The `alg` of a JWE. The first of each list seals, all open.",
        default=["RSA-OAEP-256", "RSA-OAEP"],
    )
    content_algorithms: tuple[str, ...] = setting(
        "content_algorithms",
        _algorithms(_CONTENT_ALGORITHMS),
        "The `enc` of a JWE.",
        default=["A256GCM", "A128CBC-HS256", "A256CBC-HS512"],
    )
    signature_algorithms: tuple[str, ...] = setting(
        "signature_algorithms",
        _algorithms(_SIGNATURE_ALGORITHMS),
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
class PgpAccount:
    """Hold what was agreed for an account that seals by PGP; keys are RSA, without passphrase.

    :param name: of the deployment's choosing.
    """

    name: str
    paths: tuple[str, ...] = setting("paths", _PATHS, _PATHS_MEANING, default="/v1")
    our_keys: tuple[str, ...] = setting(
        "our_keys",
        Reader(_ARMORED, _parse_armored),
        "The wallet's private keys: all sign, all decrypt.",
        secret=True,
    )
    their_keys: tuple[str, ...] = setting(
        "their_keys",
        Reader(_ARMORED, _parse_armored),
        "Google's public keys: any proves, all are sealed to.",
        secret=True,
    )
    timeout: float = setting(
        "timeout",
        Reader(f"a number of seconds, at most {MAX_TIMEOUT:g}", _parse_timeout, _check_timeout),
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
class PlainAccount:
    """Hold an account for trials, whose bodies are bare JSON.

    :param name: of the deployment's choosing.
    """

    name: str
    paths: tuple[str, ...] = setting("paths", _PATHS, _PATHS_MEANING, default="/v1")

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
