"""Spans of OpenTelemetry: one for a request, and one in it for each part; no secret in any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flask_otp_mpp import Message, OtpMpp, init_tracing
from flask_otp_mpp.web.metric_table import ATTRIBUTES, SPANS
from tests.wallet import CLIENT, User, Wallet

MakeWallet = Callable[..., Wallet]


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


@pytest.fixture
def traced(make_wallet: MakeWallet, provider: TracerProvider) -> MakeWallet:
    """Open wallets whose spans the exporter of the test gets."""

    def make(**how: Any) -> Wallet:
        return make_wallet(finish=lambda app: init_tracing(app, provider), **how)

    return make


def named(spans: tuple[ReadableSpan, ...], name: str) -> ReadableSpan:
    [found] = [span for span in spans if span.name == f"otp_mpp.{name}"]
    return found


def test_a_request_is_a_span_and_its_parts_are_spans_in_it(
    traced: MakeWallet, exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """O10: with the names and attributes of the table; a span of the host's lies in its part."""

    def sender(_user: User, _message: Message) -> None:
        provider.get_tracer("host").start_span("otp_mpp.http").end()

    wallet = traced(sender=sender)
    wallet.send()
    spans = exporter.get_finished_spans()
    request = named(spans, "send")
    assert request.parent is None
    assert (
        dict(request.attributes or {}).items()
        >= {
            "otp_mpp.protocol": "alipayplus",
            "otp_mpp.client": CLIENT,
            "otp_mpp.code": "SUCCESS",
            "otp_mpp.channel": "MOBILE",
        }.items()
    )
    known = {f"otp_mpp.{name}" for name in ATTRIBUTES}
    assert set(request.attributes or {}) <= known
    for part in ("hooks", "delivery"):
        parent = named(spans, part).parent
        assert parent is not None
        assert parent.span_id == request.context.span_id
    inside = named(spans, "http").parent
    assert inside is not None
    assert inside.span_id == named(spans, "delivery").context.span_id
    told = {name for names in SPANS for name in names.split(", ")}
    assert {span.name for span in spans} - {"otp_mpp.http"} <= told
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_failure_is_an_error_of_its_part_by_type_alone(
    traced: MakeWallet, exporter: InMemorySpanExporter
) -> None:
    """O10, P1: no message of an exception, no user, code, token or address."""

    def sender(user: User, message: Message) -> None:
        raise TimeoutError(f"canary {user.phone} {message.code}")

    wallet = traced(sender=sender)
    wallet.send()
    spans = exporter.get_finished_spans()
    for name, why in (("send", "delivery"), ("delivery", "TimeoutError")):
        status = named(spans, name).status
        assert (status.status_code, status.description) == (trace.StatusCode.ERROR, why)
    text = "".join(span.to_json() for span in spans)
    for secret in ("canary", "tok-ada", "+86130ada", '"ada"'):
        assert secret not in text


def test_a_request_that_the_host_stops_has_a_span_too(
    make_wallet: MakeWallet, exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """O10: it ended before the package was reached."""

    def prepare(app: Flask, _otp: OtpMpp) -> None:
        app.before_request(lambda: abort(403))
        init_tracing(app, provider)

    make_wallet(prepare=prepare).send()
    [span] = exporter.get_finished_spans()
    assert (span.attributes or {})["otp_mpp.reason"] == "ACCESS_DENIED"
    assert span.name == "otp_mpp.request"


def test_no_error_of_a_tracer_changes_an_answer(
    traced: MakeWallet, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """O10: at the start or the end of a span."""

    class Broken(SimpleSpanProcessor):
        def on_start(self, *_: object, **__: object) -> None:
            raise OSError("no collector")

        def on_end(self, *_: object, **__: object) -> None:
            raise OSError("no collector")

    provider.add_span_processor(Broken(InMemorySpanExporter()))
    wallet = traced()
    assert wallet.send().code == "SUCCESS"
    assert "a tracer raised OSError" in caplog.text


def test_a_second_call_for_an_app_is_refused(traced: MakeWallet) -> None:
    """F2: each request would have two spans."""
    wallet = traced()
    with pytest.raises(RuntimeError, match="call init_tracing once"):
        init_tracing(wallet.app)
