"""The quota of stored refusals, from the setting to the rows."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from limits import parse

from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.stores.sql.schema import requests
from flask_otp_mpp.web import traffic
from flask_otp_mpp.web.limiter import own_limiter
from flask_otp_mpp.web.traffic import FlaskRefusalQuota, LimiterCounts
from tests.ams import OTHER, open_shop
from tests.servers import free_port
from tests.wallet import Wallet

MakeWallet = Callable[..., Wallet]
ALIPAY, MERCHANT = Caller("alipayplus", "one"), Caller("ams", "one")


def quota(limits: str = "2 per day", storage: str = "memory://") -> FlaskRefusalQuota:
    counts = LimiterCounts(own_limiter({}, storage, "fixed-window"))
    return FlaskRefusalQuota(counts, (parse(limits),) if limits else ())


def stored(wallet: Wallet) -> dict[str | None, int]:
    """Count the stored answers by reason."""
    store = wallet.state.store
    assert isinstance(store, SQLAlchemyStore)
    grouped = sa.select(requests.c.reason, sa.func.count()).group_by(requests.c.reason)
    with store.engine.connect() as db:
        found = [tuple(row) for row in db.execute(grouped)]
        db.rollback()
    return dict(found)


def test_a_quota_is_that_of_one_client_of_one_protocol() -> None:
    """X6: above it there is no room for a minute; for others there is."""
    refusals = quota()
    for _ in range(3):
        assert refusals.has_room(ALIPAY)
        refusals.count(ALIPAY)
    assert not refusals.has_room(ALIPAY)
    assert refusals.has_room(MERCHANT)
    assert refusals.has_room(Caller("alipayplus", "two"))
    assert not refusals.has_room(Caller("alipayplus", "one", "another acquirer", "psp"))


def test_a_used_up_quota_is_asked_again_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """X6: by one more refusal, so a process stores at most one a minute above the quota."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    refusals = quota()
    allowed = 0
    for _ in range(10):
        now[0] += traffic.FULL_SECONDS
        while refusals.has_room(ALIPAY):
            allowed += 1
            refusals.count(ALIPAY)
    assert allowed == 3 + 9


def test_without_a_limit_there_is_always_room() -> None:
    """X6: as it is configured."""
    refusals = quota("")
    for _ in range(5):
        refusals.count(ALIPAY)
    assert refusals.has_room(ALIPAY)


def test_a_storage_that_does_not_answer_is_a_used_up_quota(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """X6, R1: the answer is decided already; it is only not stored next time."""
    refusals = quota(storage=f"redis://127.0.0.1:{free_port()}")
    refusals.count(ALIPAY)
    assert not refusals.has_room(ALIPAY)
    assert "refusals are not counted, nor stored" in caplog.text


def test_refused_requests_leave_as_many_rows_as_the_setting_says(make_wallet: MakeWallet) -> None:
    """X6: of each client of AMS and Alipay+; what is granted is stored all the same."""
    shop = open_shop(make_wallet, store="sqlite", OTP_MPP_REFUSAL_LIMIT="2 per day")
    other = shop.calling(client_id=OTHER)
    shop.sent()
    assert other.init("tok-ada", "first").code == "SUCCESS"
    shop.wallet.caller.send("tok-ada")
    granted = stored(shop.wallet)[None]
    for number in range(6):
        assert shop.caller.init("tok-ada", f"id {number}").code == "PROCESS_FAIL"
        assert other.init("tok-ada", f"id {number}").code == "PROCESS_FAIL"
        shop.wallet.caller.send("tok-ada")
        shop.caller.init("no such token", f"invented {number}")
    # The third refusal of a client is the one by which the quota is found used up.
    assert stored(shop.wallet) == {None: granted, "SEND_LIMITED": 3 * 3}
    shop.wallet.clock.forward(seconds=61)
    assert shop.caller.init("tok-ada", "id 0").code == "PROCESS_FAIL"  # stored, and so final
    assert shop.caller.init("tok-ada", "id 5").code == "SUCCESS"
    assert shop.caller.init("tok-ada", "id 5").code == "SUCCESS"
    assert stored(shop.wallet) == {None: granted + 1, "SEND_LIMITED": 3 * 3}
