"""Exempt the routes of a blueprint from what extensions of the host do to every route."""

from __future__ import annotations

from flask import Blueprint, Flask, request
from flask_limiter import Limiter


def exempt_from_csrf(app: Flask, blueprint: Blueprint) -> None:
    """Exempt it from Flask-WTF's check, which wants a token of a form."""
    csrf = app.extensions.get("csrf")
    if callable(exempt := getattr(csrf, "exempt", None)):
        exempt(blueprint)


def exempt_from_limits(app: Flask, blueprint: Blueprint) -> None:
    """Exempt it from all limits of the host's Flask-Limiter.

    They are meant for the people who use the host's pages: all traffic of Alipay+ comes from a few
    addresses. ``Limiter.exempt`` would leave the limits by which Flask-Limiter falls back on memory
    while its storage is away.
    """

    def is_exempt() -> bool:
        return request.blueprint == blueprint.name

    limiters = app.extensions.get("limiter", ())
    for limiter in limiters if isinstance(limiters, set) else ():
        if isinstance(limiter, Limiter):
            limiter.request_filter(is_exempt)
