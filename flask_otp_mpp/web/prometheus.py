"""The metrics of one registry, and what counts the events of one app in them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast
from weakref import WeakKeyDictionary, WeakSet

from flask import Flask
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from flask_otp_mpp.core.reasons import FOREVER, Reason
from flask_otp_mpp.core.trace import Part
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.protocols.values import Act, Event, Operation
from flask_otp_mpp.web.extension import EXTENSION
from flask_otp_mpp.web.gauges import Gauges
from flask_otp_mpp.web.metric_table import METRICS, Kind, Metric
from flask_otp_mpp.web.state import State

OTHER: Final = "other"
"""A label whose value is none of those that are known."""
EVERY: Final = 1.0
"""Seconds between two readings of the gauges, while requests come."""
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 10)
"""Callers wait for five seconds, Google for three."""
_UNPROVEN: Final = (Reason.SIGNATURE_INVALID, Reason.KEY_UNKNOWN, Reason.ENCRYPTION_INVALID)


class Metrics(Collector):
    """The metrics in one registry; when it is read, gauges are brought up to date first."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.apps: WeakSet[AppMetrics] = WeakSet()
        registry.register(self)  # before the gauges, which are collected in this order
        self.of = {one.name: _made(one, registry) for one in METRICS if one.kind is not Kind.FILE}

    def describe(self) -> Iterable[Any]:
        return ()

    def collect(self) -> Iterable[Any]:
        for app in list(self.apps):
            app.refresh()
        return ()


_known: WeakKeyDictionary[CollectorRegistry, Metrics] = WeakKeyDictionary()


def metrics_in(registry: CollectorRegistry | None) -> Metrics:
    """Return the metrics in a registry; they are registered with the first app."""
    registry = REGISTRY if registry is None else registry
    if registry not in _known:
        _known[registry] = Metrics(registry)
    return _known[registry]


