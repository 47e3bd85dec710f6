"""When the network to the store fails, nothing is granted, lost or done twice, or late.

The wallet is served over HTTP and reaches its server through a proxy that makes faults on command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from flask_otp_mpp.callers.transport import Call, over_http
from flask_otp_mpp.core.circuit_breaker import OPEN_SECONDS
from tests.codes import wrong_code
from tests.faults.backends import (
    REDIS,
    SERVERS,
    Server,
    empty_backend,
    host_and_port,
    through_port,
)
from tests.faults.proxy import Fault, FaultProxy, proxy_to
from tests.faults.users import WalletUser
from tests.servers import serving
from tests.wallet import Wallet, open_wallet

pytestmark = pytest.mark.server

QUOTA: Final = 3
UNKNOWN: Final = "UNKNOWN_EXCEPTION"
CUTS: Final = (Fault.CUT_REQUEST, Fault.CUT_ANSWER)
CROWD: Final = 29
DONE: Final = {Fault.CUT_ANSWER, Fault.SWALLOW_ANSWER}


@dataclass
class Wired:
    """A wallet whose store is behind a proxy."""

    wallet: Wallet
    proxy: FaultProxy
    url: str
    server: Server

    def user(self) -> WalletUser:
        caller = self.wallet.calling(over_http(self.url, 60))
        return WalletUser(caller, self._outbox, lambda: self.wallet.clock.forward(seconds=61))

    def _outbox(self, name: str) -> list[str]:
        received = list(self.wallet.inbox.received)
        return [message.code for user, message in received if user.id == name]


@pytest.fixture(scope="module", params=SERVERS)
def wired(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wired]:
    """Open a wallet on each store; it serves all tests, with the connections that faults left."""
    folder: Path = tmp_path_factory.mktemp("network")
    with empty_backend(str(request.param), folder) as url, proxy_to(*host_and_port(url)) as proxy:
        wallet = open_wallet(
            store=through_port(url, proxy.port),
            OTP_MPP_SEND_LIMITS=f"{QUOTA} per day",
            OTP_MPP_ADDRESS_LIMIT="",
            OTP_MPP_CLIENT_LIMIT="",
            OTP_MPP_DELIVERIES=CROWD,
        )
        with serving(wallet.app) as base:
            yield Wired(wallet, proxy, base, SERVERS[str(request.param)])
        proxy.heal()
        wallet.close()


@pytest.fixture
def user(wired: Wired) -> Iterator[WalletUser]:
    """Return a user; the wallet has served another one before, so that its pool has connections."""
    wired.user().sent()
    yield wired.user()
    wired.proxy.heal()
    assert recovered(wired)


def at_once(user: WalletUser, calls: list[Call]) -> list[str]:
    """Deliver all calls at the same time; each is answered in time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(user.result, calls))


def recovered(wired: Wired) -> bool:
    """Tell whether requests are served again, at the latest when the store is asked once more."""
    stranger = wired.user()
    wired.proxy.heal()
    end = time.monotonic() + 2 * OPEN_SECONDS
    while stranger.result(stranger.send_call()) != "SUCCESS":
        if time.monotonic() > end:
            return False
    return True


@pytest.mark.parametrize("fault", [FaultProxy.refuse, FaultProxy.black_hole], ids=["gone", "mute"])
def test_a_server_that_is_away_grants_nothing(
    wired: Wired, user: WalletUser, fault: Callable[[FaultProxy], None]
) -> None:
    """A7, S1: no message, no try, no success; and all is as before when it is back.

    A crowd asks, so that some wait for a connection that others wait on; the pool loses none.
    """
    request_id, code = user.sent()
    fault(wired.proxy)
    crowd = [wired.user() for _ in range(CROWD)]
    calls = [
        user.send_call(),
        user.verify_call(request_id, wrong_code(code, 9)),
        user.verify_call(request_id, code),
        *(one.send_call() for one in crowd),
    ]
    assert at_once(user, calls) == [UNKNOWN] * len(calls)
    assert [one.messages for one in crowd] == [[]] * len(crowd)
    assert len(user.messages) == 1
    assert recovered(wired)
    assert at_once(user, [one.send_call() for one in crowd]) == ["SUCCESS"] * len(crowd)
    assert user.count_tries(request_id, code) == 5
    assert user.sends_left() == QUOTA - 1


def test_connections_that_were_closed_while_idle_are_replaced(
    wired: Wired, user: WalletUser
) -> None:
    """A7: the request that finds them may fail, the next ones do not; nothing is done twice."""
    request_id, code = user.sent()
    wired.proxy.reset()
    first = user.result(user.verify_call(request_id, wrong_code(code, 9)))
    assert first in {UNKNOWN, "OTP_VERIFY_UNMATCHED"}
    assert recovered(wired)
    assert user.count_tries(request_id, code) == 5 - (first != UNKNOWN)


def test_a_slow_server_is_waited_for(wired: Wired, user: WalletUser) -> None:
    """A7: as long as its caller waits."""
    wired.proxy.delay(0.02)
    request_id, code = user.sent()
    assert user.result(user.verify_call(request_id, code)) == "SUCCESS"


