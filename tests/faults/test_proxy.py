"""The proxy makes the fault that it is told to make, and no other: other tests depend on it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults.proxy import Fault, FaultProxy, proxy_to

TIMEOUT = 10
SILENCE = 0.3


class Echo:
    """Answer what comes in, and remember it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.heard: list[bytes] = []
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def has_ended(self, within: float) -> bool:
        """Tell whether a peer was seen to leave."""
        return self._ended.wait(within)

    def _start(self, act: object, *arguments: object) -> None:
        thread = threading.Thread(target=act, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, peer)

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            try:
                while data := peer.recv(1024):
                    self.heard.append(data)
                    peer.sendall(data)
            except ConnectionError:
                pass
        self._ended.set()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with proxy_to("127.0.0.1", echo.port) as proxy:
        yield proxy


def dial(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT)


def said(peer: socket.socket, data: bytes) -> bytes:
    peer.sendall(data)
    return peer.recv(1024)


def test_without_a_fault_all_bytes_are_forwarded_both_ways(proxy: FaultProxy, echo: Echo) -> None:
    """T4: byte for byte."""
    with dial(proxy) as peer:
        assert said(peer, b"hello") == b"hello"
    assert echo.heard == [b"hello"]


def test_what_is_refused_is_reset_and_gone_until_it_heals(proxy: FaultProxy) -> None:
    """R1: as when a server is stopped."""
    with dial(proxy) as peer:
        assert said(peer, b"hello") == b"hello"
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            said(peer, b"more")
    with pytest.raises(ConnectionRefusedError):
        dial(proxy)
    proxy.heal()
    with dial(proxy) as peer:
        assert said(peer, b"again") == b"again"


def test_a_black_hole_takes_all_and_answers_nothing(proxy: FaultProxy, echo: Echo) -> None:
    """R1: on old connections and on new ones; what it took never arrives."""
    with dial(proxy) as old:
        assert said(old, b"hello") == b"hello"
        proxy.black_hole()
        with dial(proxy) as new:
            for peer in (old, new):
                peer.settimeout(SILENCE)
                with pytest.raises(TimeoutError):
                    said(peer, b"lost")
            proxy.heal()
            for peer in (old, new):
                with pytest.raises(ConnectionResetError):
                    peer.recv(1024)
    with dial(proxy) as peer:
        assert said(peer, b"again") == b"again"
    assert echo.heard == [b"hello", b"again"]


def test_a_delay_holds_answers_back(proxy: FaultProxy) -> None:
    """R1: and loses none."""
    proxy.delay(0.1)
    with dial(proxy) as peer:
        start = time.monotonic()
        assert said(peer, b"hello") == b"hello"
        assert time.monotonic() - start >= 0.1


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_a_fault_happens_once_at_the_chosen_request(
    proxy: FaultProxy, echo: Echo, fault: Fault
) -> None:
    """T4: at the second COMMIT; before or after it is done, with a reset or in silence."""
    done = fault in {Fault.CUT_ANSWER, Fault.SWALLOW_ANSWER}
    silent = fault in {Fault.SWALLOW_REQUEST, Fault.SWALLOW_ANSWER}
    proxy.when(b"COMMIT", fault, nth=2, keep=3 if done else 0)
    with dial(proxy) as peer:
        assert said(peer, b"COMMIT 1") == b"COMMIT 1"
        assert said(peer, b"SELECT") == b"SELECT"
        if done:
            assert said(peer, b"COMMIT 2") == b"COM"
        else:
            peer.sendall(b"COMMIT 2")
        if silent:
            peer.settimeout(SILENCE)
        with pytest.raises(TimeoutError if silent else ConnectionResetError):
            peer.recv(1024)
    assert proxy.triggered == 1
    assert echo.has_ended(within=0 if silent else 5) is not silent
    assert echo.heard == [b"COMMIT 1", b"SELECT"] + [b"COMMIT 2"] * done
    with dial(proxy) as peer:
        assert said(peer, b"COMMIT 3") == b"COMMIT 3"
