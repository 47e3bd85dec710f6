"""Codes in tests: wrong ones to type, and long ones to search texts for."""

from __future__ import annotations

from typing import Final

LONG_CODE: Final = 10
"""Digits of a code that texts are searched for: a time or an id there may equal a short one."""


def wrong_code(code: str, by: int = 0) -> str:
    """Return a code of the same length that is not the right one, another one for each number."""
    return f"{(int(code) + 1 + by) % 10 ** len(code):0{len(code)}d}"
