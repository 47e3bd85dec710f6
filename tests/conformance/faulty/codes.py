"""Faults of what is taken for the right code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.messages import fields, with_fields

FAULTS: Final = FaultList()


def _code(change: Callable[[str], str]) -> Layer:
    def layer(request: Request, answer: Next) -> Response:
        code = fields(request).get("otpCode")
        if not isinstance(code, str):
            return answer(request)
        return answer(with_fields(request, otpCode=change(code)))

    return layer


def _by_value(code: str) -> str:
    """Read a code as Python's ``int`` does."""
    try:
        return f"{int(code):06d}"
    except ValueError:
        return code


FAULTS.add(
    "code-as-number",
    "Codes are compared as numbers.",
    "fields.code-arabic-digits",
    "fields.code-full-width-digits",
    "fields.code-line-feed-after",
    "fields.code-plus-sign",
    "fields.code-space-before",
    "fields.code-underscore",
    "fields.code-zero-before",
)(_code(_by_value))
FAULTS.add(
    "illegal-code-counts",
    "What is no code at all is an attempt, too.",
    "fields.code-illegal-is-no-attempt",
)(_code(lambda code: code if (code.isascii() and code.isdigit()) or not code else "9" * 8))
FAULTS.add(
    "code-stripped",
    "White space around a code is ignored.",
    "fields.code-line-feed-after",
    "fields.code-space-before",
)(_code(str.strip))
FAULTS.add(
    "code-cut",
    "What stands behind the digits of a code is ignored.",
    "fields.code-decimal-point",
    "fields.code-digit-after",
    "fields.code-line-feed-after",
    "fields.code-nul-after",
)(_code(lambda code: code[:6] if code[:6].isascii() and code[:6].isdigit() else code))
