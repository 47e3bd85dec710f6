"""The load driver: one loop that sends requests over several keep-alive connections."""

from __future__ import annotations

import math
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

GRACE_SECONDS = 15.0
"""Seconds that a request may still take after the end of a run."""


@dataclass(slots=True)
class Run:
    """The answers of one run.

    :param answers: raw HTTP, in the order of the requests; empty if there was no answer.
    :param times: seconds from request to answer, for each answer.
    :param sent: how many requests were sent.
    """

    answers: list[bytes]
    times: list[float] = field(default_factory=list)
    seconds: float = 0.0
    sent: int = 0


@dataclass(slots=True)
class _Connection:
    port: int
    socket: socket.socket
    number: int = -1
    began: float = 0.0
    got: bytes = b""


def percentile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that this part of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def drive(
    ports: Sequence[int],
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    run: Run | None = None,
) -> Run:
    """Send requests until the time is over or all are sent; a connection has one request at a time.

    A connection that breaks is opened again; its request stays unanswered.

    :param ports: of the servers, which get the connections in turn.
    :param run: of the same requests; it is continued.
    """
    run = run or Run([b""] * len(requests))
    with selectors.DefaultSelector() as ready:
        each = islice(cycle(ports), connections)
        opened = [
            _Connection(port, _connect(port)) for port, _ in zip(each, requests, strict=False)
        ]
        begin = time.perf_counter()
        for connection in opened:
            ready.register(connection.socket, selectors.EVENT_READ, connection)
            _send_next(run, requests, connection, begin + seconds)
        while (now := time.perf_counter()) < begin + seconds + GRACE_SECONDS:
            if all(connection.number < 0 for connection in opened):
                break
            for key, _ in ready.select(0.5):
                connection = key.data
                data = _received(connection.socket)
                connection.got += data
                if _complete(connection.got):
                    now = time.perf_counter()
                    run.times.append(now - connection.began)
                    run.answers[connection.number] = connection.got
                elif data:
                    continue
                if not data or b"onnection: close" in connection.got:
                    ready.unregister(connection.socket)
                    connection.socket.close()
                    connection.socket = _connect(connection.port)
                    ready.register(connection.socket, selectors.EVENT_READ, connection)
                _send_next(run, requests, connection, begin + seconds)
        run.seconds += now - begin
        for connection in opened:
            connection.socket.close()
    return run


def _connect(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), 5)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _send_next(run: Run, requests: Sequence[bytes], connection: _Connection, end: float) -> None:
    connection.number, connection.got, connection.began = -1, b"", time.perf_counter()
    if run.sent < len(requests) and connection.began < end:
        connection.number = run.sent
        run.sent += 1
        connection.socket.sendall(requests[connection.number])


def _received(connected: socket.socket) -> bytes:
    try:
        return connected.recv(65536)
    except OSError:
        return b""


def _complete(got: bytes) -> bool:
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return False
    low = head.lower()
    _, named, rest = low.partition(b"content-length:")
    if named:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    return b"chunked" in low and body.endswith(b"0\r\n\r\n")
