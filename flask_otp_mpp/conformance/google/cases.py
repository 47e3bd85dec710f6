"""All cases of Google Standard Payments."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.google import (
    answers,
    body,
    conflicts,
    fields,
    happy,
    header,
    jose_forms,
    jose_keys,
    jose_signature,
    life,
    pgp_forms,
    pgp_signature,
    races,
    repeats,
    transport,
    users,
)

MODULES: Final = (
    happy.CASES,
    jose_signature.CASES,
    jose_forms.CASES,
    jose_keys.CASES,
    pgp_signature.CASES,
    pgp_signature.KEYS,
    pgp_forms.CASES,
    header.CASES,
    header.TIME,
    transport.CASES,
    body.CASES,
    fields.CASES,
    users.CASES,
    life.CODES,
    life.LIFE,
    repeats.CASES,
    conflicts.CASES,
    races.CASES,
    races.ISOLATION,
    answers.CASES,
)
"""The lists of cases, in the order of their groups."""
