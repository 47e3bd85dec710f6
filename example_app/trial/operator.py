"""What an operator sees: how the service does, and the state of one user, who can be unlocked."""

from __future__ import annotations

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from example_app.trial.chart import chart
from example_app.trial.guard import guarded
from example_app.trial.received import listed_users
from example_app.trial.statistics import Statistics
from flask_otp_mpp import StoreError, state_of

pages = guarded(Blueprint("operator", __name__))


@pages.get("/operator")
def operator() -> str | tuple[str, int]:
    """Show the figures, and the state of the user that the query names."""
    subject = request.args.get("user", "").strip()
    try:
        state = state_of().support.show(subject) if subject else None
        failed = False
    except StoreError:
        state, failed = None, True
    statistics: Statistics = current_app.extensions["statistics"]
    figures = statistics.figures()
    page = render_template(
        "operator.html",
        chart=chart(figures.latencies),
        failed=failed,
        figures=figures,
        state=state,
        subject=subject,
        users=listed_users(),
    )
    return page, 503 if failed else 200


@pages.post("/operator/unlock")
def unlock() -> Response:
    """End the locks of a user, and show the state again."""
    subject, quota = request.form["user"], "quota" in request.form
    try:
        done = state_of().support.unlock(subject, quota=quota)
        told = "yes" if done.changed else "nothing"
    except StoreError:
        told = "unknown"
    return redirect(url_for("operator.operator", user=subject, unlocked=told), 303)


@pages.app_template_filter("masked")
def masked(text: str) -> str:
    """Return the first and the last of an id, by which it can be recognised but not used."""
    return f"{text[:2]}…{text[-4:]}" if len(text) > 8 else f"{text[:1]}…" if text else ""
