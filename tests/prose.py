"""Find long sentences and avoided words in Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

LONGEST: Final = 25
INSTEAD: Final[Mapping[str, str]] = {
    # Pictures for what has a name.
    "doors?|turn(?:s|ed)? away": "prefix, route; refuse",
    "exactness|zoo": "lookalikes",
    "houses?|rooms?": "structure, packages",
    "journeys?": "round trip",
    "login wall": "required login",
    "minting|minted": "generate",
    "pardon(?:s|ed)?|lift(?:s|ed)? (?:it|a lock|the lock)": "unlock",
    "patience|patiently": "time-out",
    "speakers?|stands? back|watchful": "what it does; wait",
    "blamed": "has failures",
    "lightly|taken back": "not durable, lost in a crash",
    "seldom": "rarely",
    # Words that are known in older books, or have another meaning today.
    "afresh|anew": "again",
    "at fault": "wrong",
    "at work": "in progress",
    "barred": "blocked",
    "be it|lest|whilst|hence|thereby|whence|thus": "a sentence of its own",
    "bear on|bears on": "concern",
    "but for": "except",
    "dear|dearer": "expensive",
    "in force": "in use",
    "in vain": "without effect",
    "lies|lie (?:below|in)": "is",
    "mend(?:s|ed|ing)?": "fix, correct, repair",
    "stands? (?:behind|beside|in|there|once|twice|above)": "is, follows",
    "tak(?:es?|ing) the place of": "replace, be in place of",
    "throw-away": "test",
    "who(?:m)?ever": "somebody who, the caller that",
    "all else": "everything else",
    # Words that say less than they seem to.
    "easily|obviously|of course|simply": "leave it out",
    "leverag(?:e|es|ing)|utili[sz]e(?:s|d)?": "use",
    "seamless(?:ly)?|robust(?:ly)?|powerful|blazing(?:ly)?": "what was measured",
}
"""What to say instead of the words that a pattern matches."""

_AVOIDED: Final = re.compile(rf"\b(?:{'|'.join(INSTEAD)})\b", re.IGNORECASE)
_MARKDOWN: Final = MarkdownIt("commonmark").enable("table")
_GENERATED: Final = re.compile(r"<!-- ([\w ]+) -->\n.*?<!-- /\1 -->", re.DOTALL)
_END: Final = re.compile(r"[.!?][\"')\]*]*\s+(?=[^\sa-z]|[a-z]+[A-Z])")


class Sentence(NamedTuple):
    """A sentence, or a heading, cell or item that is none, and the line where it begins."""

    line: int
    text: str


def complaints(page: str) -> Iterator[str]:
    """Yield what is wrong with a page: line, count or word, advice, and the sentence."""
    for line, text in sentences(page):
        if (count := words(text)) > LONGEST:
            yield f"line {line}: {count} words, {LONGEST} at most; split it: {text}"
        for found in _AVOIDED.findall(text):
            yield f"line {line}: instead of {found!r} say {advice(found)!r}: {text}"


def advice(found: str) -> str:
    """Return what to say instead of a word that was found."""
    matches = (re.fullmatch(one, found, re.IGNORECASE) and say for one, say in INSTEAD.items())
    return next(filter(None, matches))


def words(sentence: str) -> int:
    """Count words; code is one, and punctuation is none."""
    return sum(any(map(str.isalnum, word)) for word in sentence.split())


def sentences(page: str) -> Iterator[Sentence]:
    """Yield what is read: no code block, no target of a link, no part that a tool writes."""
    written = _GENERATED.sub(lambda part: "\n" * part[0].count("\n"), page)
    line = 0
    for token in _MARKDOWN.parse(written):
        line = token.map[0] + 1 if token.map else line
        if token.type == "inline":
            yield from _split("".join(map(_text, token.children or ())), line)


def _text(token: Token) -> str:
    if token.type == "code_inline":
        return re.sub(r"\W", "_", f"`{token.content}`")
    return "\n" if token.type in {"softbreak", "hardbreak"} else token.content


def _split(block: str, line: int) -> Iterator[Sentence]:
    start = 0
    for end in [*(match.end() for match in _END.finditer(block)), len(block)]:
        if text := " ".join(block[start:end].split()):
            yield Sentence(line + block.count("\n", 0, start), text)
        start = end
