"""Spans for OpenTelemetry, by its API alone (extra ``otel``); without it nothing is done.

What a request knows of secrets and users is in no span: traces often leave the house.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, has_request_context, request

from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.core.trace import Part, Trace
from flask_otp_mpp.protocols.values import Act, Event
from flask_otp_mpp.web.events import add_sink

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

logger = logging.getLogger("flask_otp_mpp")
_EXTENSION: Final = "otp_mpp_spans"
_SPAN: Final = "flask_otp_mpp.span"
_NOTHING: Final = nullcontext()
_FAILURES: Final = (Reason.UNFORESEEN, Reason.OVERLOADED)


def init_tracing(app: Flask, tracer_provider: TracerProvider | None = None) -> bool:
    """Make a span of OpenTelemetry for each request, and one in it for each part that may be slow.

    Spans of the libraries that your hooks use are inside of them.

    :param tracer_provider: by default the global one.
    :returns: whether spans are made; they are not if opentelemetry-api is missing.
    :raises RuntimeError: if the app makes spans already.
    """
    if _EXTENSION in app.extensions:
        raise RuntimeError("this app makes spans already; call init_tracing once")
    try:
        import opentelemetry.trace  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError:
        return False
    app.extensions[_EXTENSION] = spans = Spans(tracer_provider)
    add_sink(app, spans.end)
    return True


def request_span(app: Flask, trace: Trace) -> AbstractContextManager[None]:
    """Return what makes the span of a request the current one, if the app makes spans."""
    spans: Spans | None = app.extensions.get(_EXTENSION)
    return _NOTHING if spans is None else spans.request(trace)


class Spans:
    """Make the spans of one app. No error of a tracer changes an answer."""

    def __init__(self, provider: TracerProvider | None) -> None:
        from opentelemetry import context, trace  # noqa: PLC0415 - an extra

        self._api = trace
        self._context = context
        self._tracer = trace.get_tracer("flask_otp_mpp", tracer_provider=provider)

    @contextmanager
    def request(self, trace: Trace) -> Iterator[None]:
        """Make the span of a request the current one; its event ends it."""
        token = None
        try:
            begun = time.time_ns() - int(trace.total * 1e9)
            span = self._tracer.start_span("otp_mpp.request", start_time=begun)
            token = self._context.attach(self._api.set_span_in_context(span))
            request.environ[_SPAN] = span
            trace.spans = self._part
        except Exception as error:  # noqa: BLE001 - any tracer
            _tell(error)
        try:
            yield
        finally:
            if token is not None:
                self._context.detach(token)

    def end(self, event: Event) -> None:
        """End the span of a request by its event; make one if it ended before it had any."""
        if isinstance(event.operation, Act) or not has_request_context():
            return
        span = request.environ.pop(_SPAN, None)
        if span is None:
            begun = time.time_ns() - int(event.seconds.get("total", 0) * 1e9)
            span = self._tracer.start_span("otp_mpp.request", start_time=begun)
        if event.operation is not None:
            span.update_name(f"otp_mpp.{event.operation}")
        for name, value in _attributes(event).items():
            if value not in ("", None):
                span.set_attribute(f"otp_mpp.{name}", value)
        if event.reason in _FAILURES:
            self._fail(span, event.failed or event.reason.name)
        span.end()

    @contextmanager
    def _part(self, part: Part) -> Iterator[None]:
        """Make a span for a part of a request; an exception is told by its type alone."""
        span = token = None
        try:
            span = self._tracer.start_span(f"otp_mpp.{part}")
            token = self._context.attach(self._api.set_span_in_context(span))
        except Exception as error:  # noqa: BLE001 - any tracer
            _tell(error)
        failure = ""
        try:
            yield
        except BaseException as error:
            failure = "" if isinstance(error, Refused) else type(error).__name__
            raise
        finally:
            try:
                if token is not None:
                    self._context.detach(token)
                if span is not None:
                    if failure:
                        self._fail(span, failure)
                    span.end()
            except Exception as error:  # noqa: BLE001 - any tracer
                _tell(error)

    def _fail(self, span: Any, why: str) -> None:
        span.set_status(self._api.Status(self._api.StatusCode.ERROR, why))


def _attributes(event: Event) -> dict[str, Any]:
    return {
        "protocol": event.protocol,
        "operation": None if event.operation is None else event.operation.value,
        "client": None if event.caller is None else event.caller.client,
        "channel": None if event.channel is None else event.channel.value,
        "code": event.code,
        "reason": None if event.reason is None else event.reason.name,
        "repeated": event.repeated,
        "challenge": event.challenge_id,
        "reference": event.reference,
        "tracer": event.tracer,
        "attempts": event.attempts,
    }


def _tell(error: Exception) -> None:
    logger.error("a tracer raised %s", type(error).__name__)
