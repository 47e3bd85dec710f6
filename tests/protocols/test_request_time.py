"""A request is fresh within its window, to the microsecond, in every form that callers write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.caller import CLIENT_ID
from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.protocols.alipay.signed_headers import parse_time
from flask_otp_mpp.signing.rsa256 import canonical
from tests.protocols.caller import CLOCK, FRESHNESS, inbound, refusal, signed_headers

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-02-20T08:51:49.09Z", datetime(2025, 2, 20, 8, 51, 49, 90_000, UTC)),
        ("2019-05-28T12:12:12+08:00", datetime(2019, 5, 28, 4, 12, 12, 0, UTC)),
        ("2019-05-28T12:12:12+0800", datetime(2019, 5, 28, 4, 12, 12, 0, UTC)),
        ("2019-05-28T12:12:12-02:30", datetime(2019, 5, 28, 14, 42, 12, 0, UTC)),
        ("2025-02-20T08:51:49.123456789Z", datetime(2025, 2, 20, 8, 51, 49, 123_456, UTC)),
        ("1685599933871", datetime(2023, 6, 1, 6, 12, 13, 871_000, UTC)),
        ("2026-03-01T08:51Z", datetime(2026, 3, 1, 8, 51, 0, 0, UTC)),  # java.time at second 0
        ("2026-03-01T08:51+08:00", datetime(2026, 3, 1, 0, 51, 0, 0, UTC)),
        ("2026-03-01T08:51:49+08", datetime(2026, 3, 1, 0, 51, 49, 0, UTC)),
        ("2026-03-01T08:51:49-02", datetime(2026, 3, 1, 10, 51, 49, 0, UTC)),
        ("2026-03-01t08:51:49z", datetime(2026, 3, 1, 8, 51, 49, 0, UTC)),
        ("2026-03-01T08:51:49,5Z", datetime(2026, 3, 1, 8, 51, 49, 500_000, UTC)),
        ("2026-03-01T08:51:49.1234567Z", datetime(2026, 3, 1, 8, 51, 49, 123_456, UTC)),  # .NET
        ("1772355109123456789", datetime(2026, 3, 1, 8, 51, 49, 123_456, UTC)),  # the SDK in Go
        ("9999999999999999999", datetime(2286, 11, 20, 17, 46, 39, 999_999, UTC)),
        ("9999999999999", datetime(2286, 11, 20, 17, 46, 39, 999_000, UTC)),
    ],
)
def test_the_published_forms_are_read_as_clients_print_them(text: str, moment: datetime) -> None:
    """G7: ISO 8601 with an offset, and milliseconds since the epoch."""
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "0",
        "168559993387",
        "16855999338710",
        "168559993387100000",
        "16855999338710000000",
        "-685599933871",
        "1685599933.871",
        "\u0661685599933871",
        "1685599933871\n",
        "2025-02-20",
        "2025-02-20T08:51:49",
        "2025-02-20T08:51",
        "2025-02-20T08Z",
        "2025-02-20T08:51.5Z",
        "2025-02-20 08:51:49Z",
        "2025-02-20T24:00:00Z",
        "2025-02-20T08:51:49+08:00[Asia/Shanghai]",
        "2025-02-20T08:51:49+08:00:30",
        "2025-02-20T08:51:49.Z",
        "2025-02-20T08:51:49Z ",
        "2025-02-20T08:51:49+8",
        "2025-02-20T08:51:49+24:00",
        "2025-02-30T08:51:49Z",
        "2025-02-20T25:51:49Z",
        "2025-02-20T08:51:60Z",
        "0000-01-01T00:00:00Z",
        "2025-W08-4T08:51:49Z",
        "20250220T085149Z",
        "2025-02-20T08:51:49Z,2025-02-20T08:51:49Z",
        "2025-02-20T08:51:49.1234567890Z",
    ],
)
def test_anything_else_is_no_time(text: str) -> None:
    """G7: no time without an offset is guessed at."""
    assert parse_time(text) is None
    assert refusal(signed_headers().open, inbound(time=text.replace("\u0661", "x"))).reason is (
        Reason.REQUEST_STALE
    )


@given(st.integers(0, 8000 * 365 * 24 * 3600 * 10**6), offsets)
def test_iso_8601_is_read_exactly(microseconds: int, zone: timezone) -> None:
    """G7: whatever the offset, it is the same moment."""
    moment = (EPOCH + microseconds * MICROSECOND).astimezone(zone)
    assert parse_time(moment.isoformat(timespec="microseconds")) == moment


@given(st.integers(10**12, 10**13 - 1))
def test_milliseconds_are_read_exactly(number: int) -> None:
    """G7: no rounding moves a request across the edge of the window."""
    assert parse_time(str(number)) == EPOCH + 1000 * number * MICROSECOND


@given(st.text("0123456789-+:.TZ ", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_moment_with_an_offset_or_none(text: str) -> None:
    """G7: no spelling raises."""
    moment = parse_time(text)
    assert moment is None or moment.utcoffset() is not None


seconds = st.from_regex(r"(:49([.,][0-9]{1,9})?)?", fullmatch=True)
zones = st.sampled_from(["Z", "z", "+08:00", "-0230", "+08"])
times = st.builds("2025-02-20T08:51{}{}".format, seconds, zones) | st.integers(
    10**12, 10**13 - 1
).map(str)
bodies = st.binary(max_size=30) | st.lists(times | st.just("{}"), max_size=3).map(
    lambda parts: ".".join(parts).encode()
)


@given(st.from_regex(CLIENT_ID, fullmatch=True), times, bodies)
def test_a_signed_text_has_one_reading(client: str, time: str, body: bytes) -> None:
    """X3: it is parted at every two dots, and only one reading has a client and a time."""
    signed = canonical("POST", "/sendOTP", client, time, body).decode("latin-1")
    parts = signed.removeprefix("POST /sendOTP\n").split(".")
    readings = [
        (".".join(parts[:first]), ".".join(parts[first:second]), ".".join(parts[second:]))
        for first, second in combinations(range(1, len(parts)), 2)
    ]
    assert [
        reading
        for reading in readings
        if CLIENT_ID.fullmatch(reading[0]) and parse_time(reading[1]) is not None
    ] == [(client, time, body.decode("latin-1"))]


@pytest.mark.parametrize(
    ("distance", "fresh"),
    [
        (timedelta(), True),
        (FRESHNESS, True),
        (-FRESHNESS, True),
        (FRESHNESS + MICROSECOND, False),
        (-FRESHNESS - MICROSECOND, False),
    ],
)
def test_the_window_ends_to_the_microsecond_on_both_sides(
    distance: timedelta, *, fresh: bool
) -> None:
    """G7: exactly five minutes early or late is fresh, any more is not."""
    assert is_fresh((CLOCK.now + distance).isoformat()) is fresh


@given(st.integers(-600_000, 600_000), offsets)
def test_a_request_is_fresh_by_its_distance_alone(milliseconds: int, zone: timezone) -> None:
    """G7: in either form, on either side, in any time zone."""
    moment = CLOCK.now + timedelta(milliseconds=milliseconds)
    fresh = abs(milliseconds) <= 300_000
    assert is_fresh(moment.astimezone(zone).isoformat()) is fresh
    assert is_fresh(str(int(moment.timestamp() * 1000))) is fresh


def is_fresh(time: str) -> bool:
    try:
        signed_headers().open(inbound(time=time))
    except Refused as refused:
        if refused.reason is not Reason.REQUEST_STALE:
            raise
        return False
    return True


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_at_the_end_of_time_is_stale_and_no_crash(text: str) -> None:
    """G7: in UTC these have no date any more."""
    assert refusal(signed_headers().open, inbound(time=text)).reason is Reason.REQUEST_STALE


def test_a_stale_request_is_told_the_window() -> None:
    refused = refusal(signed_headers().open, inbound(time="2020-01-01T00:00:00Z"))
    assert refused.detail == "Request-Time: must be within 300 s of now."
    unreadable = refusal(signed_headers().open, inbound(time="yesterday"))
    assert unreadable.detail == "Request-Time: must be ISO 8601 with offset, or ms."
