"""A recorded request does nothing when it is sent again, whatever the clocks of the hosts show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from flask_otp_mpp import MemoryStore, SQLAlchemyStore, Store
from flask_otp_mpp.core.clock import CLOCKS_APART, replay_memory
from flask_otp_mpp.core.settings import Faults, read_group
from flask_otp_mpp.protocols.alipay.ams import AmsSettings
from flask_otp_mpp.protocols.google.settings import GoogleSettings
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.web.traffic_settings import MAX_FRESHNESS
from tests.ams import open_shop
from tests.codes import wrong_code
from tests.services import POSTGRESQL
from tests.stores.redis_server import client, opened_store
from tests.stores.servers import postgresql_url
from tests.wallet import Wallet, request_fields

MakeWallet = Callable[..., Wallet]
FRESHNESS = timedelta(minutes=5)
OPERATIONS = Path(__file__).parent.parent.parent / "docs/operations.md"


def sql_store(url: str, clock: FrozenClock) -> SQLAlchemyStore:
    store = SQLAlchemyStore(url, clock)
    store.create_tables()
    return store


@pytest.fixture
def time() -> FrozenClock:
    """Return the clock of the store, which no host has."""
    return FrozenClock()


@pytest.fixture(params=["memory", "sqlite", POSTGRESQL])
def store(request: pytest.FixtureRequest, tmp_path: Path, time: FrozenClock) -> Iterator[Store]:
    """Yield a store with a clock of its own, which deletes by a purge."""
    if request.param == "memory":
        yield MemoryStore(time)
        return
    with ExitStack() as opened:
        url = f"sqlite:///{tmp_path}/otp.db"
        if request.param == "postgresql":
            url = opened.enter_context(postgresql_url("replays"))
        sql = sql_store(url, time)
        opened.callback(sql.engine.dispose)
        yield sql


def two_hosts(make_wallet: MakeWallet, store: Store) -> tuple[Wallet, Wallet]:
    options = {"store": store}
    hosts = [make_wallet(options=options, OTP_MPP_STORE=None) for _ in range(2)]
    return hosts[0], hosts[1]


@pytest.mark.parametrize("jump", [timedelta(), CLOCKS_APART])
def test_a_replayed_send_does_nothing_at_the_last_moment_at_which_it_is_fresh(
    make_wallet: MakeWallet, store: Store, time: FrozenClock, jump: timedelta
) -> None:
    """X10: the first host is a minute ahead of the second, and the store has just been purged."""
    first, second = two_hosts(make_wallet, store)
    call, _ = first.caller.prepare("/sendOTP", request_fields())
    signed_at = datetime.fromisoformat(call.headers["request-time"])
    first.clock.now = signed_at - FRESHNESS  # the request is the oldest that may come
    sent = first.caller.deliver(call)
    assert sent.code == "SUCCESS"
    time.now += 2 * FRESHNESS + CLOCKS_APART + jump
    second.clock.now = signed_at + FRESHNESS
    store.purge(second.state.policy)
    replayed = second.caller.deliver(call)
    assert replayed.json == sent.json
    assert len(second.inbox) == 0
    second.clock.forward(seconds=1)
    assert second.caller.deliver(call).code == "ACCESS_DENIED"  # nobody accepts it any more


def test_a_replayed_verify_is_no_second_try(
    make_wallet: MakeWallet, store: Store, time: FrozenClock
) -> None:
    """X10: its answer is the first one, and not that of a code that has expired meanwhile."""
    first, second = two_hosts(make_wallet, store)
    request_id, _ = first.sent()
    fields = request_fields(verifyRequestId=request_id, otpCode="1")
    call, _ = first.caller.prepare("/verifyOTP", fields)
    signed_at = datetime.fromisoformat(call.headers["request-time"])
    first.clock.now = signed_at - FRESHNESS
    wrong = first.caller.deliver(call)
    time.now += 2 * FRESHNESS + 2 * CLOCKS_APART
    second.clock.now = signed_at + FRESHNESS
    store.purge(second.state.policy)
    assert wrong.code == "OTP_VERIFY_UNMATCHED"
    assert second.caller.deliver(call).json == wrong.json


@pytest.mark.parametrize(
    ("repeats", "sends", "verifies"),
    [
        ("replay", ["SUCCESS", "SUCCESS"], ["SUCCESS", "SUCCESS"]),
        ("judge", ["SUCCESS", "OTP_SEND_TIMES_EXCEED_LIMIT"], ["SUCCESS", "USED"]),
    ],
)
def test_two_clicks_in_one_second_are_judged_one_by_one_if_that_is_set(
    make_wallet: MakeWallet, repeats: str, sends: list[str], verifies: list[str]
) -> None:
    """S10: an official SDK signs whole seconds, so both clicks are the same bytes."""
    wallet = make_wallet(OTP_MPP_ALIPAYPLUS_REPEATS=repeats)
    call, _ = wallet.caller.prepare("/sendOTP", request_fields())
    answers = [wallet.caller.deliver(call) for _ in range(2)]
    assert [answer.code for answer in answers] == sends
    assert len(wallet.inbox) == 1
    fields = request_fields(
        verifyRequestId=answers[0].verify_request_id, otpCode=wallet.inbox.received[0][1].code
    )
    call, _ = wallet.caller.prepare("/verifyOTP", fields)
    used = "VERIFY_REQUEST_ID_INVALID"
    expected = [used if code == "USED" else code for code in verifies]
    assert [wallet.caller.deliver(call).code for _ in range(2)] == expected


def test_a_wrong_code_that_is_judged_again_is_counted_again(make_wallet: MakeWallet) -> None:
    """S10, A1: each of the same bytes is a try; for merchants the setting is one of AMS."""
    shop = open_shop(make_wallet, OTP_MPP_AMS_REPEATS="judge")
    request_id, code = shop.sent()
    payload = {
        "authenticationType": "OTP",
        "authenticationRequestId": request_id,
        "authenticationValue": wrong_code(code),
    }
    call, _ = shop.caller.prepare("/verifyAuthentication", payload)
    answers = [shop.caller.deliver(call).code for _ in range(6)]
    assert answers == ["VERIFY_UNMATCHED"] * 5 + ["VERIFY_TIMES_EXCEED_LIMIT"]
    assert shop.init(request_id=request_id).code == "SUCCESS"  # by its id, as ever
    assert len(shop.wallet.inbox) == 1


@pytest.mark.server
def test_redis_keeps_a_request_as_long(make_wallet: MakeWallet) -> None:
    """X10: it deletes by itself, by the time that the key has left."""
    with opened_store() as store:
        wallet = make_wallet(options={"store": store}, OTP_MPP_STORE=None)
        assert wallet.send().code == "SUCCESS"
        with client() as aside:
            [key] = [key for key in keys(store) if b":request:" in key]
            left = timedelta(milliseconds=aside.pttl(key))
    assert left > 2 * FRESHNESS + 2 * CLOCKS_APART


def keys(store: RedisStore) -> list[bytes]:
    with client() as aside:
        return list(aside.scan_iter(f"{store.prefix}*", count=1000))


def test_an_id_of_the_caller_is_remembered_longer_than_any_request_is_fresh() -> None:
    """X10: also if it is kept for the shortest time, and requests are fresh for the longest."""
    too_short = replay_memory(MAX_FRESHNESS).total_seconds()
    for kind, key in ((AmsSettings, "OTP_MPP_AMS_KEEP"), (GoogleSettings, "OTP_MPP_GOOGLE_KEEP")):
        faults: Faults = []
        read_group(kind, {key: int(too_short)}, faults)
        assert key in [name for name, _ in faults]


def test_the_difference_of_clocks_is_documented() -> None:
    """X10: operators find what is asked of them."""
    assert timedelta(minutes=1) == CLOCKS_APART
    page = OPERATIONS.read_text().partition("## Time")[2]
    assert "within 30 seconds" in page
    assert "more than a minute apart" in page
