"""Write and read HTTP/1.1 byte by byte, for requests that no HTTP client would send."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from itertools import takewhile

from flask_otp_mpp.callers.transport import Call, Response

TIMEOUT = 10


def request_bytes(call: Call, *extra: tuple[str, str], close: bool = True) -> bytes:
    """Write a request with a length; ``extra`` header lines come after the usual ones."""
    lines = [*call.headers.items(), ("content-length", str(len(call.body))), *extra]
    return _head(call, lines, close=close) + call.body


def chunked_bytes(call: Call, sizes: Iterable[int]) -> bytes:
    """Write a request without a length, in chunks of these sizes and one with the rest."""
    lines = [*call.headers.items(), ("transfer-encoding", "chunked")]
    rest, chunks = call.body, []
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    body = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in [*chunks, rest] if c)
    return _head(call, lines, close=True) + body + b"0\r\n\r\n"


def talk(port: int, data: bytes, *, last: bool = False) -> list[Response]:
    """Send bytes, read until the server closes, and take the answers apart.

    :param last: whether the server learns that no more bytes will come.
    """
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as peer:
        peer.sendall(data)
        if last:
            peer.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while piece := peer.recv(65536):
                received += piece
        except ConnectionResetError:
            pass  # a server that did not read all of a body may end like that
    return list(_answers(received))


def ask(port: int, data: bytes) -> Response:
    """Send one request, and read its answer by the length that it tells; servers may stay open."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as peer:
        peer.sendall(data)
        stream = peer.makefile("rb")
        head = b"".join(takewhile(b"\r\n".__ne__, iter(stream.readline, b"")))
        lines = head.decode("latin-1").lower().split("\r\n")
        (length,) = (line.partition(":")[2] for line in lines if line.startswith("content-length:"))
        (answer,) = _answers(head + b"\r\n" + stream.read(int(length)))
    return answer


def _head(call: Call, lines: Iterable[tuple[str, str]], *, close: bool) -> bytes:
    ending = [("host", "wallet.example"), ("connection", "close" if close else "keep-alive")]
    text = "".join(f"{name}: {value}\r\n" for name, value in [*ending, *lines])
    return f"{call.method} {call.uri} HTTP/1.1\r\n{text}\r\n".encode("latin-1")


def _answers(received: bytes) -> Iterable[Response]:
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = tuple((name, value) for name, _, value in pairs)
        length = int({name.lower(): value for name, value in headers}["content-length"])
        yield Response(int(start.split()[1]), headers, received[:length])
        received = received[length:]
