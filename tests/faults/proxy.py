"""Between a wallet and its server stands a wire that can be cut, and cut at one chosen word.

One thread moves all bytes; what it is told to do it does between two moves, so that a test knows
when a fault begins.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)  # linger on, for no time: close() sends RST
_TICK: Final = 0.02
_PATIENCE: Final = 5


class Fault(StrEnum):
    """Say what becomes of a request that holds a chosen word, and of its answer."""

    CUT_REQUEST = "the request is lost, both ends are reset"
    CUT_ANSWER = "the request is done, its answer is lost, both ends are reset"
    SWALLOW_REQUEST = "the request is lost, and nothing tells either end"
    SWALLOW_ANSWER = "the request is done, its answer is lost, and nothing tells either end"


@dataclass
class Trap:
    """Wait for a word to pass for the ``nth`` time.

    :param keep: how many bytes of the answer still arrive.
    """

    word: bytes
    fault: Fault
    nth: int = 1
    ttl: int = 0

    def springs(self, data: bytes) -> bool:
        self.nth -= self.word in data
        return self.nth <= 0


@dataclass(eq=False)
class _Pair:
    client: socket.socket
    server: socket.socket | None
    mute: bool = False
    trap: Trap | None = None
    waiting: deque[tuple[float, socket.socket, bytes]] = field(default_factory=deque)

    def ends(self) -> list[socket.socket]:
        return [end for end in (self.client, self.server) if end is not None]


class FaultProxy:
    """Forward to a server; do wrong when told to."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._pairs: set[_Pair] = set()
        self._trap: Trap | None = None
        self._lag = 0.0
        self._hole = False
        self._orders: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._running = True
        self.sprung = 0
        self.port = 0
        self._listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def refuse(self) -> None:
        """Be gone: connections are reset, new ones refused."""
        self._order(self._unlisten)
        self.reset()

    def reset(self) -> None:
        """Reset the connections that there are; new ones work."""
        self._order(self._drop_all)

    def black_hole(self) -> None:
        """Take everything, also new connections, and answer nothing."""
        self._order(lambda: setattr(self, "_hole", True))

    def delay(self, seconds: float) -> None:
        """Let every answer arrive later."""
        self._order(lambda: setattr(self, "_lag", seconds))

    def when(self, word: bytes, fault: Fault, nth: int = 1, ttl: int = 0) -> None:
        """Let a fault happen once, at the ``nth`` request from now on that holds a word."""
        self._order(lambda: setattr(self, "_trap", Trap(word, fault, nth, ttl)))

    def heal(self) -> None:
        """Forward again; connections that have lost bytes are reset, for they can't go on."""
        self._order(self._heal)

    def close(self) -> None:
        self._order(lambda: setattr(self, "_running", False))
        self._thread.join(_PATIENCE)

    def _order(self, act: Callable[[], None]) -> None:
        done = threading.Event()
        self._orders.append((act, done))
        if not done.wait(_PATIENCE):
            raise TimeoutError("the proxy's thread has stopped")

    def _heal(self) -> None:
        self._hole, self._lag, self._trap = False, 0.0, None
        for pair in [pair for pair in self._pairs if pair.mute or pair.server is None]:
            self._drop(pair)
        self._listen()

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self.port))
            self._listener.listen(64)
            self.port = self._listener.getsockname()[1]
            self._selector.register(self._listener, selectors.EVENT_READ, None)

    def _unlisten(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _run(self) -> None:
        while self._running:
            for key, _ in self._selector.select(_TICK):
                if key.data is None:
                    self._accept()
                elif key.data in self._pairs:
                    self._move(key.data, key.fileobj)  # type: ignore[arg-type]
            for pair in list(self._pairs):
                self._deliver(pair)
            while self._orders:
                act, done = self._orders.popleft()
                act()
                done.set()
        self._unlisten()
        self._drop_all()
        self._selector.close()

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        try:
            server = None if self._hole else socket.create_connection(self._target, _PATIENCE)
        except OSError:
            client.close()
            return
        pair = _Pair(client, server)
        self._pairs.add(pair)
        for end in pair.ends():
            end.settimeout(_PATIENCE)
            self._selector.register(end, selectors.EVENT_READ, pair)

    def _move(self, pair: _Pair, source: socket.socket) -> None:
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        if self._hole:
            pair.mute = True
        if not data:
            self._ended(pair, source)
        elif pair.mute or pair.server is None:
            return
        elif source is pair.client:
            self._request(pair, pair.server, data)
        else:
            self._answer(pair, data)

    def _ended(self, pair: _Pair, source: socket.socket) -> None:
        if not pair.mute:
            self._drop(pair)
            return
        self._selector.unregister(source)  # the other end hears nothing of it
        source.close()

    def _request(self, pair: _Pair, server: socket.socket, data: bytes) -> None:
        trap = self._trap
        if trap is not None and trap.springs(data):
            self._trap = None
            self.sprung += 1
            if trap.fault is Fault.CUT_REQUEST:
                self._drop(pair)
                return
            if trap.fault is Fault.SWALLOW_REQUEST:
                pair.mute = True
                return
            pair.trap = trap
        with suppress(OSError):
            server.sendall(data)

    def _answer(self, pair: _Pair, data: bytes) -> None:
        trap = pair.trap
        if trap is not None:
            data = data[: trap.ttl]
        pair.waiting.append((time.monotonic() + self._lag, pair.client, data))
        if trap is not None:
            self._deliver(pair)
            if trap.fault is Fault.CUT_ANSWER:
                self._drop(pair)
            else:
                pair.mute = True

    def _deliver(self, pair: _Pair) -> None:
        while pair.waiting and pair.waiting[0][0] <= time.monotonic():
            _, end, data = pair.waiting.popleft()
            with suppress(OSError):
                end.sendall(data)

    def _drop_all(self) -> None:
        for pair in list(self._pairs):
            self._drop(pair)

    def _drop(self, pair: _Pair) -> None:
        self._pairs.discard(pair)
        for end in pair.ends():
            with suppress(KeyError, ValueError):  # it may have been closed by its peer before
                self._selector.unregister(end)
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()


@contextmanager
def proxy_to(host: str, port: int) -> Iterator[FaultProxy]:
    """Stand before a server until the test is over."""
    proxy = FaultProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
