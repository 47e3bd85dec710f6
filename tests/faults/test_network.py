"""When the wire to the store is cut, nothing is granted, lost or done twice, and nobody waits long.

The wallet is served over HTTP and reaches its server through a proxy that does wrong on command.
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
from tests.faults.people import Someone, wrong
from tests.faults.places import REDIS, SERVERS, Server, address, by_way_of, place
from tests.faults.proxy import Fault, FaultProxy, proxy_to
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
    """Hold a wallet whose store is behind a proxy."""

    wallet: Wallet
    proxy: FaultProxy
    url: str
    server: Server

    def someone(self) -> Someone:
        caller = self.wallet.calling(over_http(self.url, 60))
        return Someone(caller, self._outbox, lambda: self.wallet.clock.forward(seconds=61))

    def _outbox(self, name: str) -> list[str]:
        received = list(self.wallet.inbox.received)
        return [message.code for user, message in received if user.id == name]


@pytest.fixture(scope="module", params=SERVERS)
def wired(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wired]:
    """Open a wallet on each store; it serves all tests, so that each finds what the last left."""
    folder: Path = tmp_path_factory.mktemp("network")
    with place(str(request.param), folder) as url, proxy_to(*address(url)) as proxy:
        wallet = open_wallet(
            store=by_way_of(url, proxy.port),
            OTP_MPP_SEND_LIMITS=f"{QUOTA} per day",
            OTP_MPP_ADDRESS_LIMIT="",
            OTP_MPP_CLIENT_LIMIT="",
        )
        with serving(wallet.app) as base:
            yield Wired(wallet, proxy, base, SERVERS[str(request.param)])
        proxy.heal()
        wallet.close()


@pytest.fixture
def someone(wired: Wired) -> Iterator[Someone]:
    """Be a user of a wallet that has just served somebody else, so that its pool is warm."""
    wired.someone().sent()
    yield wired.someone()
    wired.proxy.heal()
    assert recovered(wired)


def at_once(someone: Someone, calls: list[Call]) -> list[str]:
    """Deliver all calls at the same time; each is answered in time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(someone.told, calls))


def recovered(wired: Wired) -> bool:
    """Tell whether the next request, or the next but one, is served."""
    stranger = wired.someone()
    wired.proxy.heal()
    return "SUCCESS" in (stranger.told(stranger.sending()), stranger.told(stranger.sending()))


@pytest.mark.parametrize("fault", [FaultProxy.refuse, FaultProxy.black_hole], ids=["gone", "mute"])
def test_a_server_that_is_away_grants_nothing(
    wired: Wired, someone: Someone, fault: Callable[[FaultProxy], None]
) -> None:
    """A7, S1: no message, no try, no success; and all is as before when it is back.

    A crowd asks, so that some wait for a connection that others wait on; the pool loses none.
    """
    request_id, code = someone.sent()
    fault(wired.proxy)
    crowd = [wired.someone() for _ in range(CROWD)]
    calls = [
        someone.sending(),
        someone.verifying(request_id, wrong(code, 9)),
        someone.verifying(request_id, code),
        *(one.sending() for one in crowd),
    ]
    assert at_once(someone, calls) == [UNKNOWN] * len(calls)
    assert [one.messages for one in crowd] == [[]] * len(crowd)
    assert len(someone.messages) == 1
    assert recovered(wired)
    assert at_once(someone, [one.sending() for one in crowd]) == ["SUCCESS"] * len(crowd)
    assert someone.tries(request_id, code) == 5
    assert someone.sends_left() == QUOTA - 1


def test_connections_that_died_at_rest_are_replaced(wired: Wired, someone: Someone) -> None:
    """A7: the request that finds them may fail, the next ones do not; nothing is done twice."""
    request_id, code = someone.sent()
    wired.proxy.reset()
    first = someone.told(someone.verifying(request_id, wrong(code, 9)))
    assert first in {UNKNOWN, "OTP_VERIFY_UNMATCHED"}
    assert recovered(wired)
    assert someone.tries(request_id, code) == 5 - (first != UNKNOWN)


def test_a_slow_server_is_waited_for(wired: Wired, someone: Someone) -> None:
    """A7: as long as its caller waits."""
    wired.proxy.delay(0.02)
    request_id, code = someone.sent()
    assert someone.told(someone.verifying(request_id, code)) == "SUCCESS"


