"""Keep-alive connections are kept busy by one loop that does nothing else while the clock runs."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

PATIENCE = 15.0
"""Seconds after the end of a run in which requests under way may still be answered."""


@dataclass(slots=True)
class Run:
    """Hold what came back.

    :param answers: raw, in the order of the requests; empty where none came.
    :param times: seconds from request to answer, of those that were answered.
    :param asked: how many requests went out.
    """

    answers: list[bytes]
    times: list[float] = field(default_factory=list)
    seconds: float = 0.0
    asked: int = 0


@dataclass(slots=True)
class _Lane:
    line: socket.socket
    number: int = -1
    began: float = 0.0
    got: bytes = b""


def drive(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Run:
    """Ask until the time or the requests are over, each connection waiting for its answers.

    A connection that breaks loses its request, which stays unanswered, and is opened again.
    """
    run = Run([b""] * len(requests))
    with selectors.DefaultSelector() as ready:
        lanes = [_Lane(_line(port)) for _ in range(min(connections, len(requests)))]
        begin = time.perf_counter()
        for lane in lanes:
            ready.register(lane.line, selectors.EVENT_READ, lane)
            _ask(run, requests, lane, begin + seconds)
        while (now := time.perf_counter()) < begin + seconds + PATIENCE:
            if all(lane.number < 0 for lane in lanes):
                break
            for key, _ in ready.select(0.5):
                lane = key.data
                data = _received(lane.line)
                lane.got += data
                if _complete(lane.got):
                    now = time.perf_counter()
                    run.times.append(now - lane.began)
                    run.answers[lane.number] = lane.got
                elif data:
                    continue
                if not data or b"onnection: close" in lane.got:
                    ready.unregister(lane.line)
                    lane.line.close()
                    lane.line = _line(port)
                    ready.register(lane.line, selectors.EVENT_READ, lane)
                _ask(run, requests, lane, begin + seconds)
        run.seconds = now - begin
        for lane in lanes:
            lane.line.close()
    return run


def _line(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), 5)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def _ask(run: Run, requests: Sequence[bytes], lane: _Lane, end: float) -> None:
    lane.number, lane.got, lane.began = -1, b"", time.perf_counter()
    if run.asked < len(requests) and lane.began < end:
        lane.number = run.asked
        run.asked += 1
        lane.line.sendall(requests[lane.number])


def _received(line: socket.socket) -> bytes:
    try:
        return line.recv(65536)
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
