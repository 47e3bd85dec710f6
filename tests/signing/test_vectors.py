"""The official SDK and this package agree on every signature, byte for byte."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest

from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner, load_private_key, load_public_key
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader
from tests.vectors import KEYS, VECTORS, Vector, private_key, public_key, vector

# Decisions of the package where the documents leave a question open.
BY_CHOICE = {"enc_raw_base64_plus": True}
# The header of these was not made by signing with the named key as RSA256 wants it.
FORGED = {"bad_sha1_signature", "bad_testing_signature"}
PRIVATE_FORMS = (
    "private_pkcs1_pem",
    "private_pkcs8_pem",
    "private_pkcs1_der_b64",
    "private_pkcs8_der_b64",
)
PUBLIC_FORMS = ("public_spki_pem", "public_spki_der_b64")


def decide(found: Vector) -> bool:
    """Decide as a verifier does, who sees only the presented bytes."""
    try:
        header = SignatureHeader.parse(found.header)
    except Malformed:
        return False
    data = rsa256.canonical(found.seen_method, found.uri, found.client, found.time, found.seen_body)
    return rsa256.holds(public_key(found.verifier), header.signature, data)


@pytest.mark.parametrize("found", VECTORS, ids=lambda found: found.name)
def test_every_published_message_is_decided_as_published(found: Vector) -> None:
    """G2, G3: a changed body or method, another key, SHA-1 and a test literal are refused."""
    expected = BY_CHOICE[found.name] if found.expected is None else found.expected
    assert decide(found) is expected


def test_the_vectors_hold_messages_of_both_decisions() -> None:
    decided = [found.expected for found in VECTORS]
    assert len(decided) == 23
    assert decided.count(True) == 15
    assert decided.count(False) == 7
    assert {found.name for found in VECTORS if found.expected is None} == set(BY_CHOICE)


@pytest.mark.parametrize("found", VECTORS, ids=lambda found: found.name)
def test_the_string_to_sign_is_the_published_one(found: Vector) -> None:
    data = rsa256.canonical(found.method, found.uri, found.client, found.time, found.body)
    assert data == found.string_to_sign


@pytest.mark.parametrize(
    "found", [v for v in VECTORS if v.name not in FORGED], ids=lambda found: found.name
)
def test_every_published_signature_is_reproduced_byte_for_byte(found: Vector) -> None:
    version = SignatureHeader.parse(found.header).key_version or ""
    signer = LocalSigner(version, private_key(found.signer))
    header = rsa256.signature_header(signer, found.string_to_sign)
    wanted = found.urlencoded
    if found.name == "enc_raw_base64_plus":  # its writer does not percent-encode
        wanted = vector("enc_standard").urlencoded
    assert header == f"algorithm=RSA256,keyVersion={version},signature={wanted}"


@pytest.mark.parametrize("name", list(KEYS))
@pytest.mark.parametrize("form", PRIVATE_FORMS)
@pytest.mark.alike(4)
def test_a_private_key_signs_the_same_in_each_format(name: str, form: str) -> None:
    key = load_private_key(KEYS[name][form])
    data = b"POST /\nclient.time.{}"
    assert LocalSigner("1", key).sign(data) == LocalSigner("1", private_key(name)).sign(data)


@pytest.mark.parametrize("name", list(KEYS))
@pytest.mark.parametrize("form", PUBLIC_FORMS)
def test_a_public_key_verifies_the_same_in_each_format(name: str, form: str) -> None:
    found = vector("rsp_sendOTP_success")
    signature = SignatureHeader.parse(found.header).signature
    key = load_public_key(KEYS[name][form])
    assert rsa256.holds(key, signature, found.string_to_sign) is (name == found.signer)


def test_a_plus_sign_in_plain_base64_stays_a_plus_sign() -> None:
    """G6: it is not a space."""
    bare = vector("enc_raw_base64_plus")
    assert "+" in bare.header
    assert SignatureHeader.parse(bare.header) == SignatureHeader.parse(
        vector("enc_standard").header
    )
    assert b"+" in unquote_to_bytes(bare.header.partition("signature=")[2])
