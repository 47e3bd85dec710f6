"""Collect all that leaves an app beside its answers, as text: what each sink received."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from types import FrameType
from typing import Any, Final

from flask import Flask
from flask.signals import got_request_exception
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from flask_otp_mpp import (
    Event,
    init_metrics,
    init_tracing,
    operator_acted,
    otp_refused,
    otp_sent,
    otp_verified,
    user_locked,
)
from flask_otp_mpp.web.prometheus import exposition

_SIGNALS: Final = (otp_sent, otp_verified, otp_refused, user_locked, operator_acted)
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({})))
_DATABASE: Final = ("sqlalchemy.engine", "sqlalchemy.pool")


class Sink(StrEnum):
    """Name what receives something of an app."""

    LOG_LINES = "log lines"
    LOG_FIELDS = "log fields"
    SIGNALS = "signals"
    METRICS = "metrics"
    SPANS = "spans"
    FRAMES = "frames of exceptions"
    STACK = "the stack below a hook"
    ERRORS = "texts of our exceptions"
    AUDIT_ROWS = "audit rows"
    AUDIT_EXPORT = "audit export"
    SHOW = "show"
    SHOW_JSON = "show --json"
    ANSWERS = "answers"


class Sinks(logging.Handler):
    """Collect the texts of one app by their sink.

    :ivar texts: what each sink received, in its order.
    :ivar events: those of the signals.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: defaultdict[Sink, list[str]] = defaultdict(list)
        self.events: list[Event] = []
        self._registry = CollectorRegistry()
        self._spans = InMemorySpanExporter()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.texts[Sink.LOG_LINES].append(self.format(record))
        fields = {name: one for name, one in vars(record).items() if name not in _STANDARD}
        if fields:
            self.texts[Sink.LOG_FIELDS].append(repr(fields))

    def attach(self, app: Flask) -> None:
        """Count and trace an app, before its first request."""
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        init_metrics(app, self._registry)
        init_tracing(app, provider)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Receive log, signals and exceptions at the lowest level for the length of a block."""
        root = logging.getLogger()
        levels = {name: logging.getLogger(name).level for name in _DATABASE}
        level = root.level
        with ExitStack() as signals:
            for signal in _SIGNALS:
                signals.enter_context(signal.connected_to(self._hear))
            signals.enter_context(got_request_exception.connected_to(self._report))
            root.addHandler(self)
            root.setLevel(logging.DEBUG)
            for name in _DATABASE:
                logging.getLogger(name).setLevel(logging.DEBUG)
            try:
                yield
            finally:
                root.removeHandler(self)
                root.setLevel(level)
                for name in _DATABASE:
                    logging.getLogger(name).setLevel(levels[name])
        self.texts[Sink.METRICS].append(exposition(self._registry)[0].decode())
        self.texts[Sink.SPANS] += [span.to_json() for span in self._spans.get_finished_spans()]

    def look_at_stack(self) -> None:
        """Keep what a hook, or a reporter that it calls, finds on the stack below it."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_name != "wsgi_app":
            self._keep(Sink.STACK, frame)
            frame = frame.f_back

    def keep_error(self, error: BaseException) -> None:
        """Keep the frames of an exception and of its causes; its text if its class is ours."""
        seen: BaseException | None = error
        while seen is not None:
            if type(seen).__module__.startswith("flask_otp_mpp"):
                self.texts[Sink.ERRORS].append(f"{seen} {seen!r} {vars(seen)}")
            place = seen.__traceback__
            while place is not None:
                self._keep(Sink.FRAMES, place.tb_frame)
                place = place.tb_next
            seen = seen.__cause__ or seen.__context__

    def _keep(self, sink: Sink, frame: FrameType) -> None:
        """Keep the locals of a frame, if it is none of the host's own, which the tests are."""
        if not str(frame.f_globals.get("__name__")).startswith("tests."):
            self.texts[sink].append(f"{frame.f_code.co_qualname} {printed(frame.f_locals)}")

    def _hear(self, sender: object, **values: Any) -> None:
        self.texts[Sink.SIGNALS].append(repr(values))
        if isinstance(event := values.get("event"), Event):
            self.events.append(event)
            members = [getattr(event, one.name) for one in dataclasses.fields(event)]
            self.texts[Sink.SIGNALS].append(printed(members))

    def _report(self, sender: object, exception: BaseException, **_: object) -> None:
        self.keep_error(exception)


def printed(value: object) -> str:
    """Return what a reporter prints of a value: mappings and sequences by member."""
    if isinstance(value, BaseException) and type(value).__module__.startswith("tests."):
        return type(value).__name__  # its text is the host's
    if isinstance(value, Mapping):
        return "".join(f"{name}={printed(one)} " for name, one in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return "".join(f"{printed(one)} " for one in value)
    return repr(value)