def test_answers_leave_in_time_however_slow_the_server_is(wired: Wired, user: WalletUser) -> None:
    """O1, O7: more threads than connections, and each answer of the server late by a second."""
    request_id, code = user.sent()
    wired.proxy.delay(1.0)
    crowd = [wired.user() for _ in range(CROWD)]
    calls = [user.verify_call(request_id, code), *(one.send_call() for one in crowd)]
    assert set(at_once(user, calls)) <= {"SUCCESS", UNKNOWN}


@pytest.mark.parametrize("fault", [*CUTS, Fault.SWALLOW_ANSWER], ids=lambda fault: fault.name)
def test_a_reservation_that_broke_off_sends_nothing(
    wired: Wired, user: WalletUser, fault: Fault
) -> None:
    """S1, S10: if it was made, it counts, and its repeat is answered that it is pending."""
    call = user.send_call()
    wired.proxy.when(wired.server.commit, fault)
    assert user.result(call) == UNKNOWN
    assert user.messages == []
    assert recovered(wired)
    granted = fault not in DONE
    assert user.result(call) == ("SUCCESS" if granted else UNKNOWN)
    assert len(user.messages) == int(granted)
    assert user.sends_left() == QUOTA - 1
    assert len(user.messages) == int(granted) + QUOTA - 1


@pytest.mark.parametrize("fault", [*CUTS, Fault.SWALLOW_REQUEST], ids=lambda fault: fault.name)
def test_the_end_of_a_delivery_is_stored_though_the_connection_was_lost(
    wired: Wired, user: WalletUser, fault: Fault
) -> None:
    """S5, S10: it is tried again, so that the caller and each repeat are told that it was sent."""
    call = user.send_call()
    wired.proxy.when(wired.server.commit, fault, nth=2)
    answers = [user.answer(call), user.answer(call)]
    assert [answer.code for answer in answers] == ["SUCCESS", "SUCCESS"]
    (code,) = user.messages
    assert user.result(user.verify_call(answers[0].verify_request_id, code)) == "SUCCESS"
    assert user.sends_left() == QUOTA - 1


@pytest.mark.parametrize("fault", CUTS, ids=lambda fault: fault.name)
def test_a_wrong_code_whose_answer_was_lost_is_one_try(
    wired: Wired, user: WalletUser, fault: Fault
) -> None:
    """A1, A7, S10: the byte-identical repeat finds it counted, or counts it."""
    request_id, code = user.sent()
    call = user.verify_call(request_id, wrong_code(code, 9))
    wired.proxy.when(wired.server.commit, fault)
    assert user.result(call) == UNKNOWN
    assert recovered(wired)
    assert [user.result(call) for _ in range(2)] == ["OTP_VERIFY_UNMATCHED"] * 2
    assert user.count_tries(request_id, code) == 5 - 1


@pytest.mark.parametrize("fault", CUTS, ids=lambda fault: fault.name)
def test_a_right_code_whose_answer_was_lost_succeeds_once(
    wired: Wired, user: WalletUser, fault: Fault
) -> None:
    """L5, S10: for the request that was lost, and for no other one."""
    request_id, code = user.sent()
    call = user.verify_call(request_id, code)
    wired.proxy.when(wired.server.commit, fault)
    assert user.result(call) == UNKNOWN
    assert recovered(wired)
    other = user.verify_call(request_id, code)
    if fault in DONE:
        assert user.result(other) == "VERIFY_REQUEST_ID_INVALID"
    assert [user.result(call) for _ in range(2)] == ["SUCCESS"] * 2
    assert user.result(other) == "VERIFY_REQUEST_ID_INVALID"


@pytest.mark.parametrize("fault", CUTS, ids=lambda fault: fault.name)
def test_what_broke_off_before_it_was_done_may_be_done_anew(
    wired: Wired, user: WalletUser, fault: Fault
) -> None:
    """S5, A1: by the store itself or by the caller's repeat; one message, one try."""
    word = b"EVALSHA" if wired.server is REDIS else user.name.encode()
    call = user.send_call()
    wired.proxy.when(word, fault)
    assert user.result(call) in {UNKNOWN, "SUCCESS"}
    lost = wired.server is REDIS and fault in DONE
    answer = user.answer(call)
    assert answer.code == (UNKNOWN if lost else "SUCCESS")
    assert len(user.messages) == int(not lost)
    request_id, code = user.sent()
    call = user.verify_call(request_id, wrong_code(code, 9))
    wired.proxy.when(word, fault)
    assert user.result(call) in {UNKNOWN, "OTP_VERIFY_UNMATCHED"}
    assert user.result(call) == "OTP_VERIFY_UNMATCHED"
    assert user.count_tries(request_id, code) == 5 - 1


def test_a_transaction_that_nobody_ends_does_not_lock_its_user_for_ever(
    wired: Wired, user: WalletUser
) -> None:
    """A7: its client is gone, its server does not know; others are served, and so is this user."""
    request_id, code = user.sent()
    wired.proxy.when(wired.server.commit, Fault.SWALLOW_REQUEST)
    assert user.result(user.verify_call(request_id, wrong_code(code, 9))) == UNKNOWN
    wired.user().sent()
    end = time.monotonic() + 30
    while (found := user.result(user.verify_call(request_id, code))) == UNKNOWN:
        assert time.monotonic() < end
    assert found == "SUCCESS"
