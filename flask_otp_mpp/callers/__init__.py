"""Callers for trials and tests: each plays one protocol's other side against a wallet.

A caller signs or seals its requests, checks the answers, and can put one fault into a request
(``tamper``). Public are the names in ``__all__``; modules below this package are not.
``GoogleCaller`` is imported when it is first used, and JOSE's library (the extra ``google``) when a
caller for a JOSE account is made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.ams import AmsAnswer, AmsCaller
from flask_otp_mpp.callers.signed import SignedAnswer, SignedCaller, SigningOptions
from flask_otp_mpp.callers.transport import Call, Response, Transport, over_http, over_wsgi

if TYPE_CHECKING:
    from flask_otp_mpp.callers.google import GoogleCaller as GoogleCaller
    from flask_otp_mpp.callers.google_answer import GoogleAnswer as GoogleAnswer

__all__ = [
    "AlipayPlusAnswer",
    "AlipayPlusCaller",
    "AmsAnswer",
    "AmsCaller",
    "Call",
    "GoogleAnswer",
    "GoogleCaller",
    "Response",
    "SignedAnswer",
    "SignedCaller",
    "SigningOptions",
    "Transport",
    "over_http",
    "over_wsgi",
]


def __getattr__(name: str) -> Any:
    """Import Google's side on first use; who plays only the others does not wait for it."""
    if name not in {"GoogleAnswer", "GoogleCaller"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("flask_otp_mpp.callers.google"), name)
