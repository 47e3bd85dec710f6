"""Test vectors: signatures made by the official SDK, with test keys, and tables of codes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_DATA: Final = json.loads(Path(__file__).with_name("alipayplus.json").read_text("utf-8"))
KEYS: Final[Mapping[str, Mapping[str, str]]] = _DATA["keys"]

RESULT_CODES: Final[Mapping[str, list[dict[str, str]]]] = json.loads(
    Path(__file__).with_name("result_codes.json").read_text("utf-8")
)
"""The rows of the documents' tables, by the name of the API."""

WALLET_KEYS: Final[Mapping[str, str]] = json.loads(
    Path(__file__).with_name("wallet_keys.json").read_text("utf-8")
)["keys"]
"""Private keys of the wallets of our tests and their callers, by name, as PEM."""

PSS_TWO_SALTS: Final[Mapping[str, str]] = json.loads(
    Path(__file__).with_name("pss_two_salts.json").read_text("utf-8")
)
"""Signatures in base64 that have another salt by another hash, by the length of the right one."""


@dataclass(frozen=True)
class Vector:
    """One signed message: what was signed, and what the verifier sees of it.

    :param expected: None if the documents leave the decision to the implementer.
    """

    name: str
    signer: str
    verifier: str
    method: str
    seen_method: str
    uri: str
    client: str
    time: str
    body: bytes
    seen_body: bytes
    string_to_sign: bytes
    urlencoded: str
    header: str
    expected: bool | None
    note: str

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Vector:
        body = base64.b64decode(raw["body_b64"])
        presented = raw.get("presented", {})
        return cls(
            name=raw["name"],
            signer=raw["signer_key"],
            verifier=raw["verify_key"],
            method=raw["http_method"],
            seen_method=presented.get("method", raw["http_method"]),
            uri=raw["http_uri"],
            client=raw["client_id"],
            time=raw["time"],
            body=body,
            seen_body=presented["body"].encode() if "body" in presented else body,
            string_to_sign=base64.b64decode(raw["string_to_sign_b64"]),
            urlencoded=raw["signature_urlencoded"],
            header=raw["signature_header"],
            expected=raw["expect_valid"],
            note=raw["note"],
        )


VECTORS: Final = tuple(Vector.read(raw) for raw in _DATA["vectors"])


def vector(name: str) -> Vector:
    return next(found for found in VECTORS if found.name == name)


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    return parsed(KEYS[name]["private_pkcs8_pem"])


def parsed(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(
        pem.encode(), None, unsafe_skip_rsa_key_validation=True
    )
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@cache
def public_key(name: str) -> rsa.RSAPublicKey:
    return private_key(name).public_key()
