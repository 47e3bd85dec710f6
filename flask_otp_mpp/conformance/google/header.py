"""Cases of the requestHeader: its id, its time and its version."""

from __future__ import annotations

import string
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Severity
from flask_otp_mpp.conformance.google.answer import in_words
from flask_otp_mpp.conformance.google.dialect import ABSENT, Api, Means, changed, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(Group.HEADERS, GOOGLE, written("RequestHeader"))
TIME: Final = GoogleCases(Group.TIME, GOOGLE, written("RequestHeader, requestTimestamp"))
_ID, _TIME, _VERSION = (
    f"requestHeader.{name}" for name in ("requestId", "requestTimestamp", "protocolVersion")
)
_TYPES: Final = "A reader that finds a wrong type may call the whole payload unreadable."
_BAD: Final = (Means.VALUE, Means.UNREADABLE)


def _answered(path: str, value: Any, means: tuple[Means, ...], play: GooglePlay) -> None:
    """Send an echo with another value of one member."""
    message = changed(play.message(Api.ECHO), path, value)
    play.expect(play.call(Api.ECHO, message), *means)


def _timed(seconds: float, means: tuple[Means, ...], play: GooglePlay) -> None:
    """Send an echo whose time is off by seconds beyond, or within, what is allowed."""
    limit = play.limits.freshness_seconds
    off = seconds + (limit if seconds > 0 else -limit)
    _answered(_TIME, play.stamp(off), means, play)


_ROWS: Final[tuple[tuple[str, str, str, Any, tuple[Means, ...]], ...]] = (
    ("header-missing", "without requestHeader", "requestHeader", ABSENT, (Means.MISSING,)),
    ("header-text", "whose requestHeader is a text", "requestHeader", "text", _BAD),
    ("id-missing", "without requestId", _ID, ABSENT, (Means.MISSING,)),
    ("id-null", "whose requestId is null", _ID, None, (Means.MISSING, Means.VALUE)),
    ("id-empty", "whose requestId is empty", _ID, "", (Means.VALUE, Means.MISSING)),
    ("id-number", "whose requestId is a number", _ID, 1502545413, _BAD),
    ("id-too-long", "whose requestId has 101 characters", _ID, "a" * 101, (Means.VALUE,)),
    ("id-space", "whose requestId has a space", _ID, "conformance 1", (Means.VALUE,)),
    ("id-slash", "whose requestId has a slash", _ID, "conformance/1", (Means.VALUE,)),
    ("id-umlaut", "whose requestId has an umlaut", _ID, "conformänce-1", (Means.VALUE,)),
    ("id-newline", "whose requestId ends with a line break", _ID, "conf-1\n", (Means.VALUE,)),
    ("version-missing", "without protocolVersion", _VERSION, ABSENT, (Means.MISSING,)),
    ("version-text", "whose protocolVersion is a text", _VERSION, "1.0.0", _BAD),
    ("major-missing", "without a major version", f"{_VERSION}.major", ABSENT, (Means.MISSING,)),
    ("major-text", "whose major version is a text", f"{_VERSION}.major", "1", _BAD),
    ("major-2", "of major version 2", f"{_VERSION}.major", 2, (Means.VERSION,)),
    ("major-0", "of major version 0", f"{_VERSION}.major", 0, (Means.VERSION,)),
)
for _name, _what, _path, _value, _means in _ROWS:
    CASES.add(
        f"header.{_name}",
        f"A request {_what} is {in_words(_means[0])}",
        "A request whose header breaks a rule is refused by the code of that rule.",
        source=written("RequestHeader", _TYPES) if Means.UNREADABLE in _means else None,
        users=0,
    )(partial(_answered, _path, _value, _means))


_GOOD: Final[tuple[tuple[str, str, str, Any, Severity], ...]] = (
    ("minor-7", "minor version 7", f"{_VERSION}.minor", 7, Severity.REQUIRED),
    ("revision-12", "revision 12", f"{_VERSION}.revision", 12, Severity.REQUIRED),
    ("locale", "a userLocale", "requestHeader.userLocale", "tr-TR", Severity.REQUIRED),
    (
        "locale-other",
        "a userLocale that is none",
        "requestHeader.userLocale",
        "no locale",
        Severity.RECOMMENDED,
    ),
    (
        "more-members",
        "an unknown member in requestHeader",
        "requestHeader.conformance",
        {"a": [1, None]},
        Severity.REQUIRED,
    ),
)
for _name, _what, _path, _value, _severity in _GOOD:
    CASES.add(
        f"header.{_name}",
        f"A request with {_what} is handled",
        "Only another major version is refused; what is not known is ignored.",
        source=written("RequestHeader", "userLocale is deprecated and ignored."),
        severity=_severity,
        users=0,
    )(partial(_answered, _path, _value, (Means.SUCCESS,)))


