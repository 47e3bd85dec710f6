"""The pages are written for readers whose third language is English."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from flask_otp_mpp.web.doc_tables import setting_rows
from tests.prose import INSTEAD, LONGEST, Sentence, complaints, sentences, words
from tests.public import PACKAGES, names_of

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


@pytest.mark.parametrize("package", PACKAGES)
def test_the_first_lines_of_public_names_are_plain(package: str) -> None:
    """O4: the reference shows them."""
    public = {name: getattr(import_module(package), name) for name in names_of(package)}
    described = {
        name: inspect.getdoc(it) or ""
        for name, it in public.items()
        if inspect.isclass(it) or inspect.isfunction(it)
    }
    lines = {name: text.partition("\n")[0].replace("``", "`") for name, text in described.items()}
    assert len(lines) > 3
    assert [(name, one) for name, line in lines.items() for one in complaints(line)] == []


def test_the_meanings_of_settings_are_plain() -> None:
    """O4: pages and messages show them."""
    meanings = {key: meaning for key, _, _, meaning in setting_rows()}
    assert [(key, one) for key, text in meanings.items() for one in complaints(text)] == []


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
