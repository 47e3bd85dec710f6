"""Mask the values of a body that no report may show: tokens, codes, phones, addresses.

Each character of such a value becomes an asterisk, so that positions stay the same. A body that is
no JSON is masked as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

_SECRET: Final = re.compile(
    r"token|otp|login|phone|mobile|mail|passw|passcode|pin$|secret|"
    r"(identity|authentication)value|(auth|verify|verification|sms|access|payment|qr|bar)_?code|"
    r"^code$|card_?no|cvv|cert_?no|id_?no$|user_?(name|id$)|full_?name|address|birth",
    re.IGNORECASE,
)
_LEXEME: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|\s+|[^\s{}\[\],:"]+', re.DOTALL)
_PARAMETER: Final = re.compile(r"([?&])([^=&]*)=([^&]*)")


def is_secret(name: str) -> bool:
    """Tell whether values of this name are masked."""
    return _SECRET.search(name) is not None


def lexemes(text: str) -> list[str] | None:
    """Split JSON into strings, marks, white space and other values; None if it is no JSON."""
    try:
        json.loads(text.removeprefix("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return None
    found = _LEXEME.findall(text)
    return found if len(text) == sum(map(len, found)) else None


def mask_body(body: bytes) -> str:
    """Return a body as text, with its secret values masked."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    found = lexemes(text)
    if found is None:
        return "*" * len(text)
    return "".join(_masked(found))


def mask_uri(uri: str) -> str:
    """Return a URI with the secret values of its query masked."""
    return _PARAMETER.sub(
        lambda m: f"{m[1]}{m[2]}={'*' * len(m[3]) if is_secret(m[2]) else m[3]}", uri
    )


def _masked(found: list[str]) -> Iterator[str]:
    """Yield the lexemes; those of a secret member's value, at any depth, masked."""
    depth, secret = 0, False
    masked_at: int | None = None
    for index, lexeme in enumerate(found):
        if lexeme in {"{", "["}:
            depth += 1
            if secret and masked_at is None:
                masked_at = depth
            secret = False
        elif lexeme in {"}", "]"}:
            if depth == masked_at:
                masked_at = None
            depth -= 1
        elif lexeme == ",":
            secret = False
        elif lexeme != ":" and not lexeme.isspace():
            if lexeme.startswith('"') and _is_name(found, index):
                secret = is_secret(_text(lexeme))
            elif secret or masked_at is not None or _holds_secret(lexeme):
                yield f'"{"*" * (len(lexeme) - 2)}"' if lexeme[0] == '"' else "*" * len(lexeme)
                continue
        yield lexeme


def _is_name(found: list[str], index: int) -> bool:
    after = found[index + 1 : index + 3]
    return ":" in after[:1] or (len(after) == 2 and after[0].isspace() and after[1] == ":")


def _holds_secret(lexeme: str) -> bool:
    """Tell whether a string holds JSON, or a query, that names a secret."""
    return lexeme[0] == '"' and any(mark in lexeme for mark in "{=") and is_secret(lexeme)


def _text(lexeme: str) -> str:
    try:
        return str(json.loads(lexeme, strict=False))
    except ValueError:
        return lexeme
