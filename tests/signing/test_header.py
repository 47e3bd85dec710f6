"""The Signature header: it is read in one way or refused."""

from __future__ import annotations

import base64
import string
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader

RAW = b"\xfb\xef\xbe\xff" * 14
PLAIN = base64.b64encode(RAW).decode()  # holds + and /, and ends in =
QUOTED = PLAIN.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def header(**parts: str | None) -> str:
    items = {"algorithm": "RSA256", "keyVersion": "1", "signature": QUOTED, **parts}
    return ",".join(f"{name}={value}" for name, value in items.items() if value is not None)


@pytest.mark.parametrize(
    "text",
    [
        header(),
        header().replace(",", ", "),
        header().replace(",", " ,\t"),
        f"  {header()}  ",
        header(algorithm="rsa256"),
        header(algorithm="Rsa256"),
        header().replace("algorithm", "Algorithm").replace("keyVersion", "KEYVERSION"),
        f"signature={QUOTED},keyVersion=1,algorithm=RSA256",
        header(signature=PLAIN),
        header(signature=QUOTED.replace("%2B", "%2b").replace("%3D", "%3d")),
    ],
)
def test_spaces_case_and_order_do_not_matter(text: str) -> None:
    """G3, G6: rsa256 in lower case is RSA256, and %3d is %3D."""
    found = SignatureHeader.parse(text)
    assert found.key_version == "1"
    assert found.signature == RAW


def test_the_header_of_this_module_holds_every_character_that_encoding_changes() -> None:
    assert {"+", "/", "="} <= set(PLAIN)
    assert {"%2B", "%2F", "%3D"} <= {QUOTED[at : at + 3] for at in range(len(QUOTED))}


@pytest.mark.parametrize("text", [header(algorithm=None), f"signature={QUOTED}"])
def test_a_missing_algorithm_means_rsa256(text: str) -> None:
    """G3: the only one that there is."""
    assert SignatureHeader.parse(text).signature == RAW


@pytest.mark.parametrize("more", ["expires=1", "nonce=", "keyId=a", "x=y=z", "=1"])
def test_further_items_are_ignored(more: str) -> None:
    """G5: wherever they stand; they are no part of what is verified."""
    for text in (f"{header()},{more}", f"{more}, {header()}"):
        found = SignatureHeader.parse(text)
        assert (found.key_version, found.signature) == ("1", RAW)


def test_a_missing_key_version_means_the_newest_key() -> None:
    assert SignatureHeader.parse(header(keyVersion=None)).key_version is None


@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "", "HS256", "RSA1", "RS256", "PS256", "RSA-PSS", "RSA512", "SHA256"],
)
def test_only_rsa256_is_accepted(algorithm: str) -> None:
    """G3: an attacker does not choose how a signature is verified."""
    with pytest.raises(Malformed, match="algorithm must be RSA256"):
        SignatureHeader.parse(header(algorithm=algorithm))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "RSA256",
        QUOTED,
        header() + ",",
        header() + ",keyVersion=1",
        header() + ",KeyVersion=2",
        header() + ",algorithm=RSA256",
        f"{header()},{header()}",
        header() + ",expires",
        header().replace("signature", "signatures"),
        header() + ",Signature=" + QUOTED,
        header().replace(",", ";"),
        header().replace("keyVersion=1", "keyVersion"),
    ],
)
def test_an_item_that_is_repeated_or_malformed_is_refused(text: str) -> None:
    """G5: two Signature headers arrive as one, joined by a comma."""
    with pytest.raises(Malformed):
        SignatureHeader.parse(text)


@pytest.mark.parametrize("version", ["", " ", "1 2", "1;2", "é", "v" * 33, "../1", "1%202"])
def test_a_key_version_is_a_short_label(version: str) -> None:
    with pytest.raises(Malformed, match="keyVersion"):
        SignatureHeader.parse(header(keyVersion=version))


@pytest.mark.parametrize("version", ["0", "2", "v" * 32, "2026-01_a.b"])
def test_a_key_version_need_not_be_a_number(version: str) -> None:
    assert SignatureHeader.parse(header(keyVersion=version)).key_version == version


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "testing_signature",
        "%2",
        "%ZZ",
        "A",
        "QQ",
        "QQ=",
        "QR==",  # the same byte as QQ==, in a form that no encoder writes
        "QQ===",
        "QQ====",
        "QQ==QQ==",
        "=QQ=",
        "QUJD=",
        "QUI%20D",
        "QU JD",
        "QUJD%0A",
        "QUJD\tQUJD",
        "-_-_",
        "QUJD%252B",
        "QUJDé",
        "QUJD%00",
    ],
)
def test_base64_has_one_accepted_form(signature: str | None) -> None:
    """G6: white space, the URL-safe alphabet, wrong padding and loose last bits are refused."""
    with pytest.raises(Malformed, match="signature must be"):
        SignatureHeader.parse(header(signature=signature))


@pytest.mark.parametrize("signature", ["QQ==", "QQ%3D%3D", "QQ%3d%3d", "QQ=%3D", "%51%51=="])
def test_percent_encoding_is_decoded_once_in_either_case(signature: str) -> None:
    """G6: upper-case and lower-case digits, and no encoding at all, are read alike."""
    assert SignatureHeader.parse(header(signature=signature)).signature == b"A"


@given(st.text(string.ascii_letters + string.digits + "+/=-_%2BbFf3Dd \n", max_size=24))
def test_accepted_base64_is_the_canonical_form_of_its_bytes(text: str) -> None:
    """G6: a signature has no second form, except for percent-encoding."""
    try:
        found = SignatureHeader.parse(header(signature=text))
    except Malformed:
        return
    assert base64.b64encode(found.signature) == unquote_to_bytes(text.strip())


@given(st.binary(min_size=1, max_size=300))
def test_every_signature_that_is_written_canonically_is_read(signature: bytes) -> None:
    """G6: strictness refuses nothing that a caller writes as documented."""
    text = base64.b64encode(signature).decode()
    quoted = text.replace("+", "%2b").replace("/", "%2f").replace("=", "%3d")
    for spelling in (text, quoted):
        assert SignatureHeader.parse(header(signature=spelling)).signature == signature


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_any_header_is_read_or_refused_as_malformed(text: str) -> None:
    try:
        found = SignatureHeader.parse(text)
    except Malformed:
        return
    assert found.signature


def test_a_repr_does_not_hold_the_signature() -> None:
    """P1: no credential is printed."""
    assert "signature=" not in repr(SignatureHeader.parse(header()))
