"""A run as one HTML page, for people: it needs no network, and no script to be read."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from flask_otp_mpp.conformance.case import SIGNED, Severity, Wire
from flask_otp_mpp.conformance.report.view import (
    BODY_LIMIT,
    CaseView,
    ExchangeView,
    RunView,
    cut,
    first_difference,
)
from flask_otp_mpp.conformance.run import Status, Verdict

_PASSED_EXCHANGES: Final = 4
"""How many exchanges of a case that did not fail are shown; their texts are cut, too."""
_PASSED_TEXT: Final = 800
_PASSED_HEADER: Final = 100
_PROTOCOLS: Final = {
    Wire.ALIPAYPLUS: "Alipay+",
    Wire.AMS: "AMS",
    Wire.GOOGLE_JOSE: "Google Standard Payments by JOSE",
    Wire.GOOGLE_PGP: "Google Standard Payments by PGP",
}
_TEMPLATES: Final = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def as_html(run: RunView) -> str:
    """Return the page."""
    style, script = _source("style.css"), _source("filter.js")
    return _TEMPLATES.get_template("page.html").render(
        run=replace(run, cases=tuple(_shortened(one) for one in run.cases)),
        protocol=_PROTOCOLS[run.wire],
        signed=run.wire in SIGNED,
        Status=Status,
        Severity=Severity,
        Verdict=Verdict,
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        style_hash=_hash(style),
        script_hash=_hash(script),
        escaped=_escaped,
        marked=_marked,
        first_difference=first_difference,
    )


def _shortened(view: CaseView) -> CaseView:
    """Return a case with texts of such lengths that hundreds of cases make a page."""
    if view.status is Status.FAILED:
        return replace(view, exchanges=tuple(_cut(one, BODY_LIMIT) for one in view.exchanges))
    shown = view.exchanges[:_PASSED_EXCHANGES]
    return replace(
        view,
        exchanges=tuple(_cut(one, _PASSED_TEXT, _PASSED_HEADER) for one in shown),
        omitted=view.omitted + len(view.exchanges) - len(shown),
    )


def _cut(view: ExchangeView, text: int, header: int = BODY_LIMIT) -> ExchangeView:
    signed, expected = cut(view.signed, text), cut(view.expected, text)
    return replace(
        view,
        uri=cut(view.uri, text),
        request_headers=_cut_headers(view.request_headers, header),
        request_body=cut(view.request_body, text),
        answer_headers=_cut_headers(view.answer_headers, header),
        answer_body=cut(view.answer_body, text),
        covered=cut(view.covered, text),
        signed=signed,
        expected=expected,
        difference=first_difference(signed, expected),
    )


def _cut_headers(headers: tuple[tuple[str, str], ...], limit: int) -> tuple[tuple[str, str], ...]:
    return tuple((cut(name, limit), cut(value, limit)) for name, value in headers)


def _escaped(text: str) -> Markup:
    """Escape a text that stands in no attribute: its quotes stay, which are many in JSON."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(safe)  # noqa: S704 - it was escaped in the line before


def _marked(text: str, index: int | None) -> Markup:
    """Escape a text, and mark a character of it."""
    if index is None:
        return _escaped(text)
    before, after = text[:index], text[index + 1 :]
    mark = Markup("<mark>{}</mark>").format(text[index : index + 1] or "(end)")
    return _escaped(before) + mark + _escaped(after)


def _source(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text("utf-8")


def _hash(source: str) -> str:
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