@pytest.mark.parametrize("fault", [*CUTS, Fault.SWALLOW_ANSWER], ids=lambda fault: fault.name)
def test_a_reservation_that_broke_off_sends_nothing(
    wired: Wired, someone: Someone, fault: Fault
) -> None:
    """S1, S10: if it was made nevertheless, it is counted, and its repeat is told that it pends."""
    call = someone.sending()
    wired.proxy.when(wired.server.commit, fault)
    assert someone.told(call) == UNKNOWN
    assert someone.messages == []
    assert recovered(wired)
    granted = fault not in DONE
    assert someone.told(call) == ("SUCCESS" if granted else UNKNOWN)
    assert len(someone.messages) == int(granted)
    assert someone.sends_left() == QUOTA - 1
    assert len(someone.messages) == int(granted) + QUOTA - 1


@pytest.mark.parametrize("fault", [*CUTS, Fault.SWALLOW_REQUEST], ids=lambda fault: fault.name)
def test_a_message_whose_end_was_not_noted_is_never_sent_again(
    wired: Wired, someone: Someone, fault: Fault
) -> None:
    """S5, S10: the repeat is told what was noted, that it went out or that it pends."""
    call = someone.sending()
    wired.proxy.when(wired.server.commit, fault, nth=2)
    assert someone.told(call) == UNKNOWN
    assert len(someone.messages) == 1
    assert recovered(wired)
    answer = someone.answer(call)
    assert answer.code == ("SUCCESS" if fault in DONE else UNKNOWN)
    if fault in DONE:
        (code,) = someone.messages
        assert someone.told(someone.verifying(answer.verify_request_id, code)) == "SUCCESS"
    assert len(someone.messages) == 1
    assert someone.sends_left() == QUOTA - 1


@pytest.mark.parametrize("fault", CUTS, ids=lambda fault: fault.name)
def test_a_wrong_code_whose_answer_was_lost_is_one_try(
    wired: Wired, someone: Someone, fault: Fault
) -> None:
    """A1, A7, S10: the byte-identical repeat finds it counted, or counts it."""
    request_id, code = someone.sent()
    call = someone.verifying(request_id, wrong(code, 9))
    wired.proxy.when(wired.server.commit, fault)
    assert someone.told(call) == UNKNOWN
    assert recovered(wired)
    assert [someone.told(call) for _ in range(2)] == ["OTP_VERIFY_UNMATCHED"] * 2
    assert someone.tries(request_id, code) == 5 - 1


@pytest.mark.parametrize("fault", CUTS, ids=lambda fault: fault.name)
def test_a_right_code_whose_answer_was_lost_succeeds_once(
    wired: Wired, someone: Someone, fault: Fault
) -> None:
    """L5, S10: for the request that was lost, and for no other one."""
    request_id, code = someone.sent()
    call = someone.verifying(request_id, code)
    wired.proxy.when(wired.server.commit, fault)
    assert someone.told(call) == UNKNOWN
    assert recovered(wired)
    other = someone.verifying(request_id, code)
    if fault in DONE:
        assert someone.told(other) == "VERIFY_REQUEST_ID_INVALID"
    assert [someone.told(call) for _ in range(2)] == ["SUCCESS"] * 2
    assert someone.told(other) == "VERIFY_REQUEST_ID_INVALID"


@pytest.mark.parametrize("fault", CUTS, ids=lambda fault: fault.name)
def test_what_broke_off_before_it_was_done_may_be_done_anew(
    wired: Wired, someone: Someone, fault: Fault
) -> None:
    """S5, A1: by the store itself or by the caller's repeat; one message, one try."""
    word = b"EVALSHA" if wired.server is REDIS else someone.name.encode()
    call = someone.sending()
    wired.proxy.when(word, fault)
    assert someone.told(call) in {UNKNOWN, "SUCCESS"}
    lost = wired.server is REDIS and fault in DONE
    answer = someone.answer(call)
    assert answer.code == (UNKNOWN if lost else "SUCCESS")
    assert len(someone.messages) == int(not lost)
    request_id, code = someone.sent()
    call = someone.verifying(request_id, wrong(code, 9))
    wired.proxy.when(word, fault)
    assert someone.told(call) in {UNKNOWN, "OTP_VERIFY_UNMATCHED"}
    assert someone.told(call) == "OTP_VERIFY_UNMATCHED"
    assert someone.tries(request_id, code) == 5 - 1


def test_a_transaction_that_nobody_ends_holds_its_user_not_for_ever(
    wired: Wired, someone: Someone
) -> None:
    """A7: its client is gone, its server does not know; others are served, and so is this user."""
    request_id, code = someone.sent()
    wired.proxy.when(wired.server.commit, Fault.SWALLOW_REQUEST)
    assert someone.told(someone.verifying(request_id, wrong(code, 9))) == UNKNOWN
    wired.someone().sent()
    end = time.monotonic() + 30
    while (found := someone.told(someone.verifying(request_id, code))) == UNKNOWN:
        assert time.monotonic() < end
    assert found == "SUCCESS"
