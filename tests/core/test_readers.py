"""A value is read as files and environments give it; one that does not fit is not repeated."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flask_otp_mpp.core import readers
from flask_otp_mpp.core.policy import Resend

SECRET = "hunter2-in-the-wrong-place"


def mapping(raw: object) -> dict[str, Any]:
    return readers.mapping(raw, "{name: number}")


@pytest.mark.parametrize(
    ("reader", "raw", "value"),
    [
        (readers.text, "a b", "a b"),
        (readers.text, 1022172, "1022172"),
        (readers.optional_text, None, None),
        (readers.optional_text, "a", "a"),
        (readers.texts, "a", ("a",)),
        (readers.texts, ["a", "b"], ("a", "b")),
        (readers.texts, ("a", 7), ("a", "7")),
        (readers.whole(0), 0, 0),
        (readers.whole(0), "12", 12),
        (readers.whole(-3), "-3", -3),
        (readers.whole(1, 3), 3, 3),
        (readers.seconds(0), 90, timedelta(seconds=90)),
        (readers.seconds(0), "90", timedelta(seconds=90)),
        (readers.seconds(0), timedelta(hours=1), timedelta(hours=1)),
        (readers.seconds(1, 90), timedelta(seconds=1.5), timedelta(seconds=1.5)),
        (readers.whole_seconds(1, 10), "2", 2),
        (readers.whole_seconds(1, 10), timedelta(seconds=2), 2),
        (readers.path, "/a/b-c", "/a/b-c"),
        (readers.optional_path, None, None),
        (readers.one_of(Resend), "reuse", Resend.REUSE),
        (readers.one_of(Resend), Resend.REUSE, Resend.REUSE),
        (readers.choice({"warn": True, "refuse": False}), "refuse", False),
        (readers.FLAG, True, True),
        (readers.FLAG, "false", False),
        (mapping, {"a": 1, 2: "b"}, {"a": 1, "2": "b"}),
    ],
)
def test_a_value_is_read_as_it_may_come_from_file_or_environment(
    reader: Callable[[Any], Any], raw: Any, value: Any
) -> None:
    assert reader(raw) == value


@pytest.mark.parametrize(
    ("reader", "raw"),
    [
        (readers.text, None),
        (readers.text, "  "),
        (readers.text, True),
        (readers.text, [SECRET]),
        (readers.texts, ""),
        (readers.texts, []),
        (readers.texts, {SECRET: SECRET}),
        (readers.texts, ["a", ["b"]]),
        (readers.whole(0), -1),
        (readers.whole(0), True),
        (readers.whole(0), 1.5),
        (readers.whole(0), "-1"),
        (readers.whole(0), SECRET),
        (readers.whole(0), "\uff11"),
        (readers.seconds(0), SECRET),
        (readers.seconds(0), 10**18),
        (readers.seconds(0), 10**30),
        (readers.seconds(0), None),
        (readers.whole_seconds(1, 10), timedelta(seconds=1.5)),
        (readers.path, "sendOTP"),
        (readers.path, "/"),
        (readers.path, "/a/"),
        (readers.path, "/a b"),
        (readers.path, "/a?b"),
        (readers.path, "/<id>"),
        (readers.path, "/a%20b"),
        (readers.one_of(Resend), SECRET),
        (readers.one_of(Resend), [SECRET]),
        (readers.FLAG, SECRET),
        (mapping, {}),
        (mapping, SECRET),
        (mapping, [(SECRET, SECRET)]),
    ],
)
def test_a_value_that_does_not_fit_is_refused_without_being_repeated(
    reader: Callable[[Any], Any], raw: Any
) -> None:
    """P1: what stands in the wrong place may be a secret."""
    with pytest.raises(ValueError, match=r"set it to|begin it with") as caught:
        reader(raw)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("reader", "raw", "told"),
    [
        (readers.whole(1200), -1, "-1 is negative; set it to 1200 or more"),
        (readers.whole(6, 10, why="guessed"), 4, "4 is too small; set it to 6 to 10 (guessed)"),
        (readers.whole(0, 9, unit="bytes"), 10, "10 is too large; set it to 0 to 9 bytes"),
        (readers.whole(0), 1.5, "1.5 is not whole; set it to a whole number, 0 or more"),
        (readers.whole(0), "x", "found a text; set it to a whole number, 0 or more"),
        (readers.whole(0), None, "found nothing; set it to a whole number, 0 or more"),
        (readers.seconds(30), 29, "29 is too small; set it to 30 seconds or more"),
        (
            readers.seconds(0, 1),
            timedelta(seconds=1.5),
            "1.5 is too large; set it to 0 to 1 seconds",
        ),
        (
            readers.whole_seconds(1, 10),
            timedelta(seconds=1.5),
            "1.5 is not whole; set it to 1 to 10 whole seconds",
        ),
        (readers.FLAG, 1.0, "found a number; set it to true or false"),
        (readers.text, True, "found a truth value; set it to a text that is not empty"),
        (readers.texts, {1: 2}, "found a mapping; set it to a text or a list of texts"),
        (readers.text, b"x", "found a value of type bytes; set it to a text that is not empty"),
        (
            mapping,
            {},
            "found an empty mapping; set it to a mapping {name: number} (JSON in the environment)",
        ),
        (
            readers.choice({"a": 1, "b": 2, "c": 3}),
            "d",
            "found a text; set it to 'a', 'b' or 'c'",
        ),
    ],
)
def test_a_fault_says_what_was_found_and_what_to_write(
    reader: Callable[[Any], Any], raw: Any, told: str
) -> None:
    """F2: numbers are shown, texts are not."""
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        reader(raw)


def test_every_finding_about_one_value_is_in_the_text_of_the_fault() -> None:
    assert str(readers.Unreadable(["one", "two"], {})) == "one\n    two"
