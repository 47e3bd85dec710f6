"""The credentials of users in a target's file: lists, or templates with the number of the user."""

from __future__ import annotations

import re
from typing import Final

from flask_otp_mpp.conformance.toml_table import Table
from flask_otp_mpp.core.secret import Secret

_NUMBER: Final = re.compile(r"\{n(?::0([1-9]))?\}")
"""Where the number belongs: ``{n}``, or ``{n:04}`` with zeros before it, up to four digits."""


def is_number(name: str) -> bool:
    """Tell whether a user of Google is named by a phone number; else it is an association."""
    return name.startswith("+")


def valid_users(tokens: Table) -> tuple[Secret[str], ...]:
    """Return the valid credentials: a list of them, or a template and a count."""
    if tokens.has("template"):
        return _of_template(tokens, "template", tokens.whole("count"))
    return tuple(Secret(one) for one in tokens.words("valid"))


def at_second_client(tokens: Table, valid: tuple[Secret[str], ...]) -> dict[str, Secret[str]]:
    """Return the second client's credentials of the same users: a list, or a template."""
    if not tokens.has("second_client"):
        return {}
    if tokens.has("template"):
        others = _of_template(tokens, "second_client", len(valid))
    else:
        others = tuple(Secret(one) for one in tokens.words("second_client"))
    if len(others) != len(valid):
        tokens.fault("second_client", "name as many tokens as there are valid users")
    return {first.reveal(): second for first, second in zip(valid, others, strict=False)}


def associations(tokens: Table) -> tuple[Secret[str], ...]:
    """Return the ids of associations: a list, or a template, which has the count of the users."""
    if not tokens.has("associations"):
        return ()
    words = tokens.words("associations")
    if len(words) == 1 and _NUMBER.search(words[0]):
        return _numbered(words[0], tokens.whole("count"))
    return tuple(Secret(one) for one in words)


def _of_template(tokens: Table, key: str, count: int) -> tuple[Secret[str], ...]:
    """Return the credentials that a template makes of the numbers from 1."""
    template = tokens.text(key)
    if not _NUMBER.search(template):
        tokens.fault(key, "write {n} where the number of the user belongs, {n:04} for 0001")
    return _numbered(template, count)


def _numbered(template: str, count: int) -> tuple[Secret[str], ...]:
    parts = _NUMBER.split(template)
    return tuple(
        Secret("".join(_part(part, at, number) for at, part in enumerate(parts)))
        for number in range(1, count + 1)
    )


def _part(part: str | None, at: int, number: int) -> str:
    """Return a part of a template: text, and between texts how many digits the number has."""
    return str(number).zfill(int(part or 0)) if at % 2 else part or ""
