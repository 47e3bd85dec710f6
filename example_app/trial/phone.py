"""The phone of the users: the messages that they have received."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template

from example_app.records import newest_messages
from example_app.trial.guard import guarded

pages = guarded(Blueprint("phone", __name__))


@pages.get("/")
def index() -> str:
    """Show what this app is."""
    return render_template("index.html")


@pages.get("/phone")
def phone() -> str:
    """Show the messages."""
    return render_template("phone.html", messages=newest_messages())


@pages.get("/phone.json")
def phone_json() -> Response:
    """Return the messages as JSON."""
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
