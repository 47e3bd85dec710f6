"""Cases of the keys of JOSE bodies, and of the algorithms that were agreed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import Group, Wire
from flask_otp_mpp.conformance.google.dialect import Means, written
from flask_otp_mpp.conformance.google.jose_forge import UNKNOWN, JoseForge, jwk_of
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(
    Group.KEYS,
    frozenset({Wire.GOOGLE_JOSE}),
    written("Encryption by JOSE; RFC 7515 and RFC 7516"),
)
Make = Callable[[JoseForge, bytes], bytes]


def _refused(make: Make, means: Means, play: GooglePlay) -> None:
    play.offer(partial(make, play.jose), means)


def _signed_by_unknown(header: dict[str, Any], forge: JoseForge, payload: bytes) -> bytes:
    return forge.sealed(forge.signed(payload, key=forge.unknown, header=header))


def _with_its_key(forge: JoseForge, payload: bytes) -> bytes:
    return _signed_by_unknown({"jwk": jwk_of(forge.unknown.public_key())}, forge, payload)


for _name, _what, _make in (
    ("unknown", "a key that nobody knows", partial(_signed_by_unknown, {"kid": UNKNOWN})),
    ("unknown-as-known", "an unknown key under a known kid", partial(_signed_by_unknown, {})),
    ("unknown-without-kid", "an unknown key, no kid", partial(_signed_by_unknown, {"kid": None})),
    ("in-header", "a key that the header carries", _with_its_key),
    (
        "at-url",
        "a key that a URL in the header has",
        partial(_signed_by_unknown, {"jku": "https://keys.invalid/jwks", "kid": UNKNOWN}),
    ),
):
    CASES.add(
        f"keys.{_name}",
        f"A signature by {_what}, is 401 INVALID_PAYLOAD_SIGNATURE",
        "Only the keys that Google has given prove it.",
        users=0,
    )(partial(_refused, _make, Means.SIGNATURE))


def _to_unknown(header: dict[str, Any], forge: JoseForge, payload: bytes) -> bytes:
    return forge.sealed(forge.signed(payload), key=forge.unknown.public_key(), header=header)


for _name, _what, _make in (
    ("not-ours", "to a key that the wallet has not", partial(_to_unknown, {"kid": UNKNOWN})),
    ("not-ours-as-ours", "to another key under the kid of the wallet's", partial(_to_unknown, {})),
    ("not-ours-without-kid", "to another key, without kid", partial(_to_unknown, {"kid": None})),
):
    CASES.add(
        f"keys.{_name}",
        f"A body encrypted {_what}, is 400 INVALID_PAYLOAD_ENCRYPTION",
        "What the wallet can't decrypt is refused.",
        users=0,
    )(partial(_refused, _make, Means.ENCRYPTION))


def _by_alg(forge: JoseForge, name: str, payload: bytes) -> bytes:
    return forge.sealed(forge.signed(payload), alg=name)


def _by_enc(forge: JoseForge, name: str, payload: bytes) -> bytes:
    return forge.sealed(forge.signed(payload), enc=name)


def _by_signature(forge: JoseForge, name: str, payload: bytes) -> bytes:
    return forge.sealed(forge.signed(payload, alg=name))


def _each(
    names: Callable[[JoseForge], tuple[str, ...]],
    make: Callable[[JoseForge, str, bytes], bytes],
    play: GooglePlay,
) -> None:
    for name in names(play.jose):
        play.offer(partial(make, play.jose, name), Means.SUCCESS)


_NAMES: Final[tuple[tuple[str, str, Any, Any], ...]] = (
    ("key-algorithms", "alg of a JWE", lambda forge: forge.wraps, _by_alg),
    ("content-algorithms", "enc of a JWE", lambda forge: forge.encrypts, _by_enc),
    ("signature-algorithms", "alg of a JWS", lambda forge: forge.signs, _by_signature),
)
for _name, _what, _names, _of in _NAMES:
    CASES.add(
        f"keys.{_name}",
        f"Bodies by each agreed {_what} are opened",
        "What was agreed is opened.",
        users=0,
    )(partial(_each, _names, _of))
