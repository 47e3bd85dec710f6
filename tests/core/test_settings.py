"""A configuration is read once; all its faults are told together, and no secret with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flask_otp_mpp.core import settings as config
from flask_otp_mpp.core.policy import Resend
from flask_otp_mpp.core.settings import ConfigurationError, Setting, read_settings

SECRET = "hunter2-in-the-wrong-place"
DECLARED = (
    Setting("LIFE", config.seconds, "a number of seconds", "How long a code lives.", 300),
    Setting("PEPPER", config.texts, "a long random text", "Keys the digests."),
    Setting("RESEND", config.one_of(Resend), "'rotate' or 'reuse'", "What a send does.", "rotate"),
)


def read(**values: Any) -> tuple[dict[str, Any], dict[str, str]]:
    faults: list[tuple[str, str]] = []
    found = read_settings(DECLARED, {f"OTP_MPP_{k}": v for k, v in values.items()}, faults)
    return found, dict(faults)


def test_what_is_not_set_has_its_default_read_like_a_value() -> None:
    values, faults = read(PEPPER="p")
    assert faults == {}
    assert values == {
        "LIFE": timedelta(seconds=300),
        "PEPPER": ("p",),
        "RESEND": Resend.ROTATE,
    }


def test_all_faults_are_found_in_one_reading() -> None:
    """F2: the misspelt, the missing and the malformed, each with its key and a remedy."""
    values, faults = read(LIVE=10, LIFE="soon", RESEND="never")
    assert values == {}
    assert faults == {
        "OTP_MPP_LIVE": "is not a setting; did you mean 'OTP_MPP_LIFE'?",
        "OTP_MPP_LIFE": "found a value of type str; set it to a whole number",
        "OTP_MPP_PEPPER": "is missing; set it to a long random text. Keys the digests.",
        "OTP_MPP_RESEND": "found a value of type str; set it to 'rotate' or 'reuse'",
    }


def test_a_key_that_is_like_no_setting_is_to_be_removed() -> None:
    """F2: a setting that nobody reads protects nobody."""
    _, faults = read(PEPPER="p", ZZZ=1)
    assert faults == {"OTP_MPP_ZZZ": "is not a setting; remove it"}


def test_keys_of_others_are_none_of_our_business() -> None:
    faults: list[tuple[str, str]] = []
    read_settings(DECLARED, {"SECRET_KEY": 1, "OTP_MPP_PEPPER": "p", "otp_mpp_x": 1}, faults)
    assert faults == []


def test_the_error_lists_every_fault_with_its_key() -> None:
    """F2: one start, one message, everything in it."""
    error = ConfigurationError([("OTP_MPP_A", "is bad"), ("OTP_MPP_B", "is worse")])
    assert error.faults == (("OTP_MPP_A", "is bad"), ("OTP_MPP_B", "is worse"))
    assert str(error).splitlines() == [
        "flask-otp-mpp can't start; 2 to mend:",
        "  'OTP_MPP_A': is bad",
        "  'OTP_MPP_B': is worse",
    ]


@pytest.mark.parametrize(
    ("reader", "raw", "value"),
    [
        (config.text, "a b", "a b"),
        (config.text, 1022172, "1022172"),
        (config.optional_text, None, None),
        (config.optional_text, "a", "a"),
        (config.texts, "a", ("a",)),
        (config.texts, ["a", "b"], ("a", "b")),
        (config.texts, ("a", 7), ("a", "7")),
        (config.whole, 0, 0),
        (config.whole, "12", 12),
        (config.seconds, 90, timedelta(seconds=90)),
        (config.seconds, "90", timedelta(seconds=90)),
        (config.seconds, timedelta(hours=1), timedelta(hours=1)),
        (config.path, "/a/b-c", "/a/b-c"),
        (config.one_of(Resend), "reuse", Resend.REUSE),
        (config.one_of(Resend), Resend.REUSE, Resend.REUSE),
        (config.mapping, {"a": 1, 2: "b"}, {"a": 1, "2": "b"}),
    ],
)
def test_a_value_is_read_as_it_may_come_from_file_or_environment(
    reader: Callable[[Any], Any], raw: Any, value: Any
) -> None:
    assert reader(raw) == value


@pytest.mark.parametrize(
    ("reader", "raw"),
    [
        (config.text, None),
        (config.text, "  "),
        (config.text, True),
        (config.text, [SECRET]),
        (config.texts, ""),
        (config.texts, []),
        (config.texts, {SECRET: SECRET}),
        (config.texts, ["a", ["b"]]),
        (config.whole, -1),
        (config.whole, True),
        (config.whole, 1.5),
        (config.whole, "-1"),
        (config.whole, SECRET),
        (config.seconds, SECRET),
        (config.seconds, 10**18),
        (config.seconds, 10**30),
        (config.seconds, None),
        (config.path, "sendOTP"),
        (config.path, "/"),
        (config.path, "/a/"),
        (config.path, "/a b"),
        (config.path, "/a?b"),
        (config.path, "/<id>"),
        (config.path, "/a%20b"),
        (config.one_of(Resend), SECRET),
        (config.one_of(Resend), [SECRET]),
        (config.mapping, {}),
        (config.mapping, SECRET),
        (config.mapping, [(SECRET, SECRET)]),
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
