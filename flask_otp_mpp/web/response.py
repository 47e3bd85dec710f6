"""The response that sends a sealed answer, whatever hooks of the host do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Response
from werkzeug.datastructures import Headers

from flask_otp_mpp.protocols.values import Outbound

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class SealedResponse(Response):
    """A response for the host's hooks that always sends the sealed answer.

    Headers that a hook adds, such as a session cookie, and changes of the body are not sent: the
    signature covers the bytes, and the caller is not a browser.
    """

    def __init__(self, outbound: Outbound) -> None:
        headers = Headers()
        headers[:] = outbound.headers  # at once; else Werkzeug adds each by itself
        super().__init__([outbound.body], outbound.status, headers)
        self.sealed = outbound
        self._sealed_status = self.status  # a hook may set another one

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sealed = self.sealed
        start_response(self._sealed_status, list(sealed.headers))
        body = _Body([] if environ["REQUEST_METHOD"] == "HEAD" else [sealed.body])
        body.close = self.close
        return body


class _Body(list[bytes]):
    """What a server sends and then closes; Werkzeug's iterator takes each step in Python."""

    close: Callable[[], None]
