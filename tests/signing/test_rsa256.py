"""RSA256 is the only algorithm, and no bit of the signed bytes can change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner
from flask_otp_mpp.signing.rsa256 import SignatureHeader
from tests.vectors import private_key, public_key, vector

KEY = public_key("alipayplus")
REQUEST = vector("req_verifyOTP_doc_sample")
SIGNATURE = SignatureHeader.parse(REQUEST.header).signature


def flips(data: bytes) -> Iterator[bytes]:
    """Yield every value that differs from the data in one bit."""
    for at in range(len(data) * 8):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        yield bytes(changed)


def text_flips(text: str) -> Iterator[str]:
    return (changed.decode("latin-1") for changed in flips(text.encode("latin-1")))


def holds(
    *,
    method: str = REQUEST.method,
    uri: str = REQUEST.uri,
    client: str = REQUEST.client,
    time: str = REQUEST.time,
    body: bytes = REQUEST.body,
    signature: bytes = SIGNATURE,
) -> bool:
    return rsa256.holds(KEY, signature, rsa256.canonical(method, uri, client, time, body))


def test_no_single_bit_can_change() -> None:
    """G2: every bit of method, path, client, time, body and signature is changed in turn."""
    assert holds()
    tried = [
        *(holds(method=changed) for changed in text_flips(REQUEST.method)),
        *(holds(uri=changed) for changed in text_flips(REQUEST.uri)),
        *(holds(client=changed) for changed in text_flips(REQUEST.client)),
        *(holds(time=changed) for changed in text_flips(REQUEST.time)),
        *(holds(body=changed) for changed in flips(REQUEST.body)),
        *(holds(signature=changed) for changed in flips(SIGNATURE)),
    ]
    assert len(tried) > 4000
    assert not any(tried)


@pytest.mark.parametrize("changed", [SIGNATURE[:-1], SIGNATURE + b"\0", b"\0" + SIGNATURE, b"x"])
def test_a_signature_of_another_length_is_refused(changed: bytes) -> None:
    assert not holds(signature=changed)


def test_a_text_has_exactly_one_signature() -> None:
    """S10, P2: a repeat is recognised by its signature, so there must be no second one."""
    modulus = KEY.public_numbers().n
    size = len(SIGNATURE)
    fitting = 0
    for number in range(64):
        data = number.to_bytes(1)
        signature = private_key("alipayplus").sign(data, padding.PKCS1v15(), hashes.SHA256())
        assert rsa256.holds(KEY, signature, data)
        value = int.from_bytes(signature)
        others = [modulus - value, value + modulus, value + 2 * modulus]
        alike = [other.to_bytes(size) for other in others if other < 256**size]
        fitting += len(alike) - 1
        alike += [b"\0" + signature, signature + b"\0", signature.lstrip(b"\0")[1:]]
        assert not any(rsa256.holds(KEY, other, data) for other in alike)
    assert fitting > 0  # so a number that is too large by the modulus was among them


def test_the_string_to_sign_ends_with_the_body() -> None:
    data = rsa256.canonical("POST", "/a?b=c", "client", "time", b'{\n   "x": 1\n}')
    assert data == b'POST /a?b=c\nclient.time.{\n   "x": 1\n}'


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA384(), hashes.SHA512()])
def test_another_hash_with_the_right_key_is_refused(digest: hashes.HashAlgorithm) -> None:
    """G3: the signature does not choose the hash."""
    key = private_key("alipayplus")
    data = REQUEST.string_to_sign
    assert holds(signature=key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
    assert not holds(signature=key.sign(data, padding.PKCS1v15(), digest))


def test_pss_with_the_right_key_is_refused() -> None:
    """G3: RSA256 is PKCS #1 v1.5 only."""
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signature = private_key("alipayplus").sign(REQUEST.string_to_sign, pss, hashes.SHA256())
    assert not holds(signature=signature)


def test_a_signature_of_another_key_is_refused() -> None:
    signature = LocalSigner("1", private_key("unrelated")).sign(REQUEST.string_to_sign)
    assert not holds(signature=signature)


def test_the_current_one_of_several_keys_signs_and_is_named() -> None:
    """K2: the key version in an answer is that of the key which signed it."""
    keys = {"1": "mpp", "2": "unrelated", "3": "alipayplus"}
    for current, name in keys.items():
        signer = LocalSigner(current, private_key(name))
        header = SignatureHeader.parse(rsa256.signature_header(signer, b"data"))
        assert header.key_version == current
        matching = [
            version
            for version, other in keys.items()
            if rsa256.holds(public_key(other), header.signature, b"data")
        ]
        assert matching == [current]


def test_the_written_header_suits_the_java_sdk() -> None:
    """It takes the third item as it is, and wants exactly one = in it."""
    signer = LocalSigner("7", private_key("mpp"))
    for number in range(20):  # one in 64 characters is a + or a /, the end is always ==
        header = rsa256.signature_header(signer, bytes([number]))
        algorithm, version, signature = header.split(",")
        assert algorithm == "algorithm=RSA256"
        assert version == "keyVersion=7"
        assert signature.startswith("signature=")
        assert signature.count("=") == 1
        assert not set(signature) & set(" +/")
        assert signature.endswith("%3D%3D")


def test_the_same_answer_is_signed_once_and_another_one_anew() -> None:
    """K2: a signature from the cache is of the key that it names."""
    signed: list[bytes] = []

    class Counting(LocalSigner):
        def sign(self, data: bytes) -> bytes:
            signed.append(data)
            return super().sign(data)

    sign = rsa256.header_signer(Counting("7", private_key("mpp")), remembered=2)
    for data in (b"one", b"one", b"two", b"one", b"three", b"one", b"two"):
        header = SignatureHeader.parse(sign(data))
        assert rsa256.holds(public_key("mpp"), header.signature, data)
        assert header.key_version == "7"
    assert signed == [b"one", b"two", b"three", b"two"]