def exposition(registry: CollectorRegistry) -> tuple[bytes, str]:
    """Return all metrics as text, and its media type; those of all processes if they share."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class _Request:
    """The metrics of requests that are alike; to look them up costs more than to count."""

    requests: Counter
    total: Histogram
    store: Histogram
    hooks: Histogram


class AppMetrics:
    """Count the events of one app.

    :param app: it may get its OtpMpp later.
    """

    def __init__(self, app: Flask, metrics: Metrics) -> None:
        self._app = app
        self._of = metrics.of
        self._requests: dict[tuple[object, ...], _Request] = {}
        self._children: dict[tuple[str, ...], Any] = {}
        self._gauges: Gauges | None = None
        self._protocols: Mapping[str, WireProtocol] = {}
        self._due = 0.0
        metrics.apps.add(self)

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event.operation, Act):
            self._child("otp_mpp_operator_acts_total", event.operation.value).inc()
            return
        key = (event.protocol, event.operation, event.code, event.reason)
        known = self._requests.get(key)
        if known is None:
            known = self._requests[key] = self._request(event)
        known.requests.inc()
        seconds = event.seconds
        known.total.observe(seconds.get("total", 0.0))
        if "store" in seconds:
            known.store.observe(seconds["store"])
        if "hooks" in seconds:
            known.hooks.observe(seconds["hooks"])
        if event.caller is not None and not event.repeated:
            self._count_work(event)
        if event.reason is not None:
            self._count_refusal(event)
        if event.retries:
            self._child("otp_mpp_store_retries_total").inc(event.retries)
        trouble = event.reason in (Reason.UNFORESEEN, Reason.OVERLOADED)
        if trouble or time.monotonic() >= self._due:
            self.refresh()

    def refresh(self) -> None:
        """Bring the gauges up to date, and the counters that are kept elsewhere."""
        self._due = time.monotonic() + EVERY
        if self._gauges is None and (state := self._state()) is not None:
            self._gauges = Gauges(state, self._app.config, self._child)
            for name, *labels in _expected(state):
                self._child(name, *labels)
        if self._gauges is not None:
            self._gauges.refresh()

    def _state(self) -> State | None:
        """Return the state of the app; None as long as it serves no OTP."""
        state = self._app.extensions.get(EXTENSION)
        return state if isinstance(state, State) else None

    def _request(self, event: Event) -> _Request:
        state = self._state()
        if not self._protocols and state is not None:
            self._protocols = {protocol.name: protocol for protocol in state.protocols}
        operation = "none" if event.operation is None else event.operation.value
        protocol = self._protocols[event.protocol]
        reason = "" if event.reason is None else event.reason.name
        status = _status(protocol, event.reason)
        code = event.code if event.code in _codes(protocol) else OTHER
        return _Request(
            self._child("otp_mpp_requests_total", event.protocol, operation, code, status, reason),
            self._child("otp_mpp_request_duration_seconds", event.protocol, operation),
            self._child("otp_mpp_store_duration_seconds", operation),
            self._child("otp_mpp_hooks_duration_seconds", operation),
        )

    def _count_work(self, event: Event) -> None:
        """Count a send or a verification of a proven caller."""
        result = None if event.reason is None else event.reason.name
        client = self._client(event.protocol, event.caller.client if event.caller else "")
        if event.operation is Operation.VERIFY:
            name = "otp_mpp_verifications_total"
            self._child(name, event.protocol, client, result or "verified").inc()
        elif event.operation is Operation.SEND and event.channel is not None:
            channel = event.channel.value
            name = "otp_mpp_sends_total"
            self._child(name, event.protocol, client, channel, result or "sent").inc()
            if "delivery" in event.seconds:
                delivery = self._child("otp_mpp_delivery_duration_seconds", channel)
                delivery.observe(event.seconds["delivery"])

    def _count_refusal(self, event: Event) -> None:
        """Count what a refusal tells beside its code."""
        if event.failed:
            self._child("otp_mpp_failures_total", event.failed).inc()
        if event.reason in _UNPROVEN:
            client = self._client(event.protocol, event.claimed)
            reason = event.reason.name
            name = "otp_mpp_signature_failures_total"
            self._child(name, event.protocol, client, reason).inc()
        begins_lock = event.reason is Reason.CODE_UNMATCHED and not event.repeated
        if begins_lock and event.until is not None:
            kind = "disabled" if event.until == FOREVER else "lock"
            self._child("otp_mpp_locks_total", event.protocol, kind).inc()

    def _client(self, protocol: str, client: str) -> str:
        return client if client in self._protocols[protocol].client_names else OTHER

    def _child(self, name: str, *labels: str) -> Any:
        """Return a metric with the values of its labels."""
        key = (name, *labels)
        child = self._children.get(key)
        if child is None:
            metric = self._of[name]
            child = self._children[key] = metric.labels(*labels) if labels else metric
        return child


def _expected(state: State) -> Iterator[tuple[str, ...]]:
    """Yield counters that are to be 0 from the start: Prometheus sees no increase from nothing."""
    for part in Part:
        yield "otp_mpp_failures_total", part.value
    for protocol in state.protocols:
        for kind in ("lock", "disabled"):
            yield "otp_mpp_locks_total", protocol.name, kind
        for client in protocol.client_names:
            yield "otp_mpp_verifications_total", protocol.name, client, "verified"
            for reason in _UNPROVEN:
                yield "otp_mpp_signature_failures_total", protocol.name, client, reason.name


def _made(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    kinds: Mapping[Kind, Any] = {
        Kind.COUNTER: Counter,
        Kind.HISTOGRAM: partial(Histogram, buckets=_BUCKETS),
        Kind.GAUGE: partial(Gauge, multiprocess_mode=cast(Any, metric.across)),
    }
    name = metric.name.removesuffix("_total")
    made: Counter | Gauge | Histogram = kinds[metric.kind](
        name, metric.meaning, metric.labels, registry=registry
    )
    return made


def _status(protocol: WireProtocol, reason: Reason | None) -> str:
    """Return S, F or U: granted, refused, or an end that the caller can't know."""
    if reason is None:
        return "S"
    status = protocol.chosen_codes[reason].status
    if status.isdecimal():  # Google's are those of HTTP; 409 is a request at work
        return "U" if int(status) >= 500 or status == "409" else "F"
    return status


def _codes(protocol: WireProtocol) -> frozenset[str]:
    """Return all codes of a protocol's answers; where there is none, it is the HTTP status."""
    rows = [protocol.success, *protocol.codes.values(), *protocol.chosen_codes.values()]
    statuses = (str(status) for status in range(400, 600))
    return frozenset([*(row.code for row in rows), *(row.status for row in rows), *statuses])
