"""The host's own pages answer while a store, or a provider of messages, does not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.ams import AmsCaller
from flask_otp_mpp.callers.transport import over_http
from flask_otp_mpp.signing.keys import one_line
from tests.ams import MERCHANT
from tests.deployment.processes import Deployed, run
from tests.faults.backends import SERVERS, empty_backend, host_and_port, through_port
from tests.faults.proxy import proxy_to
from tests.faults.running import running
from tests.wallet import key, request_fields

pytestmark = [pytest.mark.server, pytest.mark.slow]

UNKNOWN: Final = "UNKNOWN_EXCEPTION"
SILENCE: Final = 3.5
OUTAGE_LINE: Final = "the OTP store fails"


@contextmanager
def asked_for_pages(server: Deployed) -> Iterator[list[float]]:
    """Ask for a page of the host all the time; yield how many seconds each took."""
    seconds: list[float] = []
    end = threading.Event()

    def ask() -> None:
        while not end.wait(0.05):
            begin = time.monotonic()
            server.page("/pid")
            seconds.append(time.monotonic() - begin)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield seconds
        finally:
            end.set()
            asking.result(60)


def at_a_rate(work: Callable[[int], str], count: int, a_second: float) -> Counter[str]:
    """Begin so many calls a second, whenever the earlier ones end; count their results."""
    with ThreadPoolExecutor(count) as pool:
        futures = []
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begin + number / a_second - time.monotonic()))
            futures.append(pool.submit(work, number))
        return Counter(future.result() for future in futures)


def sent(caller: AlipayPlusCaller, token: str) -> str:
    """Have a code sent; return the result code."""
    return caller.deliver(caller.prepare("/sendOTP", request_fields(token))[0]).code


@pytest.mark.parametrize("backend", SERVERS)
def test_pages_answer_while_the_store_is_silent(tmp_path: Path, backend: str) -> None:
    """O7: twenty requests a second hold half of the threads, each of them for a while."""
    with (
        empty_backend(backend, tmp_path) as url,
        proxy_to(*host_and_port(url)) as proxy,
        running(tmp_path / "run", through_port(url, proxy.port), "-w", "1", "--threads", "16")
        as server,
    ):  # fmt: skip
        caller = server.caller()

        def send(number: int) -> str:
            return sent(caller, f"tok-silent{number}")

        assert send(1000) == "SUCCESS"
        with asked_for_pages(server) as seconds:
            proxy.black_hole()
            found = at_a_rate(send, int(SILENCE * 20), 20)
            proxy.heal()
            after = at_a_rate(lambda number: send(2000 + number), 40, 20)
        log = (tmp_path / "run" / "server.log").read_text()
    assert max(seconds) < 1
    assert found == {UNKNOWN: SILENCE * 20}
    assert after["SUCCESS"] >= 10
    assert 1 <= log.count(OUTAGE_LINE) <= SILENCE + 5
    assert len(log) < 300 * (SILENCE + 5)


def test_pages_answer_while_senders_hang(tmp_path: Path) -> None:
    """O7: what comes above half of the threads is answered, and nothing is reserved for it."""
    with run(tmp_path, "-w", "1", "--threads", "8", OTP_MPP_COOL_DOWN=0) as server:
        caller = server.caller()

        def send(number: int) -> str:
            return sent(caller, f"tok-slow{number}")

        with asked_for_pages(server) as seconds:
            found = at_a_rate(send, 8, 1000)
        assert max(seconds) < 1
        assert found == {"SUCCESS": 4, UNKNOWN: 4}
        left = [number for number in range(8) if not server.outbox(f"slow{number}")]
        assert at_a_rate(lambda place: send(left[place]), len(left), 1000) == {"SUCCESS": 4}


def test_pages_answer_while_a_provider_is_down_and_merchants_repeat(tmp_path: Path) -> None:
    """O7: neither its time-outs nor the repeats that wait for them hold all threads."""
    clients = {MERCHANT: {"1": one_line(key("merchant").public_key())}}
    with run(
        tmp_path, "-w", "1", "--threads", "16", OTP_MPP_AMS_CLIENTS=clients
    ) as server:  # fmt: skip
        transport = over_http(f"http://127.0.0.1:{server.port}", 30)
        public = {"1": key("wallet").public_key()}
        merchant = AmsCaller(transport, client_id=MERCHANT, key=key("merchant"), server_keys=public)

        def init(number: int) -> str:
            return merchant.init(f"tok-down{number // 2}", f"AUTH_{number // 2}").code

        with asked_for_pages(server) as seconds:
            found = at_a_rate(init, 64, 16)
    assert max(seconds) < 1
    assert found == {UNKNOWN: 64}
