"""How a caller sends an HTTP request: over the network, or to a WSGI app in this process."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from werkzeug.test import Client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request.

    :param uri: path and query string.
    :param headers: by name, in lower case where a caller of this package made it.
    """

    method: str
    uri: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; the names of its headers are as the server wrote them."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Transport: TypeAlias = Callable[[Call], Response]
"""Sends a request and returns the response."""


def over_http(base_url: str, timeout: float = 10.0) -> Transport:
    """Return a transport that calls a server, with a new connection for each request.

    :param base_url: scheme, host and port, such as ``http://127.0.0.1:5000``.
    :param timeout: seconds to wait for the connection and for each read.
    :raises ValueError: if the URL is not http or https, or has a path. The path is signed, so it
        is part of the caller's ``prefix``.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or parts.hostname is None or parts.path.strip("/"):
        raise ValueError(f"{base_url!r} is no http or https URL without a path")
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    host, port = parts.hostname, parts.port

    def send(call: Call) -> Response:
        connection = connect(host, port, timeout=timeout)
        try:
            connection.request(call.method, call.uri, call.body, dict(call.headers))
            answer = connection.getresponse()
            return Response(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    return send


def over_wsgi(app: WSGIApplication, rewrites: Mapping[str, str] | None = None) -> Transport:
    """Return a transport that calls an app inside this process, without a server.

    :param rewrites: prefixes of paths, and what a proxy in front of the app makes of them.
    """
    client = Client(app, use_cookies=False)

    def send(call: Call) -> Response:
        path, _, query = call.uri.partition("?")
        for public, inner in (rewrites or {}).items():
            if f"{path}/".startswith(f"{public}/"):
                path = inner + path.removeprefix(public)
                break
        answer = client.open(
            path,
            method=call.method,
            query_string=query,
            headers=dict(call.headers),
            data=call.body,
            buffered=True,  # so that the response is closed, as a server would
        )
        return Response(answer.status_code, tuple(answer.headers.items()), answer.data)

    return send
