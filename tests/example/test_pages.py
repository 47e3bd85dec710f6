"""The pages show the delivered messages as plain text."""

from __future__ import annotations

import pytest
from flask import Flask

from example_app.records import PhoneMessage, User, records


def receive(app: Flask, text: str, address: str = "+63 900", channel: str = "MOBILE") -> None:
    message = PhoneMessage(
        channel=channel, address=address, at="2026-01-01T12:30:00+00:00", text=text
    )
    with app.app_context(), records() as session, session.begin():
        session.add(message)


def test_an_empty_phone_says_how_to_make_a_message_arrive(app: Flask) -> None:
    page = app.test_client().get("/phone", base_url="http://127.0.0.1:5000").text
    assert "Nothing has arrived yet" in page
    assert "--url http://127.0.0.1:5000" in page


def test_a_message_is_shown_with_channel_address_and_time(app: Flask) -> None:
    receive(app, "123456 is your code")
    page = app.test_client().get("/phone").text
    for part in ("123456</strong> is your code", "SMS", "+63 900", "2026-01-01 12:30:00 UTC"):
        assert part in page


def test_the_newest_message_comes_first(app: Flask) -> None:
    receive(app, "the older")
    receive(app, "the newer")
    client = app.test_client()
    page = client.get("/phone").text
    assert page.index("the newer") < page.index("the older")
    texts = [message["text"] for message in client.get("/phone.json").get_json()]
    assert texts == ["the newer", "the older"]


def test_html_in_a_message_is_text_on_the_page(app: Flask) -> None:
    receive(app, "<script>alert('hello')</script>")
    page = app.test_client().get("/phone").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_first_page_leads_to_the_phone(app: Flask) -> None:
    page = app.test_client().get("/")
    assert page.status_code == 200
    assert 'href="/phone"' in page.text
    assert 'href="/phone.json"' in page.text


def test_a_phone_shows_what_its_user_received(app: Flask) -> None:
    receive(app, "for Ada", "+63 917 555 0101")
    receive(app, "for Ada by mail", "ada@mail.example", "EMAIL")
    receive(app, "for Nora", "+63 917 555 0103")
    shown = {
        query: [text for text in ("for Ada<", "for Ada by mail", "for Nora") if text in page]
        for query in ("user=ada", "user=ada&app=sms", "user=ada&app=mail", "user=nora", "app=mail")
        for page in [app.test_client().get(f"/phone?{query}").text]
    }
    assert shown == {
        "user=ada": ["for Ada<", "for Ada by mail"],
        "user=ada&app=sms": ["for Ada<"],
        "user=ada&app=mail": ["for Ada by mail"],
        "user=nora": ["for Nora"],
        "app=mail": ["for Ada by mail"],
    }


@pytest.mark.parametrize("query", ["user=zoe", "app=fax"])
def test_a_phone_that_does_not_exist_is_not_found(app: Flask, query: str) -> None:
    assert app.test_client().get(f"/phone?{query}").status_code == 404


def test_users_who_received_something_last_are_listed(app: Flask) -> None:
    with app.app_context(), records() as session, session.begin():
        session.add_all(User(id=f"guest-{n}", name="A guest", phone=f"+63 9{n}") for n in range(20))
    receive(app, "hello", "+63 917 555 0103")
    receive(app, "hello", "+63 919")
    page = app.test_client().get("/phone").text
    assert page.count("A guest") == 7 - 2  # of eight places Ada and Fred have two, Nora one
    assert "Nora Nomail" in page
    assert "+63 919" in page


def test_no_browser_keeps_a_page_with_codes(app: Flask) -> None:
    for path in ("/phone", "/phone.json"):
        assert app.test_client().get(path).headers["Cache-Control"] == "no-store"
