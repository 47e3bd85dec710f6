"""What stands between the server and the right wallet, and makes one thing wrong.

A layer sees each request of the APIs as the caller sent it. It may hand on another one, and give
another answer. It knows the private keys of all sides, so what it has changed it signs again: to
the wallet a changed request is right, and to the caller a changed answer is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote

from flask_otp_mpp.conformance.wire import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Next: TypeAlias = Callable[[Request], Response]
"""Hands a request on, and returns the answer."""
Layer: TypeAlias = Callable[[Request, Next], Response]

_APIS: Final = ("/aps/", "/ams/")
_CONTENT: Final = ("content-type", "content-length")


class LayeredApp:
    """Serve an app behind a layer; what is not below the APIs' paths goes past the layer."""

    def __init__(self, app: WSGIApplication, layer: Layer) -> None:
        self._app = app
        self._layer = layer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(_APIS):
            return self._app(environ, start_response)
        response = self._layer(_request(environ), lambda request: self._answer(environ, request))
        phrase = HTTPStatus(response.status).phrase
        start_response(f"{response.status} {phrase}", list(response.headers))
        return [response.body]

    def _answer(self, environ: WSGIEnvironment, request: Request) -> Response:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[..., Any]:
            started.append((status, headers))
            return started.append

        body = b"".join(self._app(_environ(environ, request), start))
        [(status, headers)] = started
        return Response(int(status[:3]), tuple(headers), body, 0)


def _request(environ: WSGIEnvironment) -> Request:
    names = {name: name[5:].replace("_", "-").lower() for name in environ if name[:5] == "HTTP_"}
    headers = [(name, environ[key]) for key, name in names.items()]
    headers += [
        (name, environ[_variable(name)]) for name in _CONTENT if environ.get(_variable(name))
    ]
    ended = environ.get("wsgi.input_terminated")
    length = -1 if ended else int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    # A target with scheme and host is signed as its path and query.
    uri = re.sub("^https?://[^/]*", "", environ["REQUEST_URI"])
    return Request(environ["REQUEST_METHOD"], uri, tuple(headers), body)


def _environ(environ: WSGIEnvironment, request: Request) -> WSGIEnvironment:
    path, _, query = request.uri.partition("?")
    kept = {name: one for name, one in environ.items() if name[:5] != "HTTP_"}
    for name in _CONTENT:
        kept.pop(_variable(name), None)
    return {
        **kept,
        **{_variable(name): value for name, value in request.headers},
        "REQUEST_METHOD": request.method,
        "REQUEST_URI": request.uri,
        "RAW_URI": request.uri,
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": io.BytesIO(request.body),
    }


def _variable(name: str) -> str:
    variable = name.upper().replace("-", "_")
    return variable if name.lower() in _CONTENT else f"HTTP_{variable}"
