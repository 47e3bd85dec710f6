"""A TCP proxy that makes a fault on command, also at one chosen request.

One thread moves all bytes and makes the faults between two moves, so that a test knows when a fault
begins.
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
_TIMEOUT: Final = 5


class Fault(StrEnum):
    """What happens to the chosen request, and to its answer."""

    CUT_REQUEST = "the request is lost, both ends are reset"
    CUT_ANSWER = "the request is done, its answer is lost, both ends are reset"
    SWALLOW_REQUEST = "the request is lost, and nothing tells either end"
    SWALLOW_ANSWER = "the request is done, its answer is lost, and nothing tells either end"


@dataclass
class Trigger:
    """Start a fault at the ``nth`` request that holds a word.

    :param keep: how many bytes of the answer still arrive.
    """

    word: bytes
    fault: Fault
    nth: int = 1
    keep: int = 0

    def matches(self, data: bytes) -> bool:
        self.nth -= self.word in data
        return self.nth <= 0


@dataclass(eq=False)
class _Pair:
    client: socket.socket
    server: socket.socket | None
    mute: bool = False
    trigger: Trigger | None = None
    waiting: deque[tuple[float, socket.socket, bytes]] = field(default_factory=deque)

    def ends(self) -> list[socket.socket]:
        return [end for end in (self.client, self.server) if end is not None]


class FaultProxy:
    """Forward to a server, and make faults when told to."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._pairs: set[_Pair] = set()
        self._trigger: Trigger | None = None
        self._lag = 0.0
        self._hole = False
        self._orders: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._running = True
        self.triggered = 0
        self.port = 0
        self._listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def point_to(self, host: str, port: int) -> None:
        """Lead new connections to another server, as a name or a virtual address does it."""
        self._target = (host, port)

    def refuse(self) -> None:
        """Behave as if the server is down: reset connections, refuse new ones."""
        self._order(self._unlisten)
        self.reset()

    def reset(self) -> None:
        """Reset the connections that there are; new ones work."""
        self._order(self._drop_all)

    def black_hole(self) -> None:
        """Accept everything, also new connections, and answer nothing."""
        self._order(lambda: setattr(self, "_hole", True))

    def delay(self, seconds: float) -> None:
        """Delay every answer."""
        self._order(lambda: setattr(self, "_lag", seconds))

    def when(self, word: bytes, fault: Fault, nth: int = 1, keep: int = 0) -> None:
        """Make a fault once, at the ``nth`` request from now on that holds a word.

        :param keep: how many bytes of the answer still arrive.
        """
        self._order(lambda: setattr(self, "_trigger", Trigger(word, fault, nth, keep)))

    def redirect(self, host: str, port: int) -> None:
        """Forward new connections to another server, as a name that moves; reset the others."""
        self._order(lambda: setattr(self, "_target", (host, port)))
        self.reset()

    def heal(self) -> None:
        """Forward again; reset connections that have lost bytes, as they can't go on."""
        self._order(self._heal)

    def close(self) -> None:
        self._order(lambda: setattr(self, "_running", False))
        self._thread.join(_TIMEOUT)

    def _order(self, act: Callable[[], None]) -> None:
        done = threading.Event()
        self._orders.append((act, done))
        if not done.wait(_TIMEOUT):
            raise TimeoutError("the proxy's thread has stopped")

    def _heal(self) -> None:
        self._hole, self._lag, self._trigger = False, 0.0, None
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
            server = None if self._hole else socket.create_connection(self._target, _TIMEOUT)
        except OSError:
            client.close()
            return
        pair = _Pair(client, server)
        self._pairs.add(pair)
        for end in pair.ends():
            end.settimeout(_TIMEOUT)
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
        self._selector.unregister(source)  # the other end is not told
        source.close()

    def _request(self, pair: _Pair, server: socket.socket, data: bytes) -> None:
        trigger = self._trigger
        if trigger is not None and trigger.matches(data):
            self._trigger = None
            self.triggered += 1
            if trigger.fault is Fault.CUT_REQUEST:
                self._drop(pair)
                return
            if trigger.fault is Fault.SWALLOW_REQUEST:
                pair.mute = True
                return
            pair.trigger = trigger
        with suppress(OSError):
            server.sendall(data)

    def _answer(self, pair: _Pair, data: bytes) -> None:
        trigger = pair.trigger
        if trigger is not None:
            data = data[: trigger.keep]
        pair.waiting.append((time.monotonic() + self._lag, pair.client, data))
        if trigger is not None:
            self._deliver(pair)
            if trigger.fault is Fault.CUT_ANSWER:
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
    """Run a proxy to a server until the test is over."""
    proxy = FaultProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
