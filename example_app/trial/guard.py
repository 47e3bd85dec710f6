"""Let only a browser or program on this machine see the pages of the trial, and act by them."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, make_response, render_template, request

OWN_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
HEADERS = {
    "Cache-Control": "no-store",  # no browser or proxy keeps a code
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def guarded(pages: Blueprint) -> Blueprint:
    """Return a blueprint whose pages answer this machine only, with safe headers."""
    pages.before_request(refuse_strangers)
    pages.after_request(add_headers)
    return pages


def refuse_strangers() -> None:
    """Answer 403 unless the request comes from this machine, for this machine, by these pages.

    The name in the Host header is what tells a page of another site whose name was made to lead
    here (DNS rebinding). The Origin header is what tells a form of another site.
    """
    if not _is_loopback(request.remote_addr or ""):
        _refuse("These pages show codes, so they answer only requests from this machine.")
    if any(name in request.headers for name in FORWARDED):
        _refuse("These pages show codes, so they answer no request that came through a proxy.")
    if urlsplit(f"//{request.host}").hostname not in OWN_NAMES:
        _refuse("These pages answer only at 127.0.0.1, [::1] or localhost.")
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        own = f"{request.scheme}://{request.host}"
        if request.headers.get("Origin") != own:
            _refuse("This was not sent by a page of this wallet.")


def add_headers(response: Response) -> Response:
    """Forbid browsers to store a page, and to load anything that is not from here."""
    response.headers.update(HEADERS)
    return response


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _refuse(reason: str) -> None:
    abort(make_response(render_template("refused.html", reason=reason), 403))
