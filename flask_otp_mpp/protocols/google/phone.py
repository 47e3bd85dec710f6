"""Check and normalise phone numbers: E.164 as Google writes it, with a length that its country has.

The only module that imports phonenumbers (extra ``phone``).
"""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164, section 6.2.1


def normal(text: str) -> str | None:
    """Return a number in its one international form; None if it can't be a number.

    Whether a range is in use is not checked: such tables age, and a host knows its numbers.
    """
    if _E164.fullmatch(text) is None:
        return None
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
