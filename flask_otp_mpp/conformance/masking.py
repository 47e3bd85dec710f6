"""Replace credentials and codes in a text, in whatever spelling they stand there.

A case may escape a token, write a code in the digits of another script, or sign a payload in
base64: none of these may tell a reader of a report what it was.
"""

from __future__ import annotations

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_JSON: Final = re.compile(r"(?:\\u[0-9A-Fa-f]{4}){1,2}|\\[\"\\/bfnrt]")
_HTML: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-z]{2,6});")
_SPELLED: Final = r"[%\\&]|[^\x00-\x7f]"
"""What begins another spelling of a character."""
_LOOKAHEAD: Final = 2
"""How many characters are compared by a pattern, which is fast, before the others are."""
_SHOWN: Final = ""
"""The key of a trie's node under which the replacement stands where a secret ends."""
_SHORTEST_BASE64: Final = 6


class Mask:
    """Replace what a report must not show.

    Found are a secret as it is, percent-encoded, escaped as in JSON or HTML, with digits of any
    script, mixtures of these, and its base64, at whatever byte it begins there.

    :param secrets: each with what is shown instead of it.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._trie: dict[str, Any] = {}
        for secret, shown in dict(secrets).items():
            for word in (secret, *_base64(secret)):
                self._add(word, shown)
        begins = [f"{re.escape(one)}(?={_next(node)})" for one, node in self._trie.items()]
        self._first = re.compile("|".join([*begins, _SPELLED])) if begins else None

    @property
    def hides(self) -> bool:
        """Whether there are secrets."""
        return self._first is not None

    def __call__(self, text: str) -> str:
        """Return the text with each secret replaced; of two at one place, the longer one."""
        if self._first is None:
            return text
        parts, end = [], 0
        for first in self._first.finditer(text):
            found = self._longest(text, first.start()) if first.start() >= end else None
            if found is not None:
                parts += [text[end : first.start()], found[1]]
                end = found[0]
        return "".join([*parts, text[end:]])

    def of_bytes(self, data: bytes) -> str:
        """Return the same of a body; what is no UTF-8 is shown as a replacement character."""
        return self(data.decode(errors="replace"))

    def _add(self, word: str, shown: str) -> None:
        node = self._trie
        for character in word:
            node = node.setdefault(character, {})
        if word:
            node.setdefault(_SHOWN, shown)

    def _longest(self, text: str, start: int) -> tuple[int, str] | None:
        """Return where the longest secret that begins here ends, and what is shown of it."""
        best: tuple[int, str] | None = None
        reached = [(start, self._trie)]
        while reached:
            at, node = reached.pop()
            if _SHOWN in node and (best is None or at > best[0]):
                best = at, node[_SHOWN]
            if at < len(text):
                reached += [(end, node[one]) for one, end in _readings(text, at) if one in node]
        return best


def printable(text: str) -> str:
    """Return a text without what would move a terminal's cursor, or can't be written as UTF-8."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text
    )


def _readings(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Yield each character that a reader may see here, with where its spelling ends."""
    for character, end in _spellings(text, at):
        yield character, end
        if character > "\x7f" and (digit := unicodedata.digit(character, None)) is not None:
            yield str(digit), end


def _spellings(text: str, at: int) -> Iterator[tuple[str, int]]:
    character = text[at]
    yield character, at + 1
    if character == "%" and (found := _PERCENT.match(text, at)):
        one = unquote(found[0])[0]
        yield one, at + 3 * len(one.encode())
    elif character == "\\" and (found := _JSON.match(text, at)):
        one = json.loads(f'"{found[0]}"')[0]
        yield one, at + (6 if found[0][1] == "u" and one < "\U00010000" else len(found[0]))
    elif character == "&" and (found := _HTML.match(text, at)):
        yield html.unescape(found[0])[0], found.end()
    elif character == "+":
        yield " ", at + 1


def _next(node: Mapping[str, Any], depth: int = _LOOKAHEAD) -> str:
    """Return a pattern of the characters with which a secret goes on."""
    if depth == 0 or _SHOWN in node:
        return ""
    ways = [f"{re.escape(one)}{_next(further, depth - 1)}" for one, further in node.items()]
    return f"(?:{'|'.join(ways)}|[+]|{_SPELLED})"


def _base64(secret: str) -> Iterator[str]:
    """Yield what a secret looks like in base64, whatever stands before and after it."""
    raw = secret.encode()
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + raw + b"\0\0").decode()
        inner = text[-(-8 * offset // 6) : (offset + len(raw)) * 8 // 6]
        if len(inner) >= _SHORTEST_BASE64:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
