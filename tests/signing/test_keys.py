"""A key that is weak, of another kind or unreadable is refused, and no message repeats it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from flask_otp_mpp.signing.keys import (
    KeyFault,
    LocalSigner,
    load_private_key,
    load_public_key,
    one_line,
    private_pem,
)
from tests.vectors import KEYS, private_key, public_key

GARBAGE = [
    "",
    "no key",
    "QUJDRA==",
    "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----",
    "-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----",
    "/nowhere/at/all.pem",
    "ключ",
    "A" * 300,  # longer than the name of a file can be
    "A" * 2000,
    "a\0b",
]


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def spki(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def test_rsa_below_2048_bits_is_refused(weak_key: rsa.RSAPrivateKey) -> None:
    """G12: and the message says how many bits were found."""
    with pytest.raises(KeyFault, match="1024 bits; use 2048"):
        load_private_key(pem(weak_key))
    with pytest.raises(KeyFault, match="1024 bits; use 2048"):
        load_public_key(spki(weak_key))


def test_a_key_on_a_curve_is_refused(curve_key: ec.EllipticCurvePrivateKey) -> None:
    """G12: RSA256 needs RSA."""
    with pytest.raises(KeyFault, match="not an RSA key"):
        load_private_key(pem(curve_key))
    with pytest.raises(KeyFault, match="not an RSA key"):
        load_public_key(spki(curve_key))


def test_an_encrypted_private_key_is_refused(encrypted_pem: str, encrypted_line: str) -> None:
    """G12: at start-up nobody can type a passphrase."""
    for source in (encrypted_pem, encrypted_line):
        with pytest.raises(KeyFault, match="unencrypted"):
            load_private_key(source)


@pytest.mark.parametrize("source", GARBAGE)
def test_garbage_is_refused_and_not_repeated(source: str) -> None:
    """G12: what was configured may be half a secret, so no message quotes it."""
    for load in (load_private_key, load_public_key):
        with pytest.raises(KeyFault) as caught:
            load(source)
        assert source == "" or source not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("form", list(KEYS["mpp"]))
def test_the_error_for_a_key_of_the_wrong_kind_names_its_kind(form: str) -> None:
    """F2: whatever form it is given in."""
    load, told = (
        (load_public_key, "this is a private key; a public key is needed")
        if form.startswith("private")
        else (load_private_key, "this is a public key; a private key is needed")
    )
    with pytest.raises(KeyFault, match=told):
        load(KEYS["mpp"][form])


def test_a_key_that_comes_from_a_file_is_named_by_the_file(tmp_path: Path) -> None:
    """F2: for each fault that it may have."""
    file = tmp_path / "key.pem"
    faults = {
        KEYS["mpp"]["public_spki_pem"]: "this is a public key",
        "rubbish": "this is neither a file that exists, nor PEM",
        "QUJDRA==": "this does not load as a private key",
        pem(ec.generate_private_key(ec.SECP256R1())): "this is not an RSA key",
    }
    for held, finding in faults.items():
        file.write_text(held)
        with pytest.raises(KeyFault, match=f"^file '{file}': {finding}"):
            load_private_key(f" {file}\n")


@pytest.mark.parametrize("form", ["public_spki_pem", "public_spki_der_b64"])
def test_a_key_may_be_named_by_the_path_of_its_file(tmp_path: Path, form: str) -> None:
    file = tmp_path / "key"
    file.write_text(f"\n{KEYS['mpp'][form]}\n")
    assert load_public_key(str(file)) == public_key("mpp")
    assert load_public_key(f" {file}\n") == public_key("mpp")


def test_a_private_key_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(KEYS["mpp"]["private_pkcs1_pem"])
    assert load_private_key(str(file)).private_numbers() == private_key("mpp").private_numbers()


def test_base64_may_be_wrapped(tmp_path: Path) -> None:
    line = KEYS["mpp"]["public_spki_der_b64"]
    wrapped = "\r\n".join(line[at : at + 64] for at in range(0, len(line), 64))
    assert load_public_key(wrapped) == public_key("mpp")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.der"
    file.write_bytes(base64.b64decode(KEYS["mpp"]["public_spki_der_b64"]))
    with pytest.raises(KeyFault, match=f"file '{file}': this is neither"):
        load_public_key(str(file))


def test_a_file_that_can_not_be_read_is_refused() -> None:
    """F2: by its name, with the kind of error; this one is there, and nothing is at its start."""
    with pytest.raises(KeyFault, match=r"file '/proc/self/mem': it can't be read \(OSError\)"):
        load_public_key("/proc/self/mem")


BEFORE = {
    "bag attributes of openssl pkcs12": "Bag Attributes\n    localKeyID: 54\nKey Attributes: <>\n",
    "a comment in UTF-8": "# Schlüssel für Zoë, 钱包\n",
    "a byte-order mark": "\ufeff",
    "empty lines": "\r\n\r\n",
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.alike(4)
def test_a_key_is_found_behind_what_programs_write_before_it(
    tmp_path: Path, before: str, ending: str
) -> None:
    """G12: RFC 7468, section 2; as a text, and in a file."""
    private = (before + pem(private_key("mpp")) + "after it\n").replace("\n", ending)
    public = (before + spki(private_key("mpp")) + "after it\n").replace("\n", ending)
    for name, text in (("private", private), ("public", public)):
        (tmp_path / name).write_text(text, "utf-8")
    for source in (private, str(tmp_path / "private")):
        assert load_private_key(source).public_key() == public_key("mpp")
    for source in (public, str(tmp_path / "public")):
        assert load_public_key(source) == public_key("mpp")


def test_a_comment_beside_a_key_may_be_in_any_charset(tmp_path: Path) -> None:
    """G12: only what is between the boundaries matters."""
    (tmp_path / "key").write_bytes(
        "für Zoë\n".encode("latin-1") + spki(private_key("mpp")).encode()
    )
    assert load_public_key(str(tmp_path / "key")) == public_key("mpp")


def test_a_byte_order_mark_before_bare_base64_is_no_part_of_it(tmp_path: Path) -> None:
    """G12: editors on Windows write it."""
    line = KEYS["mpp"]["public_spki_der_b64"]
    (tmp_path / "key").write_text(line, "utf-8-sig")
    for source in (str(tmp_path / "key"), f"\ufeff{line}"):
        assert load_public_key(source) == public_key("mpp")


def test_a_private_key_beside_a_certificate_is_found() -> None:
    """G12: as openssl writes both into one file; and no certificate is taken for a key."""
    certificate = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
    assert load_private_key(certificate + pem(private_key("mpp"))).key_size == 2048
    with pytest.raises(KeyFault, match="does not load as a private key"):
        load_private_key(certificate)


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(KeyFault, match="neither a file that exists"):
        load_public_key(str(tmp_path / "a b"))


def test_a_key_by_which_the_wallet_signs_is_long_enough() -> None:
    """G12: wherever the object comes from."""
    short = rsa.generate_private_key(65537, 1024)
    with pytest.raises(KeyFault, match="RSA of 1024 bits; use 2048 bits or more"):
        LocalSigner("1", short)


def test_a_public_key_is_written_as_the_one_line_that_is_uploaded() -> None:
    assert one_line(public_key("mpp")) == KEYS["mpp"]["public_spki_der_b64"]


def test_a_private_key_that_is_written_can_be_loaded_again() -> None:
    text = private_pem(private_key("mpp")).decode()
    assert text.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert load_private_key(text).private_numbers() == private_key("mpp").private_numbers()
