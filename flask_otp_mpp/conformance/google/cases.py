"""All cases of Google Standard Payments."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.google import happy, life

MODULES: Final = (happy.CASES, life.USERS, life.CODES, life.LIFE)
"""The lists of cases, in the order of their groups."""
