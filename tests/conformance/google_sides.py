"""The two accounts of a wallet that the kit calls as Google does: both sides of each."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.google.side import ENVELOPES
from flask_otp_mpp.signing.jwk_sets import generate_jwk_sets
from tests.conformance.wallet_app import FROZEN_NUMBER, GONE_ASSOCIATION, UNKNOWN_NUMBER
from tests.vectors.google import armored

PATHS: Final = ("/v1", "/second/v1")
USERS: Final = 500


def wallet_accounts(wire: Wire) -> dict[str, Any]:
    """Return ``OTP_MPP_GOOGLE_ACCOUNTS`` of the wallet: two accounts, each with keys of its own."""
    return {
        f"gpay-{number}": {
            "envelope": ENVELOPES[wire],
            "paths": path,
            "our_keys": [_keys(wire, "wallet", number)[0]],
            "their_keys": [_keys(wire, "google", number)[1]],
            **({"timeout": 20} if wire is Wire.GOOGLE_PGP else {}),
        }
        for number, path in enumerate(PATHS, 1)
    }


def kit_tables() -> dict[str, Any]:
    """Return the tables of users of the kit's file."""
    return {
        "template": "+1415555{n:04}",
        "count": USERS,
        "associations": "assoc-{n}",
        "unknown": UNKNOWN_NUMBER,
        "frozen": FROZEN_NUMBER,
        "missing": GONE_ASSOCIATION,
    }


def kit_account(wire: Wire) -> dict[str, Any]:
    """Return the table ``[google]`` of the kit's file."""
    first, second = (
        {
            "paths": path,
            "our_keys": [_keys(wire, "google", number)[0]],
            "their_keys": [_keys(wire, "wallet", number)[1]],
        }
        for number, path in enumerate(PATHS, 1)
    )
    return {**first, "second": second}


@cache
def _keys(wire: Wire, owner: str, number: int) -> tuple[str, str]:
    """Return a private key, or set of keys, and the public one; made once."""
    if wire is Wire.GOOGLE_JOSE:
        return generate_jwk_sets(f"{owner}-{number}")
    name = f"{'integrator' if owner == 'wallet' else 'google'}-test-{number}"
    return armored(f"{name}.sec"), armored(f"{name}.pub")
