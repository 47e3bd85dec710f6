"""The two sides of an account, as one configures them, with the keys of the vectors."""

from __future__ import annotations

from typing import Any

from tests.vectors.google import armored, jwk


def jose_wallet(**more: Any) -> dict[str, Any]:
    return {
        "envelope": "jose",
        "our_keys": [
            jwk("integrator-enc-1.private"),
            jwk("integrator-enc-2.private"),
            jwk("integrator-sig-1.private"),
        ],
        "their_keys": [
            jwk("google-sig-1.public"),
            jwk("google-sig-2.public"),
            jwk("google-enc-1.public"),
        ],
        **more,
    }


def jose_google(**more: Any) -> dict[str, Any]:
    return {
        "envelope": "jose",
        "our_keys": [jwk("google-sig-1.private"), jwk("google-enc-1.private")],
        "their_keys": [jwk("integrator-enc-1.public"), jwk("integrator-sig-1.public")],
        **more,
    }


def pgp_wallet(**more: Any) -> dict[str, Any]:
    return {
        "envelope": "pgp",
        "our_keys": [armored("integrator-test-1.sec"), armored("integrator-test-2.sec")],
        "their_keys": [
            armored("google-test-1.pub"),
            armored("google-test-2.pub"),
            armored("google-expired.pub"),
        ],
        "timeout": 20,
        **more,
    }


def pgp_google(**more: Any) -> dict[str, Any]:
    return {
        "envelope": "pgp",
        "our_keys": [armored("google-test-1.sec")],
        "their_keys": [armored("integrator-test-1.pub"), armored("integrator-test-2.pub")],
        "timeout": 20,
        **more,
    }
