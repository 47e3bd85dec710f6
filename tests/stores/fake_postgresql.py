"""A server that speaks as much of PostgreSQL's protocol as a check needs, and says a name."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[str], list[str]]
"""Returns the one row with which a statement is answered."""


@contextmanager
def fake_postgresql(answer: Answer, **parameters: str) -> Iterator[str]:
    """Run a server that lets everybody in; yield its URL.

    :param parameters: what it tells of itself when a connection begins.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, answer, parameters), daemon=True).start()
        port = listener.getsockname()[1]
        yield f"postgresql://ada@127.0.0.1:{port}/otp?sslmode=disable&gssencmode=disable"


def refusal(message: str, code: str = "28000") -> bytes:
    """Return the message that ends a connection before it begins."""
    fields = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()
    return _message(b"E", fields)


@contextmanager
def refusing_postgresql(*refusals: bytes) -> Iterator[str]:
    """Run a server that refuses connections, the last of some refusals for ever."""

    def refuse() -> None:
        left = list(refusals)
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, daemon=True).start()
        port = listener.getsockname()[1]
        yield f"postgresql://ada@127.0.0.1:{port}/otp?sslmode=disable&gssencmode=disable"


def _accept(listener: socket.socket, answer: Answer, parameters: dict[str, str]) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(
                target=_serve, args=(connection, answer, parameters), daemon=True
            ).start()


def _serve(connection: socket.socket, answer: Answer, parameters: dict[str, str]) -> None:
    with connection, connection.makefile("rb") as stream:
        (length,) = struct.unpack("!i", stream.read(4))
        stream.read(length - 4)  # who connects, and with which options
        told = {"client_encoding": "UTF8", "server_version": "15.2", **parameters}
        greeting = _message(b"R", struct.pack("!i", 0))
        for name, value in told.items():
            greeting += _message(b"S", f"{name}\0{value}\0".encode())
        connection.sendall(greeting + _READY)
        while kind := stream.read(1):
            (length,) = struct.unpack("!i", stream.read(4))
            body = stream.read(length - 4)
            if kind == b"Q":
                connection.sendall(_row(answer(body[:-1].decode())) + _READY)
            elif kind == b"S":  # the end of an extended query: an answer without rows
                connection.sendall(_EXTENDED + _READY)
            elif kind == b"X":
                return


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _row(values: list[str]) -> bytes:
    text = struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
    columns = b"".join(f"c{place}\0".encode() + text for place, _ in enumerate(values))
    row = b"".join(struct.pack("!i", len(value)) + value.encode() for value in values)
    count = struct.pack("!h", len(values))
    described = _message(b"T", count + columns) + _message(b"D", count + row)
    return described + _message(b"C", b"SELECT 1\0")


_READY = _message(b"Z", b"I")
_NO_ROW = struct.pack("!h", 1) + b"c\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
_EXTENDED = b"".join(
    (
        _message(b"1", b""),
        _message(b"2", b""),
        _message(b"T", _NO_ROW),
        _message(b"C", b"SELECT 0\0"),
    )
)
