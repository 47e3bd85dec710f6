"""A worker that is killed at any moment leaves nothing granted twice, lost, or stuck.

Every test kills a process by SIGKILL at one point of one request, lets gunicorn replace it, and
then counts: messages in the outbox, codes compared, sends that the quota still allows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.faults.people import Someone, wrong
from tests.faults.places import place
from tests.faults.running import Mortal, running
from tests.faults.trap import SEND_POINTS, VERIFY_POINTS
from tests.faults.wallet_app import COOL_DOWN
from tests.services import MARIADB, POSTGRESQL, REDIS

pytestmark = pytest.mark.slow

QUOTA = 3
BUDGET = 7

# What the repeat of a send is answered by the place where its first coming died (decision 5), and
# whether that one's message had left.
RESERVED_NOTHING = {"before-reserve", "in-reserve"}
MESSAGE_LEFT = {"after-outbox", "before-settle", "in-settle", "after-settle", "before-signing"}
SETTLED = {"after-settle", "before-signing"}


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL, MARIADB, REDIS])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mortal]:
    """Run one worker on each store; a killed one has one successor, which knows what is stored."""
    folder = tmp_path_factory.mktemp(str(request.param))
    with (
        place(str(request.param), folder) as url,
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


def someone_of(server: Mortal) -> Someone:
    return Someone(server.caller(), server.outbox, lambda: time.sleep(COOL_DOWN))


@pytest.mark.parametrize("point", SEND_POINTS)
def test_a_send_that_was_killed_is_done_once_or_not_at_all(server: Mortal, point: str) -> None:
    """T4, S1, S10: no second message, no send lost from the quota, no user stuck."""
    someone = someone_of(server)
    call = someone.sending()
    server.dies_over(someone.caller, call, point)
    if server.name == "redis":  # what was sent to it is done, whether or not anybody hears of it
        point = point.replace("in-", "after-")
    left = int(point in MESSAGE_LEFT)
    assert len(someone.messages) == left
    granted = point in RESERVED_NOTHING | SETTLED
    for _ in range(2):
        answer = someone.answer(call)
        assert answer.code == ("SUCCESS" if granted else "UNKNOWN_EXCEPTION")
    left = max(left, int(granted))
    assert len(someone.messages) == left
    if granted:
        (code,) = someone.messages
        assert someone.tried(answer.verify_request_id, code) == "SUCCESS"
    for _ in range(QUOTA - 1):
        request_id, code = someone.sent()
        assert someone.tried(request_id, code) == "SUCCESS"
    time.sleep(COOL_DOWN)
    assert someone.told(someone.sending()) == "OTP_SEND_TIMES_EXCEED_LIMIT"
    assert someone.told(call) == ("SUCCESS" if granted else "UNKNOWN_EXCEPTION")
    assert len(someone.messages) == left + QUOTA - 1


@pytest.mark.parametrize("point", VERIFY_POINTS)
def test_a_right_code_that_was_killed_succeeds_once(server: Mortal, point: str) -> None:
    """T4, L5, S10: its repeat is told so, and no other request."""
    someone = someone_of(server)
    request_id, code = someone.sent()
    call = someone.verifying(request_id, code)
    server.dies_over(someone.caller, call, point)
    if point in {"before-spend", "in-spend"}:
        assert someone.told(call) == "SUCCESS"
    assert someone.tried(request_id, code) == "VERIFY_REQUEST_ID_INVALID"
    assert someone.told(call) == "SUCCESS"
    assert someone.tried(request_id, code) == "VERIFY_REQUEST_ID_INVALID"


@pytest.mark.parametrize("point", VERIFY_POINTS)
def test_a_wrong_code_that_was_killed_is_counted_once(server: Mortal, point: str) -> None:
    """T4, A1, A2, A7: with its repeat; what was counted before stays, on the user as well."""
    someone = someone_of(server)
    request_id, code = someone.sent()
    assert someone.tried(request_id, wrong(code, 8)) == "OTP_VERIFY_UNMATCHED"
    call = someone.verifying(request_id, wrong(code, 9))
    server.dies_over(someone.caller, call, point)
    assert someone.told(call) == "OTP_VERIFY_UNMATCHED"
    assert someone.told(call) == "OTP_VERIFY_UNMATCHED"
    assert someone.tries(request_id, code) == 5 - 2
    assert someone.tried(request_id, code) == "OTP_VERIFY_TIMES_EXCEED_LIMIT"
    request_id, code = someone.sent()
    assert someone.tries(request_id, code) == BUDGET - 5
    assert someone.tried(request_id, code) == "OTP_VERIFY_TIMES_EXCEED_LIMIT"


def test_killing_workers_buys_no_guesses(server: Mortal) -> None:
    """A1, A7: five guesses that nobody was told of were five guesses."""
    someone = someone_of(server)
    request_id, code = someone.sent()
    for by in range(5):
        call = someone.verifying(request_id, wrong(code, by))
        server.dies_over(someone.caller, call, "before-signing")
    assert someone.tried(request_id, code) == "OTP_VERIFY_TIMES_EXCEED_LIMIT"
