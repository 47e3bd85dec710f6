"""The metrics and spans, with their labels and attributes: their names are stable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Say how a metric is to be read."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"
    FILE = "gauge, in the file of `purge --metrics-file`"


@dataclass(frozen=True, slots=True)
class Metric:
    """Describe one metric.

    :param name: with ``_total`` if it is a counter.
    :param labels: whose values are bounded, whatever callers send.
    :param across: how the values of several processes make one, in the words of
        prometheus-client; for gauges.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    across: str = "livesum"


PURGED_AT: Final = "otp_mpp_purge_last_success_timestamp_seconds"
PURGED_ROWS: Final = "otp_mpp_purge_deleted_rows"

METRICS: Final[Sequence[Metric]] = (
    Metric(
        "otp_mpp_requests_total",
        Kind.COUNTER,
        ("protocol", "operation", "code", "status", "reason"),
        "Requests that were answered. `status` is S, F or U (not known) as in the tables of codes; "
        "`reason` is empty if the request was granted.",
    ),
    Metric(
        "otp_mpp_request_duration_seconds",
        Kind.HISTOGRAM,
        ("protocol", "operation"),
        "From the first byte that the app sees until the answer.",
    ),
    Metric(
        "otp_mpp_store_duration_seconds",
        Kind.HISTOGRAM,
        ("operation",),
        "Time of a request in the store, waits and retries included.",
    ),
    Metric(
        "otp_mpp_hooks_duration_seconds",
        Kind.HISTOGRAM,
        ("operation",),
        "Time of a request in your hooks `user_loader`, `user_identity` and `client_key`.",
    ),
    Metric(
        "otp_mpp_delivery_duration_seconds",
        Kind.HISTOGRAM,
        ("channel",),
        "Time of a sender, whether it accepted the message or not.",
    ),
    Metric(
        "otp_mpp_sends_total",
        Kind.COUNTER,
        ("protocol", "client", "channel", "result"),
        "Sends that proven callers asked for, without repeats. `result` is `sent` or the reason.",
    ),
    Metric(
        "otp_mpp_verifications_total",
        Kind.COUNTER,
        ("protocol", "client", "result"),
        "Codes that proven callers had checked, without repeats. `result` is `verified` or the "
        "reason.",
    ),
    Metric(
        "otp_mpp_signature_failures_total",
        Kind.COUNTER,
        ("protocol", "client", "reason"),
        "Requests that name a client and do not prove it: SIGNATURE_INVALID, KEY_UNKNOWN, "
        "ENCRYPTION_INVALID.",
    ),
    Metric(
        "otp_mpp_locks_total",
        Kind.COUNTER,
        ("protocol", "kind"),
        "Users that were locked at a client (`lock`), or for whom OTP was disabled (`disabled`).",
    ),
    Metric(
        "otp_mpp_failures_total",
        Kind.COUNTER,
        ("part",),
        "Requests that ended by an exception in a part: `store`, `hooks` or `delivery`.",
    ),
    Metric(
        "otp_mpp_limiter_failures_total",
        Kind.COUNTER,
        (),
        "Calls to the storage of the traffic limits that failed, or were not made because of that.",
    ),
    Metric(
        "otp_mpp_store_retries_total",
        Kind.COUNTER,
        (),
        "Tries of the store after one that had done nothing.",
    ),
    Metric(
        "otp_mpp_private_key_operations_total",
        Kind.COUNTER,
        ("operation",),
        "Answers signed (`sign`), and bodies of Google decrypted (`decrypt`).",
    ),
    Metric(
        "otp_mpp_operator_acts_total",
        Kind.COUNTER,
        ("act",),
        "What your app did by `otp.unlock` and `otp.forget`, and `key_change`; commands are "
        "processes of their own.",
    ),
    Metric(
        "otp_mpp_circuit_open",
        Kind.GAUGE,
        ("service",),
        "1 while a process leaves `store` or `limiter` alone, because calls fail.",
        across="livemax",
    ),
    Metric(
        "otp_mpp_deliveries_at_work", Kind.GAUGE, (), "Messages that are being handed to senders."
    ),
    Metric(
        "otp_mpp_delivery_places", Kind.GAUGE, (), "How many may be at a time (OTP_MPP_DELIVERIES)."
    ),
    Metric(
        "otp_mpp_pgp_messages",
        Kind.GAUGE,
        ("work", "state"),
        "PGP messages by `work` (`opening`, `sealing`) and `state` (`at_work`, `waiting`).",
    ),
    Metric(
        "otp_mpp_clock_skew_seconds",
        Kind.GAUGE,
        (),
        "By how much this machine's clock is ahead of its callers'; none while that is not known.",
        across="livemostrecent",
    ),
    Metric(
        "otp_mpp_secret_file_modified_timestamp_seconds",
        Kind.GAUGE,
        ("setting", "file"),
        "When a file with a key or pepper was written last, as this process found it. A secret "
        "that comes from no file has no known age.",
        across="livemin",
    ),
    Metric(
        "otp_mpp_store_info",
        Kind.GAUGE,
        ("store",),
        "1 for the kind of store: `sql`, `redis`, `memory` or `other`.",
        across="livemax",
    ),
    Metric(PURGED_AT, Kind.FILE, (), "When a purge succeeded last."),
    Metric(PURGED_ROWS, Kind.FILE, (), "How many rows it deleted."),
)

SPANS: Final = {
    "otp_mpp.send, otp_mpp.verify, otp_mpp.echo": "One request of that operation.",
    "otp_mpp.request": "A request whose operation is not known.",
    "otp_mpp.store": "A call to the store, in a request.",
    "otp_mpp.hooks": "A hook that finds a user or a client's key, in a request.",
    "otp_mpp.delivery": "A sender, in a request.",
}
"""The names of spans, and what each covers."""

ATTRIBUTES: Final = (
    "protocol",
    "operation",
    "client",
    "channel",
    "code",
    "reason",
    "repeated",
    "challenge",
    "reference",
    "tracer",
    "attempts",
)
"""Of a request's span, each behind ``otp_mpp.``; what is not known is left out."""
