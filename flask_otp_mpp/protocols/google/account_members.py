"""Readers of the members of an account: keys, algorithms, paths, errors and phone numbers."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from flask_otp_mpp.core.readers import Reader, describe, one_of, path, texts
from flask_otp_mpp.core.secret_files import PREFIX, read_text
from flask_otp_mpp.protocols.google.jose.jwk import Jwk, pick, read_sets
from flask_otp_mpp.signing.keys import KeyFault

MAX_TIMEOUT: Final = 30.0
RSA1_5: Final = "RSA1_5"
_ARMOR: Final = "-----BEGIN PGP "
_JWKS: Final = "JWKs or JWK sets: JSON texts, mappings or files' paths, one or a list"


class Errors(StrEnum):
    """Say what an error is answered with that has no code, or whose caller is not proven."""

    EMPTY = "empty"
    SEALED = "sealed"


class Phones(StrEnum):
    """Say which phone numbers the host is asked for."""

    CHECKED = "checked"
    HOST = "host"


def jwks(*, private: bool) -> Reader[tuple[Jwk, ...]]:
    """Return a reader of JWKs, one of which is for encryption."""

    def parse(raw: object) -> tuple[Jwk, ...]:
        keys = read_sets(raw, private=private)
        pick(keys, "enc")
        return keys

    return Reader(_JWKS, parse)


def algorithms(*known: str) -> Reader[tuple[str, ...]]:
    """Return a reader of a list of these names."""
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


ARMORED: Final = Reader("armored PGP keys: texts or files' paths, one or a list", _parse_armored)
TIMEOUT: Final = Reader(
    f"a number of seconds, at most {MAX_TIMEOUT:g}", _parse_timeout, _check_timeout
)
PATHS: Final = Reader(
    "a URL path, or a list of them", lambda raw: tuple(path(one) for one in texts(raw))
)
ERRORS: Final = one_of(Errors)
PHONES: Final = one_of(Phones)
