"""Four processes of two servers on one store and one Redis keep what one process keeps."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Final

import pytest

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.signing.keys import one_line
from tests.codes import wrong_code
from tests.faults.backends import empty_backend, need_redis
from tests.faults.running import KillableServer, running
from tests.stores.redis_server import URL as REDIS_URL
from tests.stores.redis_server import client as client_of_redis
from tests.wallet import key, request_fields

pytestmark = pytest.mark.server

CROWD: Final = 32
LIMIT: Final = 40
QUOTA: Final = 3
_numbers = count()


@dataclass
class Cluster:
    """All nodes, called by many threads at once for one client and one user."""

    nodes: list[KillableServer]
    client: str
    user: str

    @property
    def token(self) -> str:
        return f"tok-{self.user}"

    @property
    def messages(self) -> list[str]:
        return [code for node in self.nodes for code in node.outbox(self.user)]

    def caller(self, at: int = 0) -> AlipayPlusCaller:
        return self.nodes[at % len(self.nodes)].caller(client_id=self.client)

    def sent(self) -> tuple[str, str]:
        """Send one code by the first node; return request id and code."""
        answer = self.caller().send(self.token)
        assert (answer.code, answer.verified) == ("SUCCESS", True)
        return answer.verify_request_id, self.messages[-1]

    def at_once(
        self, act: Callable[[AlipayPlusCaller, int], AlipayPlusAnswer], crowd: int = CROWD
    ) -> Counter[str]:
        """Do it from a crowd that spreads over the nodes; count the codes of signed answers."""
        barrier = threading.Barrier(crowd, timeout=20)

        def one(place: int) -> AlipayPlusAnswer:
            barrier.wait()
            return act(self.caller(place), place)

        with ThreadPoolExecutor(crowd) as pool:
            answers = list(pool.map(one, range(crowd)))
        assert all(answer.verified for answer in answers)
        return Counter(answer.code for answer in answers)


@pytest.fixture(scope="module")
def clients() -> Iterator[list[str]]:
    """Return client ids without counters in Redis; delete their counters after the tests."""
    need_redis()
    names = [f"NODES_{secrets.token_hex(6)}" for _ in range(20)]
    yield names
    with client_of_redis(REDIS_URL) as storage:
        for name in names:
            for counter in storage.scan_iter(f"*{name}*"):
                storage.delete(counter)


@pytest.fixture(scope="module", params=["postgresql", "redis"])
def nodes(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    clients: list[str],
) -> Iterator[list[KillableServer]]:
    """Run two servers of two processes each, on ports of their own."""
    folder = tmp_path_factory.mktemp(str(request.param))
    public = {"1": one_line(key("alipay+").public_key())}
    with ExitStack() as stack:
        url = stack.enter_context(empty_backend(str(request.param), folder))
        yield [
            stack.enter_context(
                running(
                    folder / f"node{number}",
                    url,
                    *("-k", "gthread", "-w", "2", "--threads", "8"),
                    OTP_MPP_LIMITER_STORAGE=REDIS_URL,
                    OTP_MPP_CLIENT_LIMIT=f"{LIMIT} per hour",
                    OTP_MPP_ADDRESS_LIMIT="",
                    OTP_MPP_COOL_DOWN=0,
                    OTP_MPP_SEND_LIMITS=f"{QUOTA} per day",
                    OTP_MPP_ALIPAYPLUS_CLIENTS=dict.fromkeys(clients, public),
                )
            )
            for number in range(2)
        ]


@pytest.fixture
def cluster(nodes: list[KillableServer], clients: list[str]) -> Cluster:
    """Ask in the name of a client and of a user who have done nothing yet."""
    number = next(_numbers)
    return Cluster(nodes, clients[number % len(clients)], f"user{number}")


def test_of_many_right_answers_at_all_nodes_one_succeeds(cluster: Cluster) -> None:
    """L6: 32 requests with the right code, no two of them the same bytes."""
    request_id, code = cluster.sent()
    codes = cluster.at_once(
        lambda caller, at: caller.verify(cluster.token, request_id, code, extendInfo=f"{at}")
    )
    assert codes == {"SUCCESS": 1, "VERIFY_REQUEST_ID_INVALID": CROWD - 1}


def test_of_many_wrong_answers_at_all_nodes_five_are_compared(cluster: Cluster) -> None:
    """A1: and then the right one fails at each node."""
    request_id, code = cluster.sent()
    codes = cluster.at_once(
        lambda caller, at: caller.verify(cluster.token, request_id, wrong_code(code, at))
    )
    assert codes == {"OTP_VERIFY_UNMATCHED": 5, "OTP_VERIFY_TIMES_EXCEED_LIMIT": CROWD - 5}
    for at in range(2):
        late = cluster.caller(at).verify(cluster.token, request_id, code)
        assert late.code == "OTP_VERIFY_TIMES_EXCEED_LIMIT"


def test_the_quota_is_one_for_all_nodes(cluster: Cluster) -> None:
    """S1: of 32 sends without a cool-down as many go out as the quota allows."""
    codes = cluster.at_once(lambda caller, at: caller.send(cluster.token, extendInfo=f"{at}"))
    assert codes == {"SUCCESS": QUOTA, "OTP_SEND_TIMES_EXCEED_LIMIT": CROWD - QUOTA}
    assert len(cluster.messages) == QUOTA


def test_one_request_at_all_nodes_is_one_message(cluster: Cluster) -> None:
    """S10: 32 repeats of the same bytes, half of them at another server."""
    first = cluster.caller()
    call, _ = first.prepare("/sendOTP", request_fields(cluster.token))
    codes = cluster.at_once(lambda caller, _: caller.deliver(call))
    assert set(codes) <= {"SUCCESS", "UNKNOWN_EXCEPTION"}
    assert [cluster.caller(at).deliver(call).code for at in range(2)] == ["SUCCESS"] * 2
    assert len(cluster.messages) == 1


def test_the_traffic_limit_is_one_for_all_nodes(cluster: Cluster) -> None:
    """R1, R4: exactly as many requests as the limit says, whichever process gets which."""
    codes: Counter[str] = Counter()
    for _ in range(2):
        codes += cluster.at_once(lambda caller, at: caller.verify(cluster.token, "none", "123456"))
    assert codes == {
        "VERIFY_REQUEST_ID_INVALID": LIMIT,
        "REQUEST_TRAFFIC_EXCEED_LIMIT": 2 * CROWD - LIMIT,
    }
    other = cluster.caller().call("/verifyOTP", {}, tamper="client")
    assert other.code == "INVALID_CLIENT"
