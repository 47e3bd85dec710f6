"""What a person sees of the wallet: what it is, and what has arrived on its users' phones."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template

from example_app.records import newest_messages

pages = Blueprint("pages", __name__)


@pages.get("/")
def index() -> str:
    """Say what this is."""
    return render_template("index.html")


@pages.get("/phone")
def phone() -> str:
    """Show the messages to a person."""
    return render_template("phone.html", messages=newest_messages())


@pages.get("/phone.json")
def phone_json() -> Response:
    """Give the messages to a program."""
    return jsonify(
        [
            {
                "channel": message.channel,
                "address": message.address,
                "at": message.at,
                "text": message.text,
            }
            for message in newest_messages()
        ]
    )


@pages.after_request
def keep_private(response: Response) -> Response:
    """Let no browser or proxy keep a code."""
    response.headers["Cache-Control"] = "no-store"
    return response
