"""Floods on real servers: what is refused costs little, and others are served meanwhile."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flask_otp_mpp.callers.ams import AmsCaller
from flask_otp_mpp.callers.transport import over_http
from flask_otp_mpp.signing.keys import one_line
from tests.deployment.processes import Deployed, run
from tests.deployment.wallet_app import SLOW_SECONDS
from tests.deployment.wire import chunked_bytes, talk
from tests.wallet import key

pytestmark = pytest.mark.slow

# Behind the head of a request whose body comes in chunks.
BAD_CHUNKS = (
    b"size\r\nbody\r\n0\r\n\r\n",
    b"-1\r\nbody\r\n0\r\n\r\n",
    b"2\r\nlonger than told\r\n0\r\n\r\n",
    b"40\r\ncut off",
)


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_a_body_that_can_not_be_read_counts_like_any_other(kind: str, tmp_path: Path) -> None:
    """X1: twenty bad chunks at a limit of one a minute get one answer that tells the fault."""
    limit = {"OTP_MPP_ADDRESS_LIMIT": "1 per minute"}
    with run(tmp_path, "-k", kind, "-w", "1", **limit) as server:
        caller = server.caller()
        codes: Counter[str] = Counter()
        for number in range(20):
            call, _ = caller.prepare("/sendOTP", {})
            head = chunked_bytes(call, []).partition(b"\r\n\r\n")[0]
            data = head + b"\r\n\r\n" + BAD_CHUNKS[number % len(BAD_CHUNKS)]
            (response,) = talk(server.port, data, last=True)
            answer = server.caller(lambda _, seen=response: seen).deliver(call)
            assert answer.verified
            codes[answer.code] += 1
    assert codes == {"PARAM_ILLEGAL": 1, "REQUEST_TRAFFIC_EXCEED_LIMIT": 19}
    assert "Traceback" not in (tmp_path / "server.log").read_text()


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with-length"])
def test_an_over_long_body_counts_like_any_other(tmp_path: Path, *, chunked: bool) -> None:
    """X1: and from the limit on it is not read at all."""
    limit = {"OTP_MPP_ADDRESS_LIMIT": "2 per minute"}
    with run(tmp_path, "-k", "gthread", "-w", "1", **limit) as server:
        caller = server.caller()
        codes = []
        for _ in range(5):
            call, _ = caller.prepare("/sendOTP", b" " * 20_000)
            if chunked:
                (response,) = talk(server.port, chunked_bytes(call, [9_000, 9_000]))
                codes.append(server.caller(lambda _, seen=response: seen).deliver(call).code)
            else:
                codes.append(caller.deliver(call).code)
    assert codes == ["PARAM_ILLEGAL"] * 2 + ["REQUEST_TRAFFIC_EXCEED_LIMIT"] * 3


REPEATS_A_SECOND = 12
FLOOD_SECONDS = 5


def merchant(server: Deployed, name: str) -> AmsCaller:
    """Return a merchant that calls a server."""
    return AmsCaller(
        over_http(f"http://127.0.0.1:{server.port}", 30),
        client_id=name,
        key=key(name),
        server_keys={"1": key("wallet").public_key()},
    )


def test_the_repeats_of_one_merchant_do_not_keep_another_one_waiting(tmp_path: Path) -> None:
    """X4: twelve a second, for five seconds, on a server with four threads.

    Each repeat is of a request that has just been sent, and is at work for two seconds.
    """
    clients = {name: {"1": one_line(key(name).public_key())} for name in ("FLOODER", "OTHER")}
    arguments = ("-k", "gthread", "-w", "1", "--threads", "4")
    with (
        run(tmp_path, *arguments, OTP_MPP_AMS_CLIENTS=clients) as server,
        ThreadPoolExecutor(100) as pool,
    ):
        flooder, other = merchant(server, "FLOODER"), merchant(server, "OTHER")
        took: list[float] = []
        flood = []
        begin = time.monotonic()
        for number in range(REPEATS_A_SECOND * FLOOD_SECONDS):
            time.sleep(max(0.0, begin + number / REPEATS_A_SECOND - time.monotonic()))
            turn = int((time.monotonic() - begin) / SLOW_SECONDS)
            flood.append(pool.submit(flooder.init, f"tok-slow{turn}", f"request-{turn}"))
            if number % 6 == 5:
                asked = time.monotonic()
                answer = other.init(f"tok-u{number}", f"other-{number}")
                took.append(time.monotonic() - asked)
                assert (answer.code, answer.verified) == ("SUCCESS", True)
        answers = Counter(one.result(60).code for one in flood)
    assert set(answers) == {"SUCCESS", "UNKNOWN_EXCEPTION"}
    assert answers["UNKNOWN_EXCEPTION"] > len(flood) / 2
    assert len(took) == 10
    assert max(took) < 1.0
