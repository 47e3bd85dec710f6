"""The forms in which one moment is written, and the moments near it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final

from flask_otp_mpp.conformance.explain.base import Context
from flask_otp_mpp.conformance.explain.captured import TIME_HEADERS
from flask_otp_mpp.protocols.alipay.signed_headers import parse_time

_SINGAPORE: Final = timezone(timedelta(hours=8))
_ZONES: Final = ("", "Z", "colon", "plain")
_NEAR: Final = 2000
"""Milliseconds, or seconds/1000, between two readings of one clock."""


def of_other_message(text: str, context: Context) -> Iterator[str]:
    """Yield the time of the other message, of both header names."""
    message = context.message
    for sent in (message.other, message.sent):
        for name in TIME_HEADERS.values():
            if sent is not None and (found := sent.header(name)) not in ("", text):
                yield found


def of_other_header(text: str, context: Context) -> Iterator[str]:
    """Yield what stands in other headers and can be read as a time."""
    message = context.message
    for sent in (message.sent, message.other):
        for name, value in (sent.headers if sent is not None else {}).items():
            if name in TIME_HEADERS.values() or value == text:
                continue
            if _moment(value) is not None or (value.isdecimal() and len(value) in {10, 13}):
                yield value
            elif (moment := _http_date(value)) is not None:
                yield value
                yield from _forms(moment)


def as_number(text: str, _context: Context) -> Iterable[str]:
    """Return the seconds, milli-, micro- and nanoseconds since the epoch."""
    moment = _moment(text)
    if moment is None:
        return ()
    micros = (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    seconds = micros // 1_000_000
    return dict.fromkeys(
        (
            *(str(micros // 1000), str(seconds), str(micros), str(micros * 1000)),
            f"{seconds}000",
        )
    )


def as_text(text: str, _context: Context) -> Iterable[str]:
    """Return ISO 8601, for a time that is a number."""
    moment = _moment(text) if text.isdecimal() else None
    return () if moment is None else _forms(moment)


def in_other_zone(text: str, _context: Context) -> Iterator[str]:
    """Yield the same moment with another offset or none, or the offset in another form."""
    moment = None if text.isdecimal() else _moment(text)
    if moment is None:
        return
    fraction = _fraction(text)
    for offset in (moment.tzinfo, UTC, _SINGAPORE):
        yield from _zones(moment.astimezone(offset), fraction)


def with_other_decimals(text: str, _context: Context) -> Iterator[str]:
    """Yield the same second with other decimals."""
    moment = None if text.isdecimal() else _moment(text)
    if moment is None:
        return
    head, zone = text[:19], text[19 + len(_fraction(text)) :]
    micros = f"{moment.microsecond:06d}"
    for digits in (0, 1, 2, 3, 6):
        yield head + (f".{micros[:digits]}" if digits else "") + zone
    yield f"{head}.{micros}000{zone}"
    shortest = micros.rstrip("0")
    yield head + (f".{shortest}" if shortest else "") + zone
    if moment.second == 0:
        yield text[:16] + zone  # as Java prints it


def otherwise_written(text: str, _context: Context) -> Iterator[str]:
    """Yield the time without its marks, or with others in their place."""
    yield from {
        text.replace("T", " "),
        text.replace("T", " ").replace("Z", ""),
        "".join(c for c in text if c.isdigit()),
        text[:19].translate({ord(c): None for c in "-:T"}),
        text.replace("+", " "),
        text.replace("+", "%2B").replace(":", "%3A"),
        text.lower(),
        text.upper(),
    } - {text}


def taken_twice(text: str, _context: Context) -> Iterator[str]:
    """Yield the times near it, in the same form."""
    if text.isdecimal() and len(text) in {10, 13}:
        steps = 5 if len(text) == 10 else _NEAR
        for step in range(1, steps + 1):
            yield str(int(text) + step)
            yield str(int(text) - step)
        return
    moment = _moment(text)
    if moment is None:
        return
    fraction = _fraction(text)
    zone = text[19 + len(fraction) :]
    digits = len(fraction) - 1 if fraction else 0
    unit = timedelta(seconds=1) if digits == 0 else timedelta(milliseconds=1)
    if digits not in {0, 3}:
        return
    for step in range(1, (5 if digits == 0 else _NEAR) + 1):
        for near in (moment + step * unit, moment - step * unit):
            text_ = near.strftime("%Y-%m-%dT%H:%M:%S")
            yield text_ + (f".{near.microsecond // 1000:03d}" if digits else "") + zone


def _forms(moment: datetime) -> Iterator[str]:
    micros = f"{moment.microsecond:06d}"
    for offset in (UTC, _SINGAPORE):
        for fraction in ("", f".{micros[:3]}", f".{micros}"):
            yield from _zones(moment.astimezone(offset), fraction)


def _zones(moment: datetime, fraction: str) -> Iterator[str]:
    head = moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction
    offset = moment.strftime("%z")
    yield head
    if offset == "+0000":
        yield head + "Z"
    yield from (head + offset, f"{head}{offset[:3]}:{offset[3:5]}", head + offset[:3])


def _fraction(text: str) -> str:
    """Return the decimals of a second, with their point."""
    rest = text[19:]
    if rest[:1] not in {".", ","}:
        return ""
    return rest[: 1 + len(rest[1:]) - len(rest[1:].lstrip("0123456789"))]


def _moment(text: str) -> datetime | None:
    """Read a time, in years that have others before and after them."""
    moment = parse_time(text)
    return moment if moment is not None and 1970 <= moment.year < 9999 else None


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.astimezone(UTC) if 1970 <= moment.year < 9999 else None
