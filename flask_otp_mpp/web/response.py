"""A sealed answer leaves exactly as it was signed, whatever a host does to its response."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Response
from werkzeug.wsgi import ClosingIterator

from flask_otp_mpp.protocols.base import Outbound

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class SealedResponse(Response):
    """Look like a response to the host's hooks, and send the sealed answer instead of it.

    Headers that a hook adds, a session cookie among them, and any rewriting of the body stay
    behind: the signature covers the bytes, and the caller is no browser.
    """

    def __init__(self, outbound: Outbound) -> None:
        super().__init__(outbound.body, outbound.status, list(outbound.headers))
        self.sealed = outbound
        self._line = self.status  # a hook may set another one

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sealed = self.sealed
        start_response(self._line, list(sealed.headers))
        body = [] if environ["REQUEST_METHOD"] == "HEAD" else [sealed.body]
        return ClosingIterator(body, self.close)
