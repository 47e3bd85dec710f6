"""Server-sent events: new messages reach an open page by themselves.

A stream holds a thread of the server. So there are few of them, and each ends after a while: the
browser comes back, and says by Last-Event-ID what it has seen.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

from flask import Flask, Response, current_app, request, stream_with_context

from example_app.records import PhoneMessage, User
from example_app.trial.received import messages_after

STREAMS = 6
LIFE = 60.0
HEARTBEAT = 1.0
"""Seconds after which something is written, by which a closed connection is noticed."""
INTERVAL = 0.25
"""Seconds between two looks into the database, where another process may store messages."""


def init_app(app: Flask) -> None:
    """Give an app its places for streams."""
    app.extensions["streams"] = threading.BoundedSemaphore(STREAMS)


def message_stream(user: User | None, draw: Callable[[PhoneMessage], str]) -> Response:
    """Answer with the messages that a page has not seen, and with later ones when they arrive.

    :param user: whose messages; None for those of everybody.
    :param draw: returns a message as HTML.
    :returns: 503 if all streams are taken.
    """
    places: threading.BoundedSemaphore = current_app.extensions["streams"]
    if not places.acquire(blocking=False):
        return Response("All streams are taken; ask again later.\n", 503, {"Retry-After": "5"})
    response = Response(
        stream_with_context(_events(_known(), user, draw)), mimetype="text/event-stream"
    )
    response.call_on_close(places.release)
    return response


def _known() -> int:
    seen = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    return int(seen) if seen.isascii() and seen.isdigit() else 0


def _events(known: int, user: User | None, draw: Callable[[PhoneMessage], str]) -> Iterator[str]:
    yield "retry: 1000\n\n"
    now = written = time.monotonic()
    end = now + LIFE
    while now < end:
        for message in messages_after(known, user):
            known, written = message.id, now
            told = json.dumps({"channel": message.channel, "html": draw(message)})
            yield f"id: {known}\ndata: {told}\n\n"
        if now - written > HEARTBEAT:
            written = now
            yield ": still here\n\n"
        time.sleep(INTERVAL)
        now = time.monotonic()
