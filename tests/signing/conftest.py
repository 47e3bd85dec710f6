"""Unfit keys, generated when the tests run, so that none is committed."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.vectors import private_key


@pytest.fixture(scope="session")
def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@pytest.fixture(scope="session")
def curve_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def encrypted_pem() -> str:
    return (
        private_key("mpp")
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a passphrase"),
        )
        .decode()
    )


@pytest.fixture(scope="session")
def encrypted_line(encrypted_pem: str) -> str:
    lines = [line for line in encrypted_pem.splitlines() if not line.startswith("-----")]
    assert base64.b64decode("".join(lines))
    return "".join(lines)
