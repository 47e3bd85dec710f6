"""When the Redis that counts traffic can't be reached, the setting decides, and soon."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import pytest

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer
from flask_otp_mpp.callers.transport import over_http
from flask_otp_mpp.signing.keys import one_line
from tests.faults.backends import host_and_port, need_redis, through_port
from tests.faults.proxy import Fault, FaultProxy, proxy_to
from tests.faults.users import MAX_SECONDS
from tests.servers import serving
from tests.stores.redis_server import URL as REDIS_URL
from tests.stores.redis_server import client as client_of_redis
from tests.wallet import Wallet, key

pytestmark = pytest.mark.server

UNKNOWN = ("UNKNOWN_EXCEPTION", True)
LIMITED = ("REQUEST_TRAFFIC_EXCEED_LIMIT", True)
GRANTED = ("SUCCESS", True)
FAULTS: dict[str, Callable[[FaultProxy], None]] = {
    "refused": FaultProxy.refuse,
    "black-hole": FaultProxy.black_hole,
}


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    need_redis()
    with proxy_to(*host_and_port(REDIS_URL)) as proxy:
        yield proxy


@pytest.fixture
def client() -> Iterator[str]:
    """Return a client id without a counter in Redis; delete its counters after the test."""
    name = f"FAULTS_{secrets.token_hex(6)}"
    yield name
    with client_of_redis(REDIS_URL) as storage:
        for counter in storage.scan_iter(f"*{name}*"):
            storage.delete(counter)


class Caller:
    """Send codes for a client over HTTP; every answer comes in time."""

    def __init__(self, wallet: Wallet, url: str, client: str) -> None:
        self.wallet = wallet
        self._caller = wallet.calling(over_http(url, 60), client_id=client)
        self.slowest = 0.0

    def send(self) -> tuple[str, bool]:
        self.wallet.clock.forward(seconds=61)
        start = time.monotonic()
        answer: AlipayPlusAnswer = self._caller.send("tok-ada")
        self.slowest = max(self.slowest, time.monotonic() - start)
        return answer.code, answer.verified


@pytest.fixture
def calling(
    make_wallet: Callable[..., Wallet], proxy: FaultProxy, client: str
) -> Iterator[Callable[..., Caller]]:
    """Open a wallet whose traffic is counted behind the proxy."""
    running = []

    def call(limit: str = "1000 per hour", **changed: str) -> Caller:
        usual: dict[str, object] = {
            "OTP_MPP_ADDRESS_LIMIT": "",
            "OTP_MPP_CLIENT_LIMIT": limit,
            "OTP_MPP_SEND_LIMITS": "1000 per day",
            "OTP_MPP_LIMITER_STORAGE": through_port(REDIS_URL, proxy.port),
            "OTP_MPP_ALIPAYPLUS_CLIENTS": {client: {"1": one_line(key("alipay+").public_key())}},
        }
        wallet = make_wallet(**{**usual, **changed})
        server = serving(wallet.app)
        running.append(server)
        return Caller(wallet, server.__enter__(), client)

    yield call
    for server in running:
        server.__exit__(None, None, None)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at_rest", [True, False], ids=["known-before", "from-the-start"])
def test_closed_refuses_while_the_storage_is_away(
    calling: Callable[..., Caller], proxy: FaultProxy, fault: str, at_rest: bool
) -> None:
    """R1: signed, in time, without a message; and it works again by itself."""
    caller = calling()
    if at_rest:
        assert caller.send() == GRANTED
    FAULTS[fault](proxy)
    assert caller.send() == UNKNOWN
    assert len(caller.wallet.inbox) == int(at_rest)
    proxy.heal()
    assert GRANTED in (caller.send(), caller.send())
    assert caller.slowest < MAX_SECONDS


@pytest.mark.parametrize("fault", FAULTS)
def test_open_serves_while_the_storage_is_away(
    calling: Callable[..., Caller], proxy: FaultProxy, fault: str
) -> None:
    """R1: in time as well; the two limits do not wait longer than the caller does."""
    caller = calling(
        OTP_MPP_LIMITER_FAILURE="open",
        OTP_MPP_ADDRESS_LIMIT=f"{10**6 + secrets.randbelow(10**6)} per minute",  # a key of its own
    )
    assert caller.send() == GRANTED
    FAULTS[fault](proxy)
    assert caller.send() == GRANTED
    proxy.heal()
    assert caller.send() == GRANTED
    assert caller.slowest < MAX_SECONDS


def test_a_restart_of_the_storage_fails_no_request(
    calling: Callable[..., Caller], proxy: FaultProxy
) -> None:
    """R1: a connection that was closed while idle is replaced within the next request."""
    caller = calling()
    for _ in range(3):
        assert caller.send() == GRANTED
        proxy.reset()


@pytest.mark.parametrize("fault", [Fault.CUT_ANSWER, Fault.SWALLOW_ANSWER], ids=lambda f: f.name)
def test_a_count_whose_answer_was_lost_lets_nobody_pass_the_limit(
    calling: Callable[..., Caller], proxy: FaultProxy, fault: Fault
) -> None:
    """R1: it may be counted twice, never not at all."""
    caller = calling("4 per hour")
    assert caller.send() == GRANTED
    proxy.when(b"EVALSHA", fault)
    assert caller.send() in (UNKNOWN, GRANTED)
    assert proxy.triggered == 1
    proxy.heal()
    rest = [caller.send() for _ in range(4)]
    assert 1 <= rest.count(GRANTED) <= 2
    assert rest[-1] == LIMITED
    assert caller.slowest < MAX_SECONDS
