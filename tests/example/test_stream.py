"""Messages reach an open page by themselves, and a page that comes back gets what it missed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest
from flask import Flask

from example_app.records import receive
from example_app.trial import stream
from tests.servers import serving

pytestmark = pytest.mark.slow


@contextmanager
def opened(url: str, query: str = "", **headers: str) -> Iterator[HTTPResponse]:
    """Open a stream of the phone."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("GET", f"/phone/stream{query}", headers=headers)
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def events(answer: HTTPResponse) -> Iterator[tuple[str, str, str]]:
    """Return id, channel and HTML of each message, as they arrive."""
    last = ""
    while line := answer.readline():
        name, _, value = line.decode().strip().partition(": ")
        if name == "id":
            last = value
        if name == "data":
            told = json.loads(value)
            yield last, told["channel"], told["html"]


def arrive(app: Flask, text: str, address: str = "+63 917 555 0101") -> None:
    with app.app_context():
        receive("EMAIL" if "@" in address else "MOBILE", address, text)


def test_a_message_arrives_while_the_stream_is_open(app: Flask) -> None:
    with serving(app) as url, opened(url) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        arrive(app, "123456 is your code")
        arrive(app, "654321 by mail", "ada@mail.example")
        coming = events(answer)
        first, second = next(coming), next(coming)
    assert (first[0], first[1]) == ("1", "MOBILE")
    assert "123456" in first[2]
    assert (second[0], second[1]) == ("2", "EMAIL")


def test_a_page_that_comes_back_gets_what_it_missed_once(app: Flask) -> None:
    for number in range(4):
        arrive(app, f"number {number}")
    with serving(app) as url, opened(url, "?after=1", **{"Last-Event-ID": "2"}) as answer:
        coming = events(answer)
        assert [next(coming)[0], next(coming)[0]] == ["3", "4"]
        arrive(app, "number 4")
        assert next(coming)[0] == "5"


def test_a_new_page_gets_what_it_does_not_show(app: Flask) -> None:
    for number in range(2):
        arrive(app, f"number {number}")
    with serving(app) as url, opened(url, "?after=1") as answer:
        assert next(events(answer))[0] == "2"


def test_the_stream_of_a_user_has_no_message_of_another(app: Flask) -> None:
    with serving(app) as url, opened(url, "?user=nora") as answer:
        arrive(app, "for Ada")
        arrive(app, "for Nora", "+63 917 555 0103")
        assert "for Nora" in next(events(answer))[2]


def test_a_message_is_text_in_the_stream_too(app: Flask) -> None:
    with serving(app) as url, opened(url) as answer:
        arrive(app, "<script>alert(1)</script>")
        assert "<script>" not in next(events(answer))[2]


def test_streams_end_by_themselves(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LIFE", 0.6)
    with serving(app) as url, opened(url) as answer:
        assert list(events(answer)) == []


def test_streams_are_bounded_and_their_places_are_given_back(app: Flask) -> None:
    """What is left open by a page that has gone is noticed within seconds."""
    with serving(app) as url:
        held = [opened(url) for _ in range(stream.STREAMS)]
        assert [one.__enter__().status for one in held] == [200] * stream.STREAMS
        with opened(url) as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        for one in held:
            one.__exit__(None, None, None)
        end = time.monotonic() + 8
        statuses = [503]
        while 200 not in statuses and time.monotonic() < end:
            time.sleep(0.2)
            with opened(url) as answer:
                statuses.append(answer.status)
    assert statuses[-1] == 200


def test_a_look_at_the_head_of_a_stream_holds_no_place(app: Flask) -> None:
    for _ in range(2 * stream.STREAMS):
        with app.test_client().head("/phone/stream") as answer:
            assert answer.status_code == 200