@CASES.add(
    "header.id-100",
    "A request with a requestId of 100 characters is handled",
    "A requestId has up to 100 characters.",
    users=0,
)
def longest_id(play: GooglePlay) -> None:
    """Send an echo with the longest requestId."""
    _answered(_ID, play.unknown_name().ljust(100, "a"), (Means.SUCCESS,), play)


@CASES.add(
    "header.id-alphabet",
    "A requestId of all allowed characters is handled",
    "A requestId has letters, digits, colons, hyphens and underscores.",
    users=0,
)
def alphabet(play: GooglePlay) -> None:
    """Send an echo with each character of the alphabet in its requestId."""
    _answered(_ID, f"{string.ascii_letters}{string.digits}:-_", (Means.SUCCESS,), play)


for _name, _what, _seconds, _means in (
    ("too-old", "older than is allowed", -30, (Means.TIME,)),
    ("too-early", "further in the future than is allowed", 30, (Means.TIME,)),
):
    TIME.add(
        f"time.{_name}",
        f"A request {_what} is 400 REQUEST_TIMESTAMP_OUT_OF_RANGE",
        "A request is of now: within 60 seconds, either way.",
        users=0,
    )(partial(_timed, _seconds, _means))


def _within(share: float, play: GooglePlay) -> None:
    _answered(_TIME, play.stamp(share * play.limits.freshness_seconds), (Means.SUCCESS,), play)


for _name, _what, _share in (
    ("old", "some seconds old", -0.5),
    ("early", "some seconds in the future", 0.5),
):
    TIME.add(
        f"time.{_name}",
        f"A request {_what} is handled",
        "Clocks differ, and 60 seconds are allowed, either way.",
        users=0,
    )(partial(_within, _share))


@TIME.add(
    "time.in-seconds",
    "A time in seconds is 400 REQUEST_TIMESTAMP_OUT_OF_RANGE",
    "The time is in milliseconds.",
    users=0,
)
def in_seconds(play: GooglePlay) -> None:
    """Send an echo whose time is in seconds."""
    _answered(_TIME, play.stamp()[:-3], (Means.TIME,), play)


_TIMES: Final[tuple[tuple[str, str, Any, tuple[Means, ...]], ...]] = (
    ("missing", "without requestTimestamp", ABSENT, (Means.MISSING,)),
    ("null", "whose requestTimestamp is null", None, (Means.MISSING, Means.VALUE)),
    ("empty", "whose requestTimestamp is empty", "", (Means.VALUE, Means.MISSING)),
    ("zero", "of 1970", "0", (Means.TIME,)),
    ("words", "whose time is a word", "now", _BAD),
    ("iso", "whose time is in ISO 8601", "2026-01-01T00:00:00Z", _BAD),
    ("negative", "of before 1970", "-1", (*_BAD, Means.TIME)),
    ("exponent", "whose time has an exponent", "1.5e12", _BAD),
    ("huge", "whose time has 40 digits", "9" * 40, (*_BAD, Means.TIME)),
)
for _name, _what, _value, _means in _TIMES:
    TIME.add(
        f"time.{_name}",
        f"A request {_what} is {in_words(_means[0])}",
        "The time is a text of digits: milliseconds since 1970.",
        source=written("RequestHeader, requestTimestamp", _TYPES),
        users=0,
    )(partial(_answered, _TIME, _value, _means))


@TIME.add(
    "time.unicode-digits",
    "A time in Arabic-Indic digits is refused",
    "The time is a text of ASCII digits.",
    severity=Severity.RECOMMENDED,
    users=0,
)
def unicode_digits(play: GooglePlay) -> None:
    """Send an echo whose time is right, in other digits."""
    stamp = "".join(chr(0x0660 + int(digit)) for digit in play.stamp())
    _answered(_TIME, stamp, _BAD, play)


@TIME.add(
    "time.number",
    "A time that is a JSON number is read or refused, and breaks nothing",
    "The time is a text; protobuf's JSON form has numbers, too.",
    source=written("RequestHeader, requestTimestamp", "Both are accepted."),
    severity=Severity.RECOMMENDED,
    users=0,
)
def as_number(play: GooglePlay) -> None:
    """Send an echo whose time is a number."""
    _answered(_TIME, int(play.stamp()), (Means.SUCCESS, *_BAD), play)
