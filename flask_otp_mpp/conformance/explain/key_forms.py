"""Read a public key that may have been given in a wrong form, and say in which one.

A key is never part of a message, a private one least of all.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.conformance.explain.base import Mistake
from flask_otp_mpp.core import secret_files
from flask_otp_mpp.signing.keys import KeyFault, check_size, load_private_key, public_key_of_text

_GIVE: Final = (
    "Give the SubjectPublicKeyInfo, as PEM (BEGIN PUBLIC KEY) or as one line of its base64"
)
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_PKCS1: Final = re.compile(rb"\x30\x82..\x02", re.DOTALL)
"""A SEQUENCE that begins with an INTEGER, the modulus; in SubjectPublicKeyInfo it is a SEQUENCE."""


@dataclass(frozen=True, slots=True)
class FormMistake(Mistake):
    """A wrong form of a key.

    :param step: returns the text in the right form, or unchanged if it is not in this wrong one.
    """

    step: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class GivenKey:
    """A public key, and what is wrong with the form in which it was given."""

    key: rsa.RSAPublicKey
    mistakes: tuple[Mistake, ...] = ()


def read_key(source: str) -> GivenKey:
    """Read a public key in whatever form it is given.

    :param source: a text, or the path of a file, with or without ``file:`` before it.
    :raises KeyFault: if no RSA key of 2048 bits or more is found in it.
    """
    text = _text_of(source.strip())
    fault: KeyFault | None = None
    for found, mistakes in _forms(text, ()):
        private = _private_of(found)
        if private is not None:
            return GivenKey(private, (*mistakes, PRIVATE))
        if (key := _certified(found)) is not None:
            check_size(key.key_size)
            return GivenKey(key, (*mistakes, CERTIFICATE))
        try:
            key = public_key_of_text(found)
        except KeyFault as error:
            fault = fault or error
        else:
            return GivenKey(key, (*mistakes, *([PKCS1] if _is_pkcs1(found) else [])))
    if "PRIVATE KEY-----" in text:
        raise KeyFault("this is a private key, and encrypted; a public key is needed, give that")
    raise fault or KeyFault(f"this is no public key. {_GIVE}")


def _forms(
    text: str, mistakes: tuple[FormMistake, ...]
) -> Iterator[tuple[str, tuple[Mistake, ...]]]:
    """Yield a text in the form that it is given in, and then with its faults mended."""
    yield text, mistakes
    for step in FORMS:
        stepped = step.step(text)
        if stepped != text:
            text, mistakes = stepped, (*mistakes, step)
            yield text, mistakes


def _text_of(source: str) -> str:
    """Return a text, or what the file that it names holds; DER as base64."""
    if "\n" in source or len(source) > 1024:
        return source
    path = Path(source.removeprefix(secret_files.PREFIX))
    try:
        if not path.is_file():
            if source.startswith(secret_files.PREFIX) or len(source) < 200:
                raise KeyFault("this is no key, and no file of that name exists")
            return source
        data = path.read_bytes()[: secret_files.MAX_CHARACTERS]
    except OSError:
        return source
    if data[:1] == b"\x30" and not data.isascii():
        return base64.b64encode(data).decode()
    return data.decode("utf-8-sig", "replace").strip()


def _private_of(text: str) -> rsa.RSAPublicKey | None:
    """Return the public half of a private key; None if the text is none."""
    if "\n" not in text and len(text) < 200:  # a path, which was read already
        return None
    try:
        return load_private_key(text).public_key()
    except KeyFault:
        return None


def _certified(text: str) -> rsa.RSAPublicKey | None:
    """Return the key of a certificate; None if the text is none."""
    try:
        if "-----BEGIN CERTIFICATE" in text:
            key = x509.load_pem_x509_certificate(text.encode()).public_key()
        else:
            data = base64.b64decode("".join(text.split()), validate=True)
            key = x509.load_der_x509_certificate(data).public_key()
    except (ValueError, binascii.Error, UnicodeError):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def _is_pkcs1(text: str) -> bool:
    if found := _BLOCK.search(text):
        return found[1] == "RSA PUBLIC KEY"
    return _PKCS1.match(base64.b64decode("".join(text.split()))) is not None


def _lines(text: str) -> str:
    return text.replace("\\r", "").replace("\\n", "\n") if "\\n" in text else text


def _unquoted(text: str) -> str:
    return text.strip("\"' \n,;")


def _labelled(text: str) -> str:
    """Return the content of PEM alone, if its label says something else than what it holds."""
    found = _BLOCK.search(text)
    return text if found is None else "".join(found[2].split())


def _standard(text: str) -> str:
    if "-----" in text:
        return text
    mended = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    mended += "=" * (-len(mended) % 4)
    return text if mended == "".join(text.split()) else mended


def _from_hex(text: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(text.replace(":", ""))).decode()
    except ValueError:
        return text


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("ascii").strip()
    except (ValueError, binascii.Error):
        return text


FORMS: Final = (
    FormMistake(
        "key-quotes",
        "there are quotation marks around the key",
        "the key as it is in a settings file",
        f"{_GIVE}, without marks around it.",
        _unquoted,
    ),
    FormMistake(
        "key-literal-n",
        "the line ends of the key are the two characters `\\n`",
        "PEM as it is in JSON or in an environment variable",
        f"{_GIVE}, with line ends.",
        _lines,
    ),
    FormMistake(
        "key-label",
        "the label of the PEM is not that of what it holds",
        "BEGIN PUBLIC KEY around PKCS#1, or the other way round",
        f"{_GIVE}; convert the key, do not rename it.",
        _labelled,
    ),
    FormMistake(
        "key-base64url",
        "the key is base64url, or its padding is missing",
        "`-` and `_` for `+` and `/`",
        f"{_GIVE}.",
        _standard,
    ),
    FormMistake(
        "key-hex", "the key is written in hex", "hex in place of base64", f"{_GIVE}.", _from_hex
    ),
    FormMistake(
        "key-base64-twice",
        "the key is in base64 twice",
        "base64 of PEM",
        f"{_GIVE}.",
        _from_base64,
    ),
)
PKCS1: Final = Mistake(
    "key-pkcs1",
    "the key is in PKCS#1",
    "BEGIN RSA PUBLIC KEY, or its base64, in place of SubjectPublicKeyInfo",
    f"{_GIVE}: openssl rsa -RSAPublicKey_in -in KEY -pubout",
)
CERTIFICATE: Final = Mistake(
    "key-certificate",
    "a certificate was given for the key",
    "BEGIN CERTIFICATE",
    f"{_GIVE}: openssl x509 -in CERTIFICATE -noout -pubkey",
)
PRIVATE: Final = Mistake(
    "key-private",
    "a private key was given for the public one",
    "the half that must stay with its owner",
    "If it has left its owner, it must be replaced: make a new pair (flask otp-mpp keygen), and "
    "give the public half only (flask otp-mpp pubkey).",
)
FORM_MISTAKES: Final = (*FORMS, PKCS1, CERTIFICATE, PRIVATE)
