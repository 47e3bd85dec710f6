"""The pages are written for readers whose third language is English."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prose import INSTEAD, LONGEST, Sentence, complaints, sentences, words

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("docs/**/*.md")}
    - set(ROOT.glob("docs/_build/**/*.md"))
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_short_sentences_and_plain_words(page: Path) -> None:
    """O4: what to say instead is in tests/prose.py."""
    found = list(complaints(page.read_text()))
    assert not found, "\n".join(["", *(f"{name_of(page)}, {one}" for one in found)])


def test_a_sentence_of_too_many_words_is_found_with_its_line() -> None:
    long = " ".join(["word"] * LONGEST)
    assert list(complaints(f"Short.\n\n{long}.")) == []
    (found,) = complaints(f"Short.\n\nFirst one. And\n{long}.")
    assert found.startswith(f"line 3: {LONGEST + 1} words")


@pytest.mark.parametrize("avoided", ["mended", "Whoever", "anew", "but for", "journey"])
def test_an_avoided_word_is_found_with_what_to_say_instead(avoided: str) -> None:
    (found,) = complaints(f"* Yes.\n* It is {avoided} that.")
    assert found.startswith(f"line 2: instead of '{avoided}' say ")
    assert any(advice in found for advice in INSTEAD.values())


def test_code_links_and_generated_parts_are_not_read() -> None:
    page = """
Look at `mend, whoever and anew` and [a page](mend/anew.md#whoever).

```text
whoever
```

<!-- table -->
whoever
<!-- /table -->
"""
    assert list(complaints(page)) == []
    ((line, text),) = sentences(page)
    assert (line, words(text)) == (2, 6)


def test_a_cell_an_item_and_a_heading_end_a_sentence() -> None:
    page = "# One two\n\n| a b | c |\n| --- | --- |\n| d | e f |\n\n* g\n* h. sendOTP is i"
    assert list(sentences(page)) == [
        Sentence(1, "One two"),
        Sentence(3, "a b"),
        Sentence(3, "c"),
        Sentence(5, "d"),
        Sentence(5, "e f"),
        Sentence(7, "g"),
        Sentence(8, "h."),
        Sentence(8, "sendOTP is i"),
    ]
