"""A public key is read in the forms in which people give it, and a wrong form is named."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from flask_otp_mpp.conformance.explain import read_key
from flask_otp_mpp.conformance.explain.key_forms import FORM_MISTAKES
from flask_otp_mpp.signing import KeyFault, one_line
from tests.vectors import KEYS, private_key, public_key

KEY = public_key("alipayplus")
SPKI = KEYS["alipayplus"]["public_spki_pem"]
LINE = one_line(KEY)


def written(encoding: serialization.Encoding, form: serialization.PublicFormat) -> bytes:
    return KEY.public_bytes(encoding, form)


PKCS1_PEM = written(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()
PKCS1_LINE = base64.b64encode(
    written(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
).decode()


@cache
def certificate() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "caller.example")])
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, KEY, 1, begin, begin + timedelta(days=1))
    return builder.sign(private_key("alipayplus"), hashes.SHA256())


def der_of_certificate() -> str:
    return base64.b64encode(certificate().public_bytes(serialization.Encoding.DER)).decode()


RIGHT = [
    SPKI,
    SPKI.replace("\n", " "),
    SPKI.replace("\n", "\r\n"),
    f"  {LINE}\n",
    SPKI.replace("-----\n", "-----\n\n", 1),
]
WRONG = {
    "PKCS#1, PEM": (PKCS1_PEM, ["key-pkcs1"]),
    "PKCS#1, base64": (PKCS1_LINE, ["key-pkcs1"]),
    "certificate, PEM": (
        certificate().public_bytes(serialization.Encoding.PEM).decode(),
        ["key-certificate"],
    ),
    "certificate, base64": (der_of_certificate(), ["key-certificate"]),
    "private, PKCS#8": (KEYS["alipayplus"]["private_pkcs8_pem"], ["key-private"]),
    "private, PKCS#1": (KEYS["alipayplus"]["private_pkcs1_pem"], ["key-private"]),
    "private, base64": (KEYS["alipayplus"]["private_pkcs8_der_b64"], ["key-private"]),
    "quotes": (f'"{LINE}"', ["key-quotes"]),
    "literal n": (SPKI.strip().replace("\n", "\\n"), ["key-literal-n"]),
    "base64url": (LINE.replace("+", "-").replace("/", "_"), ["key-base64url"]),
    "hex": (base64.b64decode(LINE).hex(), ["key-hex"]),
    "base64 twice": (base64.b64encode(LINE.encode()).decode(), ["key-base64-twice"]),
    "another label": (
        PKCS1_PEM.replace("RSA PUBLIC", "EC PUBLIC"),
        ["key-label", "key-pkcs1"],
    ),
}


@pytest.mark.parametrize("text", RIGHT, ids=["PEM", "one line", "CR LF", "base64", "an empty line"])
def test_a_key_in_the_right_form_has_no_mistake(text: str) -> None:
    given = read_key(text)
    assert (given.key, given.mistakes) == (KEY, ())


@pytest.mark.parametrize(("text", "mistakes"), WRONG.values(), ids=WRONG)
def test_a_key_in_a_wrong_form_is_read_and_the_form_is_named(
    text: str, mistakes: list[str], tmp_path: Path
) -> None:
    """The same from a file."""
    path = tmp_path / "key"
    path.write_text(text)
    for source in (text, str(path), f"file:{path}"):
        given = read_key(source)
        assert given.key == KEY
        assert [one.id for one in given.mistakes] == mistakes


def test_each_form_of_the_table_is_seeded() -> None:
    seeded = {id_ for _, mistakes in WRONG.values() for id_ in mistakes}
    assert seeded == {one.id for one in FORM_MISTAKES}


def test_a_key_in_der_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key.der"
    path.write_bytes(base64.b64decode(LINE))
    assert read_key(str(path)).mistakes == ()
    path.write_bytes(certificate().public_bytes(serialization.Encoding.DER))
    assert [one.id for one in read_key(str(path)).mistakes] == ["key-certificate"]


def test_what_is_no_key_is_refused_without_being_repeated(tmp_path: Path) -> None:
    """G12: a part of a private key, an encrypted one, a small one, another kind of key."""
    small = rsa.generate_private_key(65537, 1024)
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    encrypted = private_key("mpp").private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a passphrase"),
    )
    spki = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = KEYS["mpp"]["private_pkcs8_der_b64"]
    cases = {
        private[:120]: "no file of that name exists",
        private[:400]: "does not load as a public key",
        encrypted.decode(): "this is a private key, and encrypted",
        small.public_key().public_bytes(*spki).decode(): "RSA of 1024 bits",
        curve.public_bytes(*spki).decode(): "not an RSA key",
        f"file:{tmp_path}/none": "no file of that name exists",
    }
    for text, reason in cases.items():
        with pytest.raises(KeyFault, match=reason) as refused:
            read_key(text)
        assert text[27:60] not in str(refused.value)
