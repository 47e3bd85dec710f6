"""Cases of the forms of JOSE bodies: what is a JWE compact around a JWS, and what is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import Group, Severity, Wire
from flask_otp_mpp.conformance.google.dialect import Means, written
from flask_otp_mpp.conformance.google.jose_forge import JoseForge, deflated, replaced
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(
    Group.SIGNATURE,
    frozenset({Wire.GOOGLE_JOSE}),
    written(
        "Encryption by JOSE; RFC 7515 and RFC 7516",
        "Which code of refusal it is depends on the order of the checks.",
    ),
)
Make = Callable[[JoseForge, bytes], bytes]
_UNPROVEN: Final = (Means.ENCRYPTION, Means.SIGNATURE, Means.TOO_LONG)
_LONG: Final = 4 << 20


def _refused(make: Make, means: tuple[Means, ...], play: GooglePlay) -> None:
    play.offer(partial(make, play.jose), *means)


def _opened(make: Make, play: GooglePlay) -> None:
    play.offer(partial(make, play.jose), Means.SUCCESS)


def _direct(forge: JoseForge, payload: bytes) -> bytes:
    return replaced(forge.sealed(payload, header={"alg": "dir"}), 1, b"")


def _bomb(forge: JoseForge, payload: bytes) -> bytes:
    """Return some kilobytes that are megabytes when they are inflated, and right otherwise."""
    return forge.sealed(deflated(forge.signed(payload + b" " * _LONG)), header={"zip": "DEF"})


for _name, _what, _make in (
    ("bare-json", "bare JSON", lambda forge, payload: payload),
    ("jws-only", "a JWS that is not encrypted", lambda forge, payload: forge.signed(payload)),
    ("empty", "empty", lambda forge, payload: b""),
    ("words", "no JWE at all", lambda forge, payload: b"a.b.c.d.e"),
    ("dir", "a JWE by alg dir", _direct),
    ("six-parts", "a JWE with a sixth part", lambda forge, payload: forge.good(payload) + b".AA"),
    (
        "four-parts",
        "a JWE without its tag",
        lambda forge, payload: forge.good(payload).rpartition(b".")[0],
    ),
    (
        "jwe-crit",
        "a JWE with an extension in crit that nobody knows",
        lambda forge, payload: forge.sealed(
            forge.signed(payload), header={"crit": ["conformance"], "conformance": True}
        ),
    ),
    (
        "zip-unknown",
        "a JWE with an unknown zip",
        lambda forge, payload: forge.sealed(forge.signed(payload), header={"zip": "GZ"}),
    ),
    (
        "zip-broken",
        "a JWE whose content is not deflated as zip says",
        lambda forge, payload: forge.sealed(forge.signed(payload), header={"zip": "DEF"}),
    ),
):
    CASES.add(
        f"envelope.{_name}",
        f"A body that is {_what} is refused as not proven",
        "What is not a JWE compact around a JWS is answered by an error, or without a body.",
        users=0,
    )(partial(_refused, _make, _UNPROVEN))


def _padded(forge: JoseForge, payload: bytes) -> bytes:
    return forge.good(payload) + b"=="  # the tag has 16 bytes


def _of_another_alphabet(forge: JoseForge, payload: bytes) -> bytes:
    """Write the encrypted key and what follows in base64 with + and /."""
    head, _, rest = forge.good(payload).partition(b".")
    return head + b"." + rest.translate(bytes.maketrans(b"-_", b"+/"))


for _name, _what, _make in (
    ("padded", "with padding", _padded),
    ("base64-alphabet", "with + and / in place of - and _", _of_another_alphabet),
):
    CASES.add(
        f"envelope.{_name}",
        f"A JWE {_what} is refused as not proven",
        "The parts of a JWE are base64url without padding (RFC 7515, section 2).",
        severity=Severity.RECOMMENDED,
        users=0,
    )(partial(_refused, _make, _UNPROVEN))


CASES.add(
    "envelope.zip-bomb",
    "A body of some kilobytes that inflates to megabytes is refused",
    "What is inflated has a limit.",
    source=written("none", "No message of Google's takes more than some kilobytes."),
    severity=Severity.RECOMMENDED,
    users=0,
)(partial(_refused, _bomb, _UNPROVEN))


def _spaced(header: dict[str, str]) -> bytes:
    return json.dumps(header, indent=1, separators=(" , ", " : ")).encode() + b"\n"


def _with_spaces(forge: JoseForge, payload: bytes) -> bytes:
    outer = {"alg": forge.wraps[0], "enc": forge.encrypts[0], "kid": forge.recipient.kid}
    inner = {"alg": forge.signs[0], "kid": forge.signer.kid}
    return forge.sealed(forge.signed(payload, header=_spaced(inner)), header=_spaced(outer))


def _with_more_members(forge: JoseForge, payload: bytes) -> bytes:
    jws = forge.signed(payload, header={"typ": "JOSE", "iat": 1502545413})
    return forge.sealed(jws, header={"cty": "JWT", "iat": "1502545413098"})


def _deflated(forge: JoseForge, payload: bytes) -> bytes:
    return forge.sealed(deflated(forge.signed(payload)), header={"zip": "DEF"})


for _name, _what, _make, _severity in (
    ("good", "made by hand of all that is usual", JoseForge.good, Severity.REQUIRED),
    ("white-space", "with white space in its headers", _with_spaces, Severity.REQUIRED),
    ("more-members", "with unknown members in its headers", _with_more_members, Severity.REQUIRED),
    ("zip-def", "with a compressed JWS (zip: DEF)", _deflated, Severity.RECOMMENDED),
):
    CASES.add(
        f"envelope.{_name}",
        f"A body {_what} is opened",
        "What the RFCs allow, the libraries of a caller may write.",
        severity=_severity,
        users=0,
    )(partial(_opened, _make))
