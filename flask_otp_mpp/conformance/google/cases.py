"""All cases of Google Standard Payments."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.google import happy, jose_keys, jose_signature, life

MODULES: Final = (
    happy.CASES,
    jose_signature.CASES,
    jose_keys.CASES,
    life.USERS,
    life.CODES,
    life.LIFE,
)
"""The lists of cases, in the order of their groups."""
