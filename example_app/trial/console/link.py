"""How the console's requests reach the wallet, and what is noted on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask

from example_app.otp import otp
from example_app.records import PhoneMessage, records
from example_app.trial.console.faults import BURST_LIMIT
from flask_otp_mpp import (
    Event,
    SQLAlchemyStore,
    otp_refused,
    otp_sent,
    otp_verified,
    state_of,
)
from flask_otp_mpp.callers import Call, Response, over_wsgi


@dataclass(frozen=True, slots=True)
class Passage:
    """What was noted of one request.

    :param event: the event that the package has published for it.
    :param messages: how many messages went out meanwhile.
    """

    seconds: float
    event: Event | None
    messages: int


class Link:
    """A transport to the wallet that serves this page.

    A request goes through the whole WSGI app, as a server would call it: the same bytes, all
    middleware, all hooks. It does not go through a socket, because the server may have one thread
    only, which is busy with this page: it would wait for itself. So the time that is noted is that
    of the app without a network, and the events are those of the thread that made the request.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._send = over_wsgi(app)
        self.last = Passage(0.0, None, 0)

    def __call__(self, call: Call) -> Response:
        """Send a request; what is noted of it is in ``last``."""
        before = _messages()
        with _events(self._app) as events:
            begin = time.perf_counter()
            # In a context of its own: nothing of the page's request is seen by the wallet's.
            response = Context().run(self._send, call)
            seconds = time.perf_counter() - begin
        self.last = Passage(seconds, events[-1] if events else None, _messages() - before)
        return response


@contextmanager
def limited_app(app: Flask) -> Iterator[Flask]:
    """Make a second app that serves the same wallet, with a traffic limit that is soon reached.

    The limit of the wallet itself is too high for a burst that ends in a second. The second app has
    the same hooks, keys and databases, and counts its traffic for itself.
    """
    second = Flask(app.import_name, instance_path=app.instance_path)
    second.config.update(app.config, OTP_MPP_CLIENT_LIMIT=BURST_LIMIT)
    second.extensions["records"] = app.extensions["records"]
    otp.init_app(second)
    try:
        yield second
    finally:
        store = state_of(second).store
        if isinstance(store, SQLAlchemyStore):
            store.engine.dispose()


@contextmanager
def _events(app: Flask) -> Iterator[list[Event]]:
    """Collect the events of the requests that this thread makes."""
    thread = threading.get_ident()
    seen: list[Event] = []

    def note(_app: Flask, event: Event, **_: Any) -> None:
        if threading.get_ident() == thread:
            seen.append(event)

    with ExitStack() as stack:
        for signal in (otp_sent, otp_verified, otp_refused):
            stack.enter_context(signal.connected_to(note, app))
        yield seen


def _messages() -> int:
    with records() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(PhoneMessage)) or 0
