"""Four processes on one SQLite file behave as one thread, also when they are killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count

import pytest

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer
from tests.codes import wrong_code
from tests.deployment.processes import Deployed, run
from tests.wallet import request_fields

pytestmark = pytest.mark.slow

CLIENTS = 32
WORKERS = 4
_users = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Serve one SQLite file by four processes of eight threads."""
    arguments = ("-k", "gthread", "-w", str(WORKERS), "--threads", "8", "--timeout", "30")
    with run(tmp_path_factory.mktemp("races"), *arguments) as running:
        yield running


@dataclass
class Crowd:
    """Let many callers do one thing at the same moment."""

    server: Deployed
    user: str = field(default_factory=lambda: f"racer{next(_users)}")

    @property
    def token(self) -> str:
        return f"tok-{self.user}"

    def sent(self) -> tuple[str, str]:
        """Send one code; return its request id and the code."""
        answer = self.server.caller().send(self.token)
        assert (answer.code, answer.verified) == ("SUCCESS", True)
        return answer.verify_request_id, self.server.outbox(self.user)[-1]

    def at_once(self, act: Callable[[int], AlipayPlusAnswer]) -> list[AlipayPlusAnswer]:
        """Do it from all clients; every answer must be signed."""
        barrier = threading.Barrier(CLIENTS, timeout=20)

        def one(client: int) -> AlipayPlusAnswer:
            barrier.wait()
            return act(client)

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(one, range(CLIENTS)))
        assert all(answer.verified for answer in answers)
        return answers


def codes(answers: list[AlipayPlusAnswer]) -> Counter[str]:
    return Counter(answer.code for answer in answers)


@pytest.mark.parametrize("_round", range(3))
def test_of_many_right_answers_one_succeeds(server: Deployed, _round: int) -> None:
    """L6: 32 requests with the right code, no two of them the same bytes."""
    crowd = Crowd(server)
    request_id, code = crowd.sent()
    answers = crowd.at_once(
        lambda client: server.caller().verify(
            crowd.token, request_id, code, extendInfo=f"client {client}"
        )
    )
    assert codes(answers) == {"SUCCESS": 1, "VERIFY_REQUEST_ID_INVALID": CLIENTS - 1}


@pytest.mark.parametrize("_round", range(3))
def test_of_many_wrong_answers_five_are_compared(server: Deployed, _round: int) -> None:
    """A1: and then the right one fails as well."""
    crowd = Crowd(server)
    request_id, code = crowd.sent()
    answers = crowd.at_once(
        lambda client: server.caller().verify(crowd.token, request_id, wrong_code(code, client))
    )
    assert codes(answers) == {
        "OTP_VERIFY_UNMATCHED": 5,
        "OTP_VERIFY_TIMES_EXCEED_LIMIT": CLIENTS - 5,
    }
    late = server.caller().verify(crowd.token, request_id, code)
    assert late.code == "OTP_VERIFY_TIMES_EXCEED_LIMIT"


@pytest.mark.parametrize("_round", range(3))
def test_of_many_sends_one_goes_out(server: Deployed, _round: int) -> None:
    """S1: the slot is taken before the message leaves."""
    crowd = Crowd(server)
    answers = crowd.at_once(
        lambda client: server.caller().send(crowd.token, extendInfo=f"client {client}")
    )
    assert codes(answers) == {"SUCCESS": 1, "OTP_SEND_TIMES_EXCEED_LIMIT": CLIENTS - 1}
    assert len(server.outbox(crowd.user)) == 1


@pytest.mark.parametrize("_round", range(3))
def test_a_send_that_is_repeated_byte_for_byte_goes_out_once(server: Deployed, _round: int) -> None:
    """S10: whoever is early is told to wait, all others get the one stored answer."""
    crowd, caller = Crowd(server), server.caller()
    call, _ = caller.prepare("/sendOTP", request_fields(crowd.token))
    answers = crowd.at_once(lambda _: caller.deliver(call))
    assert set(codes(answers)) <= {"SUCCESS", "UNKNOWN_EXCEPTION"}
    assert len({a.verify_request_id for a in answers if a.code == "SUCCESS"}) == 1
    assert caller.deliver(call).code == "SUCCESS"
    assert len(server.outbox(crowd.user)) == 1


def test_a_verify_that_is_repeated_byte_for_byte_is_one_try(server: Deployed) -> None:
    """S10, A1: thirty-two repeats of a wrong answer leave four tries."""
    crowd, caller = Crowd(server), server.caller()
    request_id, code = crowd.sent()
    fields = request_fields(crowd.token, verifyRequestId=request_id, otpCode=wrong_code(code, 0))
    call, _ = caller.prepare("/verifyOTP", fields)
    assert codes(crowd.at_once(lambda _: caller.deliver(call))) == {"OTP_VERIFY_UNMATCHED": CLIENTS}
    tries = [
        caller.verify(crowd.token, request_id, wrong_code(code, by)).code for by in range(1, 6)
    ]
    assert tries == ["OTP_VERIFY_UNMATCHED"] * 4 + ["OTP_VERIFY_TIMES_EXCEED_LIMIT"]


def kill_workers(server: Deployed) -> None:
    """Kill every worker as a power cut would, and wait until all are replaced."""
    old = server.workers()
    assert len(old) == WORKERS
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        now = server.workers()
        if len(now) == WORKERS and not now & old:
            break
        time.sleep(0.05)
    assert not server.workers() & old
    assert int(server.page("/pid")) in server.workers()


def test_new_workers_know_what_killed_workers_have_stored(server: Deployed) -> None:
    """L5, A1, S10: a used code stays used, counted tries stay counted, a repeat stays a repeat."""
    used, tried, caller = Crowd(server), Crowd(server), server.caller()
    used_id, used_code = used.sent()
    assert caller.verify(used.token, used_id, used_code).code == "SUCCESS"
    call, _ = caller.prepare("/sendOTP", request_fields(tried.token))
    sent = caller.deliver(call)
    (code,) = server.outbox(tried.user)
    for by in range(5):
        answer = caller.verify(tried.token, sent.verify_request_id, wrong_code(code, by))
        assert answer.code == "OTP_VERIFY_UNMATCHED"
    kill_workers(server)
    again = caller.verify(used.token, used_id, used_code)
    assert (again.code, again.verified) == ("VERIFY_REQUEST_ID_INVALID", True)
    late = caller.verify(tried.token, sent.verify_request_id, code)
    assert (late.code, late.verified) == ("OTP_VERIFY_TIMES_EXCEED_LIMIT", True)
    repeated = caller.deliver(call)
    assert repeated.verify_request_id == sent.verify_request_id
    assert len(server.outbox(tried.user)) == 1
