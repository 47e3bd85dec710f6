"""The console of a caller: send, verify, and read what was signed and answered."""

from __future__ import annotations

from flask import Blueprint, render_template

from example_app.trial.guard import guarded

pages = guarded(Blueprint("console", __name__))


@pages.get("/console")
def console() -> str:
    """Show the console."""
    return render_template("console.html")
