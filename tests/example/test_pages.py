"""The pages show the delivered messages as plain text."""

from __future__ import annotations

from flask import Flask

from example_app.records import PhoneMessage, records


def receive(app: Flask, text: str) -> None:
    message = PhoneMessage(
        channel="MOBILE", address="+63 900", at="2026-01-01T12:30:00+00:00", text=text
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


def test_no_browser_keeps_a_page_with_codes(app: Flask) -> None:
    for path in ("/phone", "/phone.json"):
        assert app.test_client().get(path).headers["Cache-Control"] == "no-store"
