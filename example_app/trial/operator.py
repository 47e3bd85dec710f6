"""What an operator sees: how the service does, and the state of one user."""

from __future__ import annotations

from flask import Blueprint, render_template

from example_app.trial.guard import guarded

pages = guarded(Blueprint("operator", __name__))


@pages.get("/operator")
def operator() -> str:
    """Show the figures."""
    return render_template("operator.html")
