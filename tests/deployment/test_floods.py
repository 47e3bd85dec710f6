"""Floods on real servers: what is refused costs little, and others are served meanwhile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.deployment.processes import run
from tests.deployment.wire import chunked_bytes, talk

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
