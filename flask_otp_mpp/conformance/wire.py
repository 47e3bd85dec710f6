"""HTTP as a case needs it: repeated headers, any method, any bytes; nothing is added or mended."""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Self
from urllib.parse import urlsplit

_ORIGIN: Final = re.compile(r"https?://[^/?#]*")


class Unreachable(Exception):
    """Say that an endpoint gave no answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request.

    :param uri: path and query string, or the absolute form of RFC 9112, section 3.2.2.
    :param headers: in their order; a name may be repeated. With ``Transfer-Encoding: chunked`` the
        body is sent as one chunk.
    """

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    @property
    def target(self) -> str:
        """Path and query string."""
        return _ORIGIN.sub("", self.uri, count=1)

    def header(self, name: str) -> str:
        """Return the first value of a header, without white space around it; or an empty text."""
        return _first(self.headers, name)

    def with_header(self, name: str, *values: str) -> Self:
        """Return the request with other values of a header; without values, without the header."""
        others = tuple(one for one in self.headers if one[0].lower() != name.lower())
        return replace(self, headers=(*others, *((name, value) for value in values)))


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response.

    :param headers: as the server wrote them.
    :param seconds: how long the caller waited for its last byte.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    seconds: float

    def header(self, name: str) -> str:
        """Return the first value of a header, without white space around it; or an empty text."""
        return _first(self.headers, name)


class HttpClient:
    """Send requests to one server; a connection is kept and used again, by one thread at a time.

    :param base_url: of which scheme, host and port count.
    :param timeout: seconds to wait for a connection, and for each read.
    :param tls: for https; by default, the certificates are checked by those of the system.
    :raises ValueError: if it is no http or https URL.
    """

    def __init__(
        self, base_url: str, *, timeout: float = 10.0, tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError(f"{base_url!r} is no http or https URL")
        self.host = parts.netloc.rpartition("@")[2]
        self._secure = parts.scheme == "https"
        self._address = parts.hostname, parts.port
        self._timeout = timeout
        self._tls = tls
        self._lock = threading.Lock()
        self._free: list[http.client.HTTPConnection] = []

    def send(self, request: Request) -> Response:
        """Send a request and return the response, whatever its status is.

        :raises Unreachable: if there is none in time. A kept connection that the server has closed
            is replaced once.
        """
        began = time.monotonic()
        with self._lock:
            kept = self._free.pop() if self._free else None
        if kept is not None:
            try:
                return self._send(kept, request, began)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                kept.close()
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(kept, error) from None
        connection = self._connection()
        try:
            return self._send(connection, request, began)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(connection, error) from None

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            free, self._free = self._free, []
        for connection in free:
            connection.close()

    def _send(
        self, connection: http.client.HTTPConnection, request: Request, began: float
    ) -> Response:
        names = {name.lower() for name, _ in request.headers}
        connection.putrequest(
            request.method, request.uri, skip_host="host" in names, skip_accept_encoding=True
        )
        for name, value in request.headers:
            connection.putheader(name, value)
        if not names & {"content-length", "transfer-encoding"}:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body, encode_chunked="transfer-encoding" in names)
        answer = connection.getresponse()
        body = answer.read()
        seconds = time.monotonic() - began
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._free.append(connection)
        return Response(answer.status, tuple(answer.getheaders()), body, seconds)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address
        if self._secure:
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self._timeout)

    def _unreachable(self, connection: http.client.HTTPConnection, error: Exception) -> Unreachable:
        connection.close()
        cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreachable(f"{self.host} gave no answer: {cause}")


def _first(headers: Iterable[tuple[str, str]], name: str) -> str:
    values = (value.strip(" \t") for key, value in headers if key.lower() == name.lower())
    return next(values, "")
