"""The phone of the users: it shows the messages that they receive, and those that arrive."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from flask import Blueprint, Response, abort, jsonify, render_template, request

from example_app.records import PhoneMessage, User
from example_app.trial.guard import guarded
from example_app.trial.received import find_user, last_id, listed_users, newest_messages
from example_app.trial.stream import message_stream

pages = guarded(Blueprint("phone", __name__))
APPS = {"all": None, "sms": "MOBILE", "mail": "EMAIL"}
CODE = re.compile(r"\b\d{6,10}\b")


@pages.get("/")
def index() -> str:
    """Show what this app is."""
    return render_template("index.html")


@pages.get("/phone")
def phone() -> str:
    """Show the messages of a user, or of everybody, in one of the phone's apps."""
    app = request.args.get("app", "all")
    if app not in APPS:
        abort(404)
    known = last_id()  # first: what arrives meanwhile is then shown by the stream, at worst twice
    user = _chosen_user()
    return render_template(
        "phone.html",
        app=app,
        known=known,
        messages=newest_messages(user, APPS[app]),
        user=user,
        users=listed_users(),
    )


@pages.get("/phone/stream")
def stream() -> Response:
    """Send the messages of a user, or of everybody, when they arrive."""

    def draw(message: PhoneMessage) -> str:
        return render_template("message.html", message=message)

    return message_stream(_chosen_user(), draw)


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


@pages.app_template_filter("code_in")
def code_in(text: str) -> str:
    """Return the code in a message; empty if there is none."""
    found = CODE.search(text)
    return found[0] if found else ""


@pages.app_template_filter("clock")
def clock(at: datetime | str) -> str:
    """Return a time for people, with its date if it is of another day.

    :param at: as a time, or as text in ISO format.
    """
    time = (at if isinstance(at, datetime) else datetime.fromisoformat(at)).astimezone(UTC)
    today = time.date() == datetime.now(UTC).date()
    return f"{time:%H:%M:%S} UTC" if today else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _chosen_user() -> User | None:
    """Return the user that the query names, None if it names none."""
    user_id = request.args.get("user")
    if not user_id:
        return None
    return find_user(user_id) or abort(404)
