"""A worker that is killed at any point of a request grants nothing twice, loses and blocks nothing.

Each test kills a process by SIGKILL at one point of one request, lets gunicorn replace it, and then
counts: messages in the outbox, codes compared, sends that the quota still allows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.codes import wrong_code
from tests.faults.backends import empty_backend
from tests.faults.kill_points import SEND_POINTS, VERIFY_POINTS
from tests.faults.running import KillableServer, running
from tests.faults.users import WalletUser
from tests.faults.wallet_app import COOL_DOWN
from tests.services import MARIADB, POSTGRESQL, REDIS

pytestmark = pytest.mark.slow

QUOTA = 3
BUDGET = 7

# Points where nothing was reserved, the message was sent, and the result was stored; they decide
# what the repeat of the send is answered (decision 5).
RESERVED_NOTHING = {"before-reserve", "in-reserve"}
MESSAGE_SENT = {"after-outbox", "before-settle", "in-settle", "after-settle", "before-signing"}
SETTLED = {"after-settle", "before-signing"}


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL, MARIADB, REDIS])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KillableServer]:
    """Run one worker on each store; gunicorn replaces it when it is killed."""
    folder = tmp_path_factory.mktemp(str(request.param))
    with (
        empty_backend(str(request.param), folder) as url,
        running(
            folder,
            url,
            "-w",
            "1",
            OTP_MPP_SEND_LIMITS=f"{QUOTA} per day",
            OTP_MPP_FAILURE_LIMIT=BUDGET,
        ) as server,
    ):
        server.name = str(request.param)
        yield server


def user_of(server: KillableServer) -> WalletUser:
    return WalletUser(server.caller(), server.outbox, lambda: time.sleep(COOL_DOWN))


@pytest.mark.parametrize("point", SEND_POINTS)
def test_a_send_whose_worker_was_killed_is_done_once_or_not_at_all(
    server: KillableServer, point: str
) -> None:
    """T4, S1, S10: no second message, no send lost from the quota, no user stuck."""
    user = user_of(server)
    call = user.send_call()
    server.kill_during(user.caller, call, point)
    if server.name == "redis":  # it does what was sent, also if nobody reads the answer
        point = point.replace("in-", "after-")
    left = int(point in MESSAGE_SENT)
    assert len(user.messages) == left
    granted = point in RESERVED_NOTHING | SETTLED
    for _ in range(2):
        answer = user.answer(call)
        assert answer.code == ("SUCCESS" if granted else "UNKNOWN_EXCEPTION")
    left = max(left, int(granted))
    assert len(user.messages) == left
    if granted:
        (code,) = user.messages
        assert user.verify(answer.verify_request_id, code) == "SUCCESS"
    for _ in range(QUOTA - 1):
        request_id, code = user.sent()
        assert user.verify(request_id, code) == "SUCCESS"
    time.sleep(COOL_DOWN)
    assert user.result(user.send_call()) == "OTP_SEND_TIMES_EXCEED_LIMIT"
    assert user.result(call) == ("SUCCESS" if granted else "UNKNOWN_EXCEPTION")
    assert len(user.messages) == left + QUOTA - 1


@pytest.mark.parametrize("point", VERIFY_POINTS)
def test_a_right_code_whose_worker_was_killed_succeeds_once(
    server: KillableServer, point: str
) -> None:
    """T4, L5, S10: its repeat is answered by SUCCESS, and no other request."""
    user = user_of(server)
    request_id, code = user.sent()
    call = user.verify_call(request_id, code)
    server.kill_during(user.caller, call, point)
    if point in {"before-spend", "in-spend"}:
        assert user.result(call) == "SUCCESS"
    assert user.verify(request_id, code) == "VERIFY_REQUEST_ID_INVALID"
    assert user.result(call) == "SUCCESS"
    assert user.verify(request_id, code) == "VERIFY_REQUEST_ID_INVALID"


@pytest.mark.parametrize("point", VERIFY_POINTS)
def test_a_wrong_code_whose_worker_was_killed_is_counted_once(
    server: KillableServer, point: str
) -> None:
    """T4, A1, A2, A7: with its repeat; what was counted before stays, on the user as well."""
    user = user_of(server)
    request_id, code = user.sent()
    assert user.verify(request_id, wrong_code(code, 8)) == "OTP_VERIFY_UNMATCHED"
    call = user.verify_call(request_id, wrong_code(code, 9))
    server.kill_during(user.caller, call, point)
    assert user.result(call) == "OTP_VERIFY_UNMATCHED"
    assert user.result(call) == "OTP_VERIFY_UNMATCHED"
    assert user.count_tries(request_id, code) == 5 - 2
    assert user.verify(request_id, code) == "OTP_VERIFY_TIMES_EXCEED_LIMIT"
    request_id, code = user.sent()
    assert user.count_tries(request_id, code) == BUDGET - 5
    assert user.verify(request_id, code) == "OTP_VERIFY_TIMES_EXCEED_LIMIT"


def test_killed_workers_allow_no_further_guess(server: KillableServer) -> None:
    """A1, A7: five guesses whose answers were lost are five guesses."""
    user = user_of(server)
    request_id, code = user.sent()
    for by in range(5):
        call = user.verify_call(request_id, wrong_code(code, by))
        server.kill_during(user.caller, call, "before-signing")
    assert user.verify(request_id, code) == "OTP_VERIFY_TIMES_EXCEED_LIMIT"
