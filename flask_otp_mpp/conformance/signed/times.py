"""Cases of Request-Time: the forms that it has, how old it may be, and what is no time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Final, TypeAlias

from flask_otp_mpp.conformance.case import SIGNED, Group, Severity, Source
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing
from flask_otp_mpp.conformance.signed.probe import HEADER, LET_IN, Make, add, probe, reading
from flask_otp_mpp.conformance.wire import Request

CASES: Final = SignedCases(Group.TIME, SIGNED, HEADER)
Form: TypeAlias = Callable[[datetime], str]
_SKEW_SECONDS: Final = 30
"""How far the clocks of kit and endpoint may differ, where a time is just within the limit."""
_FRESH: Final = reading(
    "A request whose time is further away than the endpoint says is refused: as access denied, as "
    "a bad signature or as a bad parameter."
)
_STALE: Final = (Means.ACCESS_DENIED, Means.BAD_SIGNATURE, Means.PARAMETER)


def milliseconds(moment: datetime) -> str:
    """Write milliseconds since the epoch, as Java clients do."""
    return str(int(moment.timestamp() * 1000))


def seconds(moment: datetime) -> str:
    """Write ISO 8601 to the second, with an offset, as the client in Python does."""
    return moment.isoformat(timespec="seconds")


def compact_offset(moment: datetime) -> str:
    """Write ISO 8601 with an offset that has no colon, as the client in PHP does."""
    return _at(8, moment).strftime("%Y-%m-%dT%H:%M:%S%z")


def nanoseconds(moment: datetime) -> str:
    """Write nanoseconds since the epoch, as the client in Go does."""
    return f"{milliseconds(moment)}000123"


def _at(hours: float, moment: datetime) -> datetime:
    return moment.astimezone(timezone(timedelta(hours=hours)))


def _z(digits: int) -> Form:
    """Return what writes a time of UTC with Z and so many digits of the second's fraction."""

    def write(moment: datetime) -> str:
        fraction = f".{f'{moment.microsecond:06}123'[:digits]}" if digits else ""
        return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"

    return write


def _offset(hours: float) -> Form:
    return lambda moment: seconds(_at(hours, moment))


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}Z"


def _timed(form: Form) -> Make:
    return lambda play: probe(play, Signing(time=form(play.bench.now())))


def _text(text: str) -> Make:
    return _timed(lambda _: text)


def _far(play: SignedPlay, form: Form, sign: int) -> Request:
    """Sign a time that is far away, in the past or in the future."""
    away = timedelta(seconds=2 * play.limits.freshness_seconds + 3600)
    return probe(play, Signing(time=form(play.bench.now() + sign * away)))


def _near(play: SignedPlay, sign: int) -> Request:
    """Sign a time that is just within the limit."""
    limit = play.limits.freshness_seconds
    away = timedelta(seconds=max(limit - _SKEW_SECONDS, limit / 2))
    return probe(play, Signing(time=play.time(play.bench.now() + sign * away)))


add(
    CASES,
    (
        ("time.z", "A time with Z is accepted", _timed(_z(0))),
        ("time.hundredths", "A time with 2 digits of a fraction is accepted", _timed(_z(2))),
        ("time.thousandths", "A time with 3 digits of a fraction is accepted", _timed(_z(3))),
        ("time.offset", "A time with the offset +08:00 is accepted", _timed(_offset(8))),
        ("time.milliseconds", "Milliseconds since the epoch are accepted", _timed(milliseconds)),
    ),
    "Request-Time is ISO 8601 with an offset, or milliseconds, as the documents' samples have it.",
    *LET_IN,
)  # fmt: skip
add(
    CASES,
    (
        ("time.compact-offset", "A time with the offset +0800 is accepted", _timed(compact_offset)),
        ("time.nanoseconds", "Nanoseconds since the epoch are accepted", _timed(nanoseconds)),
        ("time.microseconds", "A time with 6 digits of a fraction is accepted", _timed(_z(6))),
        ("time.nine-digits", "A time with 9 digits of a fraction is accepted", _timed(_z(9))),
        ("time.west", "A time with the offset -05:00 is accepted", _timed(_offset(-5))),
        ("time.half-hour", "A time with the offset +05:30 is accepted", _timed(_offset(5.5))),
        ("time.minute", "A time without seconds, as Java writes second 0, is accepted",
         _timed(_minute)),
    ),
    "What official clients and the usual libraries write is read.",
    *LET_IN,
    source=Source("global-open-sdk (PHP, Go), ISO 8601", "the time of its requests",
                  "What libraries write is read. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("time.stale", "A time long ago is refused", partial(_far, form=seconds, sign=-1)),
        ("time.stale-milliseconds", "A time long ago, in milliseconds, is refused",
         partial(_far, form=milliseconds, sign=-1)),
        ("time.future", "A time in the far future is refused",
         partial(_far, form=seconds, sign=1)),
        ("time.future-milliseconds", "A time in the far future, in milliseconds, is refused",
         partial(_far, form=milliseconds, sign=1)),
        ("time.offset-counts", "The present hour with the offset of another one is refused",
         _timed(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}+08:00")),
        ("time.epoch", "The beginning of the epoch is refused", _text("0000000000000")),
    ),
    "A request that was recorded is refused later.",
    *_STALE,
    source=_FRESH,
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("time.just-old", "A time that is just young enough is accepted", partial(_near, sign=-1)),
        ("time.just-ahead", "A time that is just ahead of the endpoint's is accepted",
         partial(_near, sign=1)),
    ),
    "A request within the time that the endpoint allows is let in.",
    *LET_IN,
    source=reading("The configuration says how far a time may be away, either way."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("time.word", "A word is refused", _text("yesterday")),
        ("time.month-13", "A month 13 is refused",
         _timed(lambda moment: f"{moment:%Y}-13-{moment:%d}T00:00:00Z")),
        ("time.hour-25", "An hour 25 is refused",
         _timed(lambda moment: f"{moment:%Y-%m-%d}T25:00:00Z")),
        ("time.nan", "NaN is refused", _text("NaN")),
        ("time.huge", "A number of 400 digits is refused", _text("9" * 400)),
    ),
    "What is no time is no time of now.",
    *_STALE,
    source=reading(
        "It is refused: as access denied, as a bad signature or as a bad parameter."
    ),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (("time.no-offset", "A time without an offset causes no internal error",
      _timed(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}")),),
    "A time without an offset is refused, or read as one of UTC.",
    *_STALE,
    *LET_IN,
    source=reading("It is refused; it may be read in the time zone of the endpoint as well."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
