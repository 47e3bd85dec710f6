"""Cases of OpenPGP bodies that were changed, and of their signatures, ciphers and keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import Group, Skipped, Wire
from flask_otp_mpp.conformance.google.answer import payload_of
from flask_otp_mpp.conformance.google.dialect import Api, Means, written
from flask_otp_mpp.conformance.google.pgp_forge import (
    NO_INTEGRITY,
    PgpForge,
    body_of,
    data_at,
    tag_at,
)
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

_DOCUMENT: Final = written("Encryption by PGP; RFC 4880")
CASES: Final = GoogleCases(Group.SIGNATURE, frozenset({Wire.GOOGLE_PGP}), _DOCUMENT)
KEYS: Final = GoogleCases(Group.KEYS, frozenset({Wire.GOOGLE_PGP}), _DOCUMENT)
Make = Callable[[PgpForge, bytes], bytes]
_DAY: Final = 86400


def _refused(make: Make, means: tuple[Means, ...], play: GooglePlay) -> None:
    play.offer(lambda payload: body_of(make(play.pgp, payload)), *means)


def _opened(make: Make, play: GooglePlay) -> None:
    play.offer(lambda payload: body_of(make(play.pgp, payload)), Means.SUCCESS)


def _flipped(place: Callable[[bytes], int], forge: PgpForge, payload: bytes) -> bytes:
    message = forge.good(payload)
    at = place(message)
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]


for _name, _what, _make in (
    ("session-key", "one bit changed in the session key", partial(_flipped, lambda _: 100)),
    (
        "data-begin",
        "one bit changed where its data begins",
        partial(_flipped, lambda message: data_at(message) + 12),
    ),
    (
        "data-middle",
        "one bit changed in the middle of its data",
        partial(_flipped, lambda message: (data_at(message) + len(message)) // 2),
    ),
    ("data-end", "one bit changed at its end", partial(_flipped, lambda message: len(message) - 1)),
    ("cut", "its end cut off", lambda forge, payload: forge.good(payload)[:-40]),
):
    CASES.add(
        f"signature.{_name}",
        f"A message with {_what} is 400 INVALID_PAYLOAD_ENCRYPTION",
        "A body that was changed does not open.",
        users=0,
    )(partial(_refused, _make, (Means.ENCRYPTION,)))


def _hashed(name: str, forge: PgpForge, payload: bytes) -> bytes:
    return forge.good(payload, "--digest-algo", name)


def _expired(forge: PgpForge, payload: bytes) -> bytes:
    past = str(int(time.time()) - 2 * _DAY)
    return forge.good(payload, "--faked-system-time", past, "--default-sig-expire", "1d")


for _name, _what, _make in (
    ("unsigned", "is not signed", lambda forge, text: forge.message(text, *forge.encrypts())),
    (
        "unknown-signer",
        "an unknown key has signed",
        lambda forge, text: forge.message(text, *forge.encrypts(), *forge.signs(forge.unknown)),
    ),
    (
        "before-json",
        "is not signed and holds no JSON",
        lambda forge, text: forge.message(b"no JSON", *forge.encrypts()),
    ),
    ("sha1", "has a signature over SHA1", partial(_hashed, "SHA1")),
    ("sha224", "has a signature over SHA224", partial(_hashed, "SHA224")),
    ("signature-expired", "has a signature that has expired", _expired),
):
    CASES.add(
        f"signature.{_name}",
        f"A message that {_what} is 401 INVALID_PAYLOAD_SIGNATURE",
        "Only a good signature of an active key, over a strong hash, proves the caller.",
        users=0,
    )(partial(_refused, _make, (Means.SIGNATURE,)))


def _without_integrity(forge: PgpForge, payload: bytes) -> bytes:
    message = forge.good(payload, "--rfc2440", "--disable-mdc", "--cipher-algo", "AES256")
    if tag_at(message, data_at(message)) != NO_INTEGRITY:
        raise Skipped("this version of gpg does not leave out the integrity protection")
    return message


for _name, _what, _make in (
    (
        "encrypted-to-another",
        "is encrypted to another key",
        lambda forge, text: forge.message(text, *forge.encrypts(forge.unknown), *forge.signs()),
    ),
    ("no-integrity", "has no integrity protection (MDC)", _without_integrity),
    (
        "cipher-3des",
        "is encrypted by 3DES",
        lambda forge, text: forge.good(text, "--cipher-algo", "3DES"),
    ),
):
    CASES.add(
        f"signature.{_name}",
        f"A message that {_what} is 400 INVALID_PAYLOAD_ENCRYPTION",
        "Only what is encrypted to the wallet, by AES and with integrity protection, opens.",
        users=0,
    )(partial(_refused, _make, (Means.ENCRYPTION,)))


for _name, _what, _make in (
    (
        "good-signature-first",
        "a good signature and one of an unknown key",
        lambda forge, text: forge.message(
            text, *forge.encrypts(), *forge.signs(forge.signer, forge.unknown)
        ),
    ),
    (
        "good-signature-last",
        "a signature of an unknown key and a good one",
        lambda forge, text: forge.message(
            text, *forge.encrypts(), *forge.signs(forge.unknown, forge.signer)
        ),
    ),
    (
        "two-recipients",
        "a second recipient that the wallet does not know",
        lambda forge, text: forge.message(
            text, *forge.encrypts(forge.unknown, forge.recipient), *forge.signs()
        ),
    ),
):
    KEYS.add(
        f"keys.{_name}",
        f"A message with {_what} is opened",
        "While keys are replaced, there are several; one good signature is enough.",
        users=0,
    )(partial(_opened, _make))


@CASES.add(
    "signature.no-oracle",
    "All messages that can't be decrypted are answered alike",
    "An answer does not tell why a body can't be decrypted.",
    source=written("none", "Who sees the cause can decrypt by trial."),
    users=0,
)
def no_oracle(play: GooglePlay) -> None:
    """Send messages that are broken in different places."""
    payload = payload_of(play.message(Api.ECHO))
    answers = set()
    for place in (lambda _: 100, lambda good: data_at(good) + 12, lambda good: len(good) - 1):
        body = body_of(_flipped(place, play.pgp, payload))
        answer = play.deliver(play.posted(Api.ECHO, body), payload)
        description = answer.json.get("errorDescription", "")
        answers.add((answer.response.status, answer.code, description))
    play.check(len(answers) == 1, f"{len(answers)} different answers were given")
