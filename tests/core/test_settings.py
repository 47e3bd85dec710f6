"""A configuration is read once into typed groups; all its faults are reported, and no secret is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.readers import Reader, Unreadable, one_of, seconds, text, texts, whole
from flask_otp_mpp.core.settings import (
    ConfigurationError,
    Faults,
    Rule,
    group_faults,
    key_of,
    read_group,
    report_unknown,
    setting,
    settings_of,
)


def _parse_names(raw: object) -> tuple[str, ...]:
    names = texts(raw)
    bad = [name for name in names if not name.islower()]
    if bad:
        raise Unreadable([f"{name} is not in small letters" for name in bad], names[:1])
    return names


def _check_order(first: int, last: int) -> str:
    return "" if first <= last else f"is more than {last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What a group may hold."""

    RULES: ClassVar[tuple[Rule, ...]] = (Rule(("first", "last"), _check_order),)

    life: timedelta = setting("LIFE", seconds(30, 600), "How long a code is used.", default=300)
    pepper: str = setting(
        "PEPPER", Reader("a long text", text), "Keys the digests.", placeholder="?", secret=True
    )
    resend: Resend = setting("RESEND", one_of(Resend), "What a send does.", default="rotate")
    names: tuple[str, ...] = setting(
        "NAMES", Reader("a list of names", _parse_names), "Some names.", default="ada"
    )
    first: int = setting("FIRST", whole(0), "The first.", default=1)
    last: int = setting("LAST", whole(0), "The last.", default=2)


def read(**values: Any) -> tuple[Group, Faults]:
    faults: Faults = []
    return read_group(Group, {f"OTP_MPP_{k}": v for k, v in values.items()}, faults), faults


def test_an_unset_key_has_its_default_read_like_a_value() -> None:
    group, faults = read(PEPPER="p")
    assert faults == []
    assert group == Group(pepper="p")
    assert (group.life, group.resend, group.names) == (
        timedelta(seconds=300),
        Resend.ROTATE,
        ("ada",),
    )


def test_a_set_key_is_read_into_its_field() -> None:
    group, faults = read(PEPPER="p", LIFE="90", RESEND="reuse", NAMES=["a", "b"])
    assert faults == []
    assert group == Group(
        life=timedelta(seconds=90), pepper="p", resend=Resend.REUSE, names=("a", "b")
    )


def test_all_faults_are_found_in_one_reading() -> None:
    """F2: the missing, the malformed and the one out of bounds, each with its key and a remedy."""
    _, faults = read(LIFE=10, RESEND="never", NAMES=["Ada", "bob", "Eve"], FIRST=3)
    assert faults == [
        ("OTP_MPP_LIFE", "10 is too small; set it to 30 to 600 seconds"),
        ("OTP_MPP_PEPPER", "is missing; set it to a long text. Keys the digests."),
        ("OTP_MPP_RESEND", "found a text; set it to 'rotate' or 'reuse'"),
        ("OTP_MPP_NAMES", "Ada is not in small letters"),
        ("OTP_MPP_NAMES", "Eve is not in small letters"),
        ("OTP_MPP_FIRST", "is more than 2"),
    ]


def test_a_default_or_placeholder_replaces_a_value_at_fault() -> None:
    """F2: the rest of a list, a default or a placeholder, so that all else can be checked."""
    group, faults = read(LIFE=10, NAMES=["ada", "Eve"], FIRST=3)
    assert len(faults) == 4
    assert group == Group(pepper="?", names=("ada",))


def test_a_rule_checks_only_values_without_a_fault() -> None:
    """F2: a default in the place of a fault is no fault."""
    _, faults = read(PEPPER="p", FIRST=5, LAST="many")
    assert [key for key, _ in faults] == ["OTP_MPP_LAST"]


def test_a_group_made_in_code_has_the_same_bounds() -> None:
    group = Group(life=timedelta(seconds=10), pepper="p", first=-1, last=-2)
    assert group_faults(group) == [
        ("life", "10 is too small; set it to 30 to 600 seconds"),
        ("first", "-1 is negative; set it to 0 or more"),
        ("last", "-2 is negative; set it to 0 or more"),
    ]
    assert group_faults(Group(pepper="p", first=3)) == [("first", "is more than 2")]


def test_a_secret_is_not_in_the_repr_of_its_group() -> None:
    """P1: settings may come into a log or a debugger."""
    assert "hunter2" not in repr(Group(pepper="hunter2"))
    assert "300" in repr(Group(pepper="hunter2"))


def test_a_group_declares_its_keys() -> None:
    declared = settings_of(Group)
    assert list(declared) == ["life", "pepper", "resend", "names", "first", "last"]
    assert (declared["life"].reader.kind, declared["life"].default) == ("30 to 600 seconds", 300)
    assert key_of(Policy, "digits") == "OTP_MPP_CODE_DIGITS"


def unknown(config: Mapping[str, Any]) -> dict[str, str]:
    faults: Faults = []
    report_unknown(config, [Group], faults)
    return dict(faults)


def test_an_unknown_key_gets_the_name_of_a_similar_setting() -> None:
    assert unknown({"OTP_MPP_LIVE": 1}) == {
        "OTP_MPP_LIVE": "is not a setting; did you mean 'OTP_MPP_LIFE'?"
    }


def test_an_unknown_key_without_a_similar_setting_is_to_be_removed() -> None:
    """F2: an unread setting would have no effect, without a message."""
    assert unknown({"OTP_MPP_ZZZ": 1}) == {"OTP_MPP_ZZZ": "is not a setting; remove it"}


def test_keys_without_the_prefix_are_ignored() -> None:
    assert unknown({"SECRET_KEY": 1, "OTP_MPP_PEPPER": "p", "otp_mpp_x": 1}) == {}


def test_the_error_lists_every_fault_with_its_key() -> None:
    """F2: one start, one message, everything in it."""
    error = ConfigurationError([("OTP_MPP_A", "is bad"), ("OTP_MPP_B", "is worse")])
    assert error.faults == (("OTP_MPP_A", "is bad"), ("OTP_MPP_B", "is worse"))
    assert str(error).splitlines() == [
        "flask-otp-mpp: 2 configuration errors:",
        "  'OTP_MPP_A': is bad",
        "  'OTP_MPP_B': is worse",
    ]
    one = ConfigurationError([("OTP_MPP_A", "is bad")])
    assert str(one).startswith("flask-otp-mpp: 1 configuration error:\n")


def test_a_default_that_breaks_its_own_bounds_can_not_be_declared() -> None:
    with pytest.raises(ValueError, match="5 is too large; set it to 1 to 4"):
        setting("TRIES", whole(1, 4), "How often.", default=5)
