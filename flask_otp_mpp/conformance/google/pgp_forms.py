"""Cases of the forms of OpenPGP bodies: what is base64url of a message, and what is not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import Group, Severity, Wire
from flask_otp_mpp.conformance.google.dialect import Means, written
from flask_otp_mpp.conformance.google.pgp_forge import (
    PgpForge,
    body_of,
)
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(
    Group.SIGNATURE,
    frozenset({Wire.GOOGLE_PGP}),
    written("Encryption by PGP; RFC 4880", "Which code of refusal it is depends on the checks."),
)
Make = Callable[[PgpForge, bytes], bytes]
_UNPROVEN: Final = (Means.ENCRYPTION, Means.SIGNATURE, Means.TOO_LONG)
_LONG: Final = 4 << 20


def _refused(make: Make, means: tuple[Means, ...], play: GooglePlay) -> None:
    play.offer(lambda payload: body_of(make(play.pgp, payload)), *means)


def _opened(make: Make, play: GooglePlay) -> None:
    play.offer(lambda payload: body_of(make(play.pgp, payload)), Means.SUCCESS)


def _beside(forge: PgpForge, payload: bytes) -> bytes:
    """Put a message in clear text before one that is right."""
    return forge.message(payload, "--store", "--compress-algo", "none") + forge.good(payload)


def _symmetric(forge: PgpForge, payload: bytes) -> bytes:
    return forge.message(payload, "--passphrase", "conformance", "--symmetric", *forge.signs())


def _bomb(forge: PgpForge, payload: bytes) -> bytes:
    """Return some kilobytes that are megabytes when they are inflated, and right otherwise."""
    return forge.good(payload + b" " * _LONG, "--compress-algo", "zlib")


for _name, _what, _make, _severity in (
    (
        "signed-only",
        "signed and not encrypted",
        lambda forge, text: forge.message(text, *forge.signs()),
        Severity.REQUIRED,
    ),
    (
        "clear-signed",
        "a text with a signature below it",
        lambda forge, text: forge.message(text, "--clearsign", *forge.signs()[1:]),
        Severity.REQUIRED,
    ),
    ("symmetric", "encrypted by a passphrase", _symmetric, Severity.REQUIRED),
    ("text-beside", "two messages, the first in clear text", _beside, Severity.REQUIRED),
    (
        "twice",
        "two right messages",
        lambda forge, text: 2 * forge.good(text),
        Severity.RECOMMENDED,
    ),
    ("bomb", "some kilobytes that inflate to megabytes", _bomb, Severity.RECOMMENDED),
):
    CASES.add(
        f"envelope.{_name}",
        f"A body that is {_what} is refused as not proven",
        "What is not one signed and encrypted message is an error, or answered without a body.",
        severity=_severity,
        users=0,
    )(partial(_refused, _make, _UNPROVEN))


def _bare(make: Make, play: GooglePlay) -> None:
    play.offer(partial(make, play.pgp), *_UNPROVEN)


for _name, _what, _make in (
    ("empty", "empty", lambda forge, text: b""),
    ("bare-json", "bare JSON", lambda forge, text: text),
    ("words", "base64url of words", lambda forge, text: body_of(b"no message at all")),
    ("binary", "a message that is not base64url", lambda forge, text: forge.good(text)),
    (
        "base64-alphabet",
        "base64 with + and /",
        lambda forge, text: base64.b64encode(forge.good(text)),
    ),
):
    CASES.add(
        f"envelope.{_name}",
        f"A body that is {_what} is refused as not proven",
        "What is not base64url of a message is an error, or answered without a body.",
        severity=(Severity.RECOMMENDED if _name == "base64-alphabet" else Severity.REQUIRED),
        users=0,
    )(partial(_bare, _make))


def _padded(wanted: bool, play: GooglePlay) -> None:  # noqa: FBT001 - a value of a table
    def make(payload: bytes) -> bytes:
        body = b""
        while not body.endswith(b"="):
            payload += b" "
            body = body_of(play.pgp.good(payload, "--compress-algo", "none"))
        return body if wanted else body.rstrip(b"=")

    play.offer(make, Means.SUCCESS)


for _name, _what, _wanted in (("padded", "with", True), ("unpadded", "without", False)):
    CASES.add(
        f"envelope.{_name}",
        f"base64url {_what} padding is opened",
        "A body may be padded or not.",
        users=0,
    )(partial(_padded, _wanted))


def _hashed(name: str, forge: PgpForge, payload: bytes) -> bytes:
    return forge.good(payload, "--digest-algo", name)


def _compressed(name: str, forge: PgpForge, payload: bytes) -> bytes:
    return forge.good(payload, "--compress-algo", name)


for _name, _what, _make in (
    ("good", "as usual", lambda forge, text: forge.good(text)),
    ("armored", "in ASCII armor", lambda forge, text: forge.good(text, "--armor")),
    ("uncompressed", "not compressed", partial(_compressed, "none")),
    ("zip", "compressed by ZIP", partial(_compressed, "zip")),
    ("zlib", "compressed by ZLIB", partial(_compressed, "zlib")),
    ("bzip2", "compressed by BZip2", partial(_compressed, "bzip2")),
    ("sha256", "signed over SHA256", partial(_hashed, "SHA256")),
    ("sha512", "signed over SHA512", partial(_hashed, "SHA512")),
    ("aes128", "encrypted by AES128", lambda forge, text: forge.good(text, "--cipher-algo", "AES")),
):
    CASES.add(
        f"envelope.{_name}",
        f"A message {_what} is opened",
        "What OpenPGP allows and is strong, a caller's program may write.",
        severity=Severity.REQUIRED if _name in ("good", "armored") else Severity.RECOMMENDED,
        users=0,
    )(partial(_opened, _make))
