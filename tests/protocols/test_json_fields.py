"""A body is read exactly as agreed, and a refusal names the field but never its value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.protocols.json_fields import Fields
from tests.protocols.caller import refusal

COLOURS = {"RED": 1, "BLUE": 2}


def fields(**members: Any) -> Fields:
    return Fields.parse(json.dumps(members).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        b"{}}",
        b"{} {}",
        b"{'a': 'b'}",
        b'{"a": "b",}',
        b'{"a": "b", "a": "b"}',
        b'{"a": "b", "\\u0061": "c"}',
        b'{"x": {"a": 1, "a": 2}}',
        b'{"x": [{"y": {"a": 1, "a": 1}}]}',
        b'{"x": NaN}',
        b'{"x": Infinity}',
        b'{"x": [-Infinity]}',
        b'{"a": "\x00"}',
        b'{"a": "\n"}',
        b'{"a": "\xff"}',
        b'{"a": "\xc0\xaf"}',
        b'{"a": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a": "b"}',
        '{"a": "b"}'.encode("utf-16"),
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_not_one_strict_json_object_is_refused(body: bytes) -> None:
    """F6: repeated keys at any depth, NaN, marks of byte order, broken UTF-8, deep nesting."""
    refused = refusal(Fields.parse, body)
    assert refused.reason is Reason.BODY_UNREADABLE
    assert refused.detail.startswith("The body must be ")


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    """F6: nothing but a refusal comes out of a body, whatever is in it."""
    refused = None
    try:
        Fields.parse(body)
    except Refused as caught:
        refused = caught
    assert refused is None or refused.reason is Reason.BODY_UNREADABLE


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(value=values)
def test_a_required_field_is_a_fit_string_or_refused_by_its_name(value: Any) -> None:
    """F6: numbers, booleans, objects, lists and the empty string are no strings."""
    fit = (
        isinstance(value, str)
        and 0 < len(value) <= 8
        and not any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in value)
    )
    found = fields(name=value, other=value)
    if fit:
        assert found.text("name", 8) == value
        return
    refused = refusal(found.text, "name", 8)
    absent = value is None
    assert refused.reason is (Reason.FIELD_MISSING if absent else Reason.FIELD_INVALID)
    assert refused.detail.startswith("name: ")


@pytest.mark.parametrize("value", [1, 1.5, True, False, {}, [], ["a"], {"a": "b"}, "", 0])
def test_only_a_string_that_is_not_empty_is_a_value(value: Any) -> None:
    """F6: optional fields are left out or null, never anything else."""
    for read in (
        lambda: fields(name=value).text("name", 8),
        lambda: fields(name=value).raw_text("name", 8),
        lambda: fields(name=value).choice("name", COLOURS),
    ):
        refused = refusal(read)
        assert refused.reason is Reason.FIELD_INVALID
        assert refused.detail.startswith("name: must be a string of 1 to ")


def test_null_is_absent() -> None:
    """F6: a required field that is null is missing, an optional one has its default."""
    for found in (fields(), fields(name=None)):
        assert refusal(found.text, "name", 8).detail == "name: is required."
        assert refusal(found.raw_text, "name", 8).detail == "name: is required."
        assert found.choice("name", COLOURS, 2) == 2
        assert refusal(found.choice, "name", COLOURS).detail == "name: is required."


@pytest.mark.parametrize("size", [1, 8])
def test_a_value_may_be_as_long_as_its_bound(size: int) -> None:
    assert fields(name="x" * size).text("name", 8) == "x" * size
    assert fields(name="\U0001f600" * size).raw_text("name", 8) == "\U0001f600" * size


def test_a_value_beyond_its_bound_is_refused_without_being_repeated() -> None:
    """F6, P1: the message holds the bound and the name, and nothing that was sent."""
    secret = "canary-" * 3
    for read in (
        lambda: fields(name=secret).text("name", 8),
        lambda: fields(name=secret).raw_text("name", 8),
        lambda: fields(name=secret + "\n").text("name", 99),
        lambda: fields(name=secret).choice("name", COLOURS),
        lambda: fields(name=[secret]).choice("name", COLOURS),
    ):
        refused = refusal(read)
        assert refused.detail.startswith("name: ")
        assert "canary" not in refused.detail


@pytest.mark.parametrize("character", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\ud800"])
def test_a_control_character_is_refused_in_a_text_and_left_alone_in_a_raw_one(
    character: str,
) -> None:
    """F6, L11: what a user typed is judged as a code, not as a field."""
    found = fields(name=f"a{character}b")
    assert refusal(lambda: found.text("name", 8)).detail == (
        "name: must not hold control characters."
    )
    assert found.raw_text("name", 8) == f"a{character}b"


@pytest.mark.parametrize("character", ["\u200b", "\u2028", "\u3000", "\ue000", "\U000e0001"])
def test_a_character_that_no_printer_prints_and_that_is_no_control_is_text(character: str) -> None:
    """F6: names hold zero-width joiners."""
    assert fields(name=f"a{character}b").text("name", 8) == f"a{character}b"


def test_a_choice_is_one_of_its_words_in_its_own_spelling() -> None:
    assert fields(colour="BLUE").choice("colour", COLOURS, 1) == 2
    for value in ("blue", "GREEN", "BLUE "):
        refused = refusal(fields(colour=value).choice, "colour", COLOURS, 1)
        assert refused.detail == "colour: must be one of RED, BLUE."


def test_unknown_fields_are_ignored() -> None:
    """F6: a later version may add some, of any kind."""
    body = b'{"name": "a", "new": {"deep": [1, 2.5, null, true, 1e999]}, "": "x"}'
    assert Fields.parse(body).text("name", 8) == "a"
