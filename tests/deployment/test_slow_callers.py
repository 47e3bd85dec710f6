"""The nginx of the deployment keeps slow callers away from the threads of the app."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from flask_otp_mpp.callers.transport import over_http
from tests.deployment.processes import ROOT, Deployed, run
from tests.deployment.test_nginx import running
from tests.deployment.wire import request_bytes
from tests.servers import free_port
from tests.services import program

pytestmark = [pytest.mark.slow, pytest.mark.server]

THREADS = 2
SLOW_CALLERS = 20
PROMPT = 1.5
"""Seconds within which a caller must be answered."""


@contextmanager
def slow_callers(port: int, server: Deployed) -> Iterator[list[socket.socket]]:
    """Open connections that have sent the head of a request, and the first byte of its body."""
    call, _ = server.caller().prepare("/sendOTP", {})
    head, _, body = request_bytes(call).partition(b"\r\n\r\n")
    with ExitStack() as stack:
        peers = []
        for _ in range(SLOW_CALLERS):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            peer.sendall(head + b"\r\n\r\n" + body[:1])
            peers.append(peer)
        time.sleep(0.5)
        yield peers


@contextmanager
def documented(folder: Path, upstream: int, more: str = "") -> Iterator[int]:
    """Run nginx with the configuration of the deployment, without TLS; give its port.

    :param more: lines for its location.
    """
    text, port = (ROOT / "deploy/nginx.conf").read_text(), free_port()
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    text = text.replace("proxy_next_upstream", f"{more} proxy_next_upstream")
    text = re.sub(r"ssl_certificate\w* [^;]+;", "", text)
    (folder / "nginx").mkdir(parents=True)
    with running(folder / "nginx", port, text):
        yield port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    program("nginx")
    arguments = ("-k", "gthread", "-w", "1", "--threads", str(THREADS))
    with run(tmp_path_factory.mktemp("slow"), *arguments) as running_server:
        yield running_server


@pytest.fixture(scope="module")
def proxy(server: Deployed) -> Iterator[int]:
    with documented(server.folder, server.port) as port:
        yield port


def test_without_a_proxy_slow_callers_hold_every_thread(server: Deployed) -> None:
    """X4: why the documentation wants a proxy; gunicorn has no time-out for a thread."""
    impatient = server.caller(over_http(f"http://127.0.0.1:{server.port}", PROMPT))
    with slow_callers(server.port, server), pytest.raises(TimeoutError):
        impatient.send("tok-held")


def test_behind_the_proxy_others_are_served_meanwhile(server: Deployed, proxy: int) -> None:
    """X4: a request reaches the app when all of it has arrived."""
    caller = server.caller(over_http(f"http://127.0.0.1:{proxy}", PROMPT))
    with slow_callers(proxy, server) as peers:
        for number in range(10):
            answer = caller.send(f"tok-served{number}")
            assert (answer.code, answer.verified) == ("SUCCESS", True)
        for peer in peers:  # nginx gives each of them up: 408, or without a word
            assert peer.recv(64)[:12] in (b"", b"HTTP/1.1 408")


@pytest.mark.parametrize(("size", "code"), [(17_000, "PARAM_ILLEGAL"), (66_000, None)])
def test_a_long_body_is_refused_by_the_app_and_a_very_long_one_by_the_proxy(
    size: int, code: str | None, server: Deployed, proxy: int
) -> None:
    """F7: what the app refuses is signed."""
    caller = server.caller(over_http(f"http://127.0.0.1:{proxy}", 10))
    call, _ = caller.prepare("/sendOTP", b" " * size)
    answer = caller.deliver(call)
    if code is None:
        assert answer.response.status == 413
    else:
        assert (answer.code, answer.verified) == (code, True)
