"""A worker whose clock is wrong is found out by the times that its callers sign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.wallet import CLIENT, Wallet, request_fields

MakeWallet = Callable[..., Wallet]


def called(wallet: Wallet, count: int, apart: float) -> set[str]:
    """Call so many times by a clock that is so many seconds ahead; return the result codes."""

    def clock() -> datetime:
        moment: datetime = wallet.clock() + timedelta(seconds=apart)
        return moment

    caller = wallet.calling(client_id=CLIENT, clock=clock)
    return {
        caller.deliver(caller.prepare("/sendOTP", request_fields(f"tok-skew{number}"))[0]).code
        for number in range(count)
    }


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [text for text in caplog.messages if "clock of this machine" in text]


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (-95, "is 95 s ahead of that of its callers; synchronise it (NTP)"),
        (95, "is 95 s behind that of its callers; synchronise it (NTP)"),
        (400, "is 400 s behind that of its callers"),
    ],
)
@pytest.mark.alike(3)
def test_a_clock_that_is_apart_is_told_once(
    make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture, apart: int, said: str
) -> None:
    """O8: also if it is so far apart that no request is accepted."""
    wallet = make_wallet()
    called(wallet, 80, apart)
    [warning] = warnings(caplog)
    assert said in warning
    assert wallet.state.skew.seconds == pytest.approx(-apart, abs=1)
    called(wallet, 80, 0)
    called(wallet, 80, apart)
    assert len(warnings(caplog)) == 2


def test_some_callers_with_a_wrong_clock_tell_nothing(
    make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture
) -> None:
    """O8: most of them agree with this machine."""
    wallet = make_wallet()
    for _ in range(10):
        called(wallet, 12, 0)
        called(wallet, 8, 200)
    assert warnings(caplog) == []
    assert wallet.state.skew.seconds == pytest.approx(0, abs=1)


def test_requests_that_prove_nothing_do_not_count(make_wallet: MakeWallet) -> None:
    """G9: a stranger can't have the operator alarmed."""
    wallet = make_wallet()
    caller = wallet.calling(clock=lambda: wallet.clock() + timedelta(seconds=200))
    for number in range(60):
        call, _ = caller.prepare("/sendOTP", request_fields(f"t{number}"), tamper="signature")
        caller.deliver(call)
    assert wallet.state.skew.seconds is None
