"""Series of a wallet on SQL as Prometheus has them: healthy, then an incident, and healthy again.

Values are per minute. All the time strangers send bad signatures, a hundred times as often as
callers send anything.
"""

from __future__ import annotations

from typing import Final

BEFORE: Final = 80
DURING: Final = 45
AFTER: Final = 30
"""Minutes before, during and after an incident."""
THROUGHOUT: Final = 225
"""Minutes of what is so all the time."""
OWN: Final = 'protocol="alipayplus"'
SHOP: Final = f'{OWN},client="SHOP"'
REQUESTS: Final = f"otp_mpp_requests_total{{{OWN}"
SENDS: Final = f'otp_mpp_sends_total{{{SHOP},channel="MOBILE"'
BUCKETS: Final = f"otp_mpp_request_duration_seconds_bucket{{{OWN}"
UNKNOWN: Final = f'{REQUESTS},operation="send",reason="UNFORESEEN"}}'
SENT: Final = f'{SENDS},result="sent"}}'
UNKNOWN_SENDS: Final = f'{SENDS},result="UNFORESEEN"}}'
GRANTED: Final = f'{REQUESTS},operation="send"}}'
VERIFIED: Final = f'otp_mpp_verifications_total{{{SHOP},result="verified"}}'
LOCKS: Final = f'otp_mpp_locks_total{{{OWN},kind="lock"}}'
PURGED: Final = "otp_mpp_purge_last_success_timestamp_seconds"

COUNTERS: Final = {
    GRANTED: 6,
    f'{REQUESTS},operation="verify"}}': 5,
    UNKNOWN: 0,
    f'{REQUESTS},operation="send",reason="OVERLOADED"}}': 0,
    f'{REQUESTS},operation="send",reason="SIGNATURE_INVALID"}}': 600,
    f'{BUCKETS},operation="send",le="0.5"}}': 6,
    f'{BUCKETS},operation="send",le="4"}}': 6,
    f'{BUCKETS},operation="send",le="5"}}': 6,
    f'{BUCKETS},operation="send",le="+Inf"}}': 6,
    SENT: 6,
    f'{SENDS},result="DELIVERY_REFUSED"}}': 0,
    f'{SENDS},result="SEND_LIMITED"}}': 3,
    UNKNOWN_SENDS: 0,
    VERIFIED: 5,
    f'otp_mpp_signature_failures_total{{{OWN},client="other",reason="CLIENT_UNKNOWN"}}': 600,
    f'otp_mpp_signature_failures_total{{{SHOP},reason="SIGNATURE_INVALID"}}': 0,
    LOCKS: 0,
    'otp_mpp_failures_total{part="store"}': 0,
    'otp_mpp_failures_total{part="delivery"}': 0,
    "otp_mpp_limiter_failures_total": 0,
    PURGED: 60,  # a purge each minute
}
"""How much each counter grows in a minute."""
GAUGES: Final[dict[str, float]] = {
    'otp_mpp_circuit_open{service="store"}': 0,
    'otp_mpp_circuit_open{service="limiter"}': 0,
    'otp_mpp_deliveries_at_work{instance="one"}': 1,
    'otp_mpp_delivery_places{instance="one"}': 4,
    'otp_mpp_clock_skew_seconds{instance="one"}': 0.2,
    'otp_mpp_store_info{store="sql"}': 1,
}

INCIDENTS: Final[dict[str, tuple[dict[str, float | None], set[str]]]] = {
    "nothing": ({}, set()),
    "the provider refuses messages": (
        {SENT: 1, f'{SENDS},result="DELIVERY_REFUSED"}}': 5},
        {"OtpMppFewSendsAccepted"},
    ),
    "a hook raises": (
        {UNKNOWN: 3, UNKNOWN_SENDS: 3, GRANTED: 3, SENT: 3, VERIFIED: 3},
        {"OtpMppManyUnknownEnds"},
    ),
    "the provider is slow": (
        {f'{BUCKETS},operation="send",le="{bound}"}}': 0 for bound in ("0.5", "4")},
        {"OtpMppSlow"},
    ),
    "the store is down": (
        {
            'otp_mpp_failures_total{part="store"}': 6,
            'otp_mpp_circuit_open{service="store"}': 1,
            GRANTED: 0,
            SENT: 0,
            VERIFIED: 0,
            UNKNOWN: 6,
            UNKNOWN_SENDS: 6,
        },
        {"OtpMppStoreDown"},
    ),
    "the limiter is down, and closed": (
        {
            "otp_mpp_limiter_failures_total": 12,
            'otp_mpp_circuit_open{service="limiter"}': 1,
            GRANTED: 0,
            SENT: 0,
            VERIFIED: 0,
            UNKNOWN: 12,
        },
        {"OtpMppLimiterFailing"},
    ),
    "the limiter is down, and open": (
        {"otp_mpp_limiter_failures_total": 12, 'otp_mpp_circuit_open{service="limiter"}': 1},
        {"OtpMppLimiterFailing"},
    ),
    "somebody guesses codes of many users": ({LOCKS: 2}, {"OtpMppLockBurst"}),
    "somebody has messages sent for money": ({SENT: 60}, {"OtpMppSendsWithoutVerifies"}),
    "a client signs with another key": (
        {
            f'otp_mpp_signature_failures_total{{{SHOP},reason="SIGNATURE_INVALID"}}': 6,
            GRANTED: 0,
            SENT: 0,
            VERIFIED: 0,
        },
        {"OtpMppSignatureFailures"},
    ),
    "the clock is wrong": (
        {'otp_mpp_clock_skew_seconds{instance="one"}': -45},
        {"OtpMppClockSkew"},
    ),
    "the sender hangs": (
        {
            'otp_mpp_deliveries_at_work{instance="one"}': 4,
            f'{REQUESTS},operation="send",reason="OVERLOADED"}}': 6,
            GRANTED: 0,
            SENT: 0,
            VERIFIED: 0,
        },
        {"OtpMppDeliveriesHang"},
    ),
}
"""What changes in each incident, and the alerts that fire."""

FROM_THE_START: Final[dict[str, tuple[dict[str, float | None], set[str]]]] = {
    "the purge has stopped": ({PURGED: 0}, {"OtpMppPurgeNotRun"}),
    "there was no purge": ({PURGED: None}, {"OtpMppPurgeNotRun"}),
    "Redis needs no purge": ({PURGED: None, 'otp_mpp_store_info{store="sql"}': None}, set()),
}
"""What is so all the time; None if there is no such series."""


def series(changed: dict[str, float | None], *, throughout: bool) -> dict[str, str]:
    """Return all series in promtool's notation."""
    found = {}
    for name in {**COUNTERS, **GAUGES}:
        usual = COUNTERS.get(name, GAUGES.get(name, 0))
        then = changed.get(name, usual)
        if then is None:
            continue
        phases = [(usual, BEFORE), (then, DURING), (usual, AFTER)]
        if throughout:
            phases = [(then, THROUGHOUT)]
        parts, total = [], 0.0
        for value, minutes in phases:
            if name in COUNTERS:
                parts.append(f"{total}+{value}x{minutes - 1}")
                total += value * minutes
            else:
                parts.append(f"{value}+0x{minutes - 1}")
        found[name] = " ".join(parts)
    return found
