"""What becomes of JSON that is parsed and written again: white space, escapes, order.

White space and escapes are changed in the text, so that all else stays as it was sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from flask_otp_mpp.conformance.explain.masking import lexemes

_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL)
_HTML: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_GSON: Final = {**_HTML, "=": "\\u003d", "'": "\\u0027"}
_INDENTS: Final = ("  ", "    ", "\t", "   ", " ")
_COLONS: Final = (": ", " : ", ":")


def _on_text(change: Callable[[str], Iterator[str]]) -> Callable[[bytes], Iterator[bytes]]:
    """Return a change of bytes, from a change of the text that they are."""

    def changed(body: bytes) -> Iterator[bytes]:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return
        for found in change(text):
            yield found.encode("utf-8", "surrogatepass")

    return changed


def _essential(text: str) -> list[str]:
    """Return the lexemes of JSON without white space; none if it is no JSON."""
    return [lexeme for lexeme in lexemes(text) or [] if not lexeme.isspace()]


@_on_text
def compact(text: str) -> Iterator[str]:
    """Remove white space between lexemes."""
    if found := _essential(text):
        yield "".join(found)


@_on_text
def spaced(text: str) -> Iterator[str]:
    """Write a space behind colons and commas, or one of them."""
    found = _essential(text)
    for colon, comma in ((": ", ", "), (": ", ","), (":", ", "), (" : ", ", ")) if found else ():
        yield "".join({":": colon, ",": comma}.get(lexeme, lexeme) for lexeme in found)


@_on_text
def indented(text: str) -> Iterator[str]:
    """Write each member on a line."""
    found = _essential(text)
    for indent in _INDENTS if found else ():
        for colon in _COLONS:
            yield (lines := "".join(_lines(found, indent, colon)))
            yield lines.replace("\n", "\r\n")


def _lines(found: list[str], indent: str, colon: str) -> Iterator[str]:
    depth = 0
    for index, lexeme in enumerate(found):
        before = found[index - 1] if index else ""
        if lexeme in {"}", "]"}:
            depth -= 1
            if before not in {"{", "["}:
                yield "\n" + indent * depth
        elif before in {"{", "[", ","}:
            yield "\n" + indent * depth
        yield colon if lexeme == ":" else lexeme
        depth += lexeme in {"{", "["}


def _written(value: Any, *, ordered: bool = False) -> Iterator[bytes]:
    """Yield a value in the forms that libraries write."""
    for separators, indent in (
        *(((",", ":"), None), ((", ", ": "), None)),
        *(((",", ": "), 2), ((",", ": "), 4), ((",", ": "), 3)),
    ):
        for escaped in (False, True):
            yield json.dumps(
                value,
                ensure_ascii=escaped,
                indent=indent,
                separators=separators,
                sort_keys=ordered,
            ).encode("utf-8", "surrogatepass")


def ordered(body: bytes) -> Iterator[bytes]:
    """Sort the members."""
    value = _parsed(body)
    if isinstance(value, dict):
        yield from _written(value, ordered=True)


def without_nulls(body: bytes) -> Iterator[bytes]:
    """Leave out members that are null."""
    value = _parsed(body)
    if isinstance(value, dict) and None in value.values():
        yield from _written({name: one for name, one in value.items() if one is not None})


def member(body: bytes) -> Iterator[bytes]:
    """Take one member in place of the whole object."""
    value = _parsed(body)
    if isinstance(value, dict):
        for one in value.values():
            if isinstance(one, dict):
                yield from _written(one)


def quoted(body: bytes) -> Iterator[bytes]:
    """Write the text once more, as a JSON string; or read it, if it is one."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    yield json.dumps(text, ensure_ascii=False).encode()
    yield json.dumps(text).encode()
    value = _parsed(body)
    if isinstance(value, str):
        yield value.encode("utf-8", "surrogatepass")


@_on_text
def escaped(text: str) -> Iterator[str]:
    """Escape what is not ASCII."""
    for form in ("\\u{:04x}", "\\u{:04X}"):
        yield "".join(
            letter
            if letter.isascii()
            else "".join(form.format(unit) for unit in _utf16_units(letter))
            for letter in text
        )


@_on_text
def unescaped(text: str) -> Iterator[str]:
    """Write escaped characters themselves."""
    yield (
        _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] and int(m[1], 16) > 0x1F else m[0], text)
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )


@_on_text
def slashes(text: str) -> Iterator[str]:
    r"""Escape slashes as ``\/``, or no longer."""
    plain = text.replace("\\/", "/")
    yield from {plain.replace("/", "\\/"), plain} - {text}


@_on_text
def html(text: str) -> Iterator[str]:
    """Escape what has a meaning in HTML, as Go and Gson do; or no longer."""
    for table in (_HTML, _GSON):
        yield "".join(table.get(letter, letter) for letter in text)
    plain = text
    for letter, escape in _GSON.items():
        plain = plain.replace(escape, letter).replace(escape.upper().replace("U", "u"), letter)
    yield plain


def _utf16_units(letter: str) -> list[int]:
    data = letter.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
