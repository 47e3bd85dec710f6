"""Traffic limits: refused requests get REQUEST_TRAFFIC_EXCEED_LIMIT, and a failing storage."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import STRATEGIES

from flask_otp_mpp import OtpMpp
from flask_otp_mpp.web.limiter import TrafficMemory, own_limiter
from flask_otp_mpp.web.traffic import FlaskTrafficLimiter, LimiterCounts
from flask_otp_mpp.web.traffic_settings import OnLimiterFailure
from tests.codes import wrong_code
from tests.wallet import CLIENT, Wallet, key

LIMITED = "REQUEST_TRAFFIC_EXCEED_LIMIT"
MakeWallet = Callable[..., Wallet]


def broken(*_: Any, **__: Any) -> None:
    """Return a limiter whose storage does not answer."""
    raise ConnectionError("the storage is away")


def test_an_address_above_its_limit_is_refused_before_its_signature_is_checked(
    make_wallet: MakeWallet,
) -> None:
    """R4: requests with a wrong and with a valid signature count alike."""
    wallet = make_wallet(OTP_MPP_ADDRESS_LIMIT="3 per hour")
    codes = [wallet.caller.send("tok-ada", tamper="signature").code for _ in range(3)]
    answer = wallet.caller.send("tok-ada", tamper="signature")
    assert codes == ["INVALID_SIGNATURE"] * 3
    assert (answer.code, answer.status, answer.verified) == (LIMITED, "U", True)
    assert len(wallet.inbox) == 0


def test_forged_requests_do_not_count_for_the_client(make_wallet: MakeWallet) -> None:
    """R4: a flood with a client's id does not use up the limit of that client."""
    wallet = make_wallet(OTP_MPP_CLIENT_LIMIT="2 per hour")
    for tamper in ("signature", "body", "key", "no-signature", "stale") * 4:
        assert wallet.caller.send("tok-ada", tamper=tamper).code != LIMITED
    assert wallet.send().code == "SUCCESS"
    assert wallet.send("tok-bob").code == "SUCCESS"
    assert wallet.send("tok-cat").code == LIMITED


def test_each_client_has_its_own_limit(make_wallet: MakeWallet) -> None:
    """R4: one busy client does not block another."""
    wallet = make_wallet(
        OTP_MPP_CLIENT_LIMIT="1 per hour",
        OTP_MPP_ALIPAYPLUS_CLIENTS=None,
        prepare=lambda _, otp: (
            otp.client_key(
                lambda client, _version: (
                    key("alipay+").public_key() if client.startswith("C") else None
                )
            )
            and None
        ),
    )
    first, second = wallet.calling(client_id="C1"), wallet.calling(client_id="C2")
    assert [first.send("tok-ada").code, first.send("tok-ada").code] == ["SUCCESS", LIMITED]
    assert second.send("tok-bob").code == "SUCCESS"


@pytest.mark.parametrize(
    ("setting", "code", "messages"), [("closed", "UNKNOWN_EXCEPTION", 0), ("open", "SUCCESS", 1)]
)
def test_a_failing_limiter_blocks_or_passes_as_the_setting_says(
    setting: str,
    code: str,
    messages: int,
    make_wallet: MakeWallet,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R1: it blocks by default; it is never a raw 500."""
    how = {} if setting == "closed" else {"OTP_MPP_LIMITER_FAILURE": setting}
    wallet = make_wallet(**how)
    monkeypatch.setattr(TrafficMemory, "incr", broken)
    answer = wallet.send()
    assert (answer.code, answer.verified, len(wallet.inbox)) == (code, True, messages)
    assert ("traffic is not limited" in caplog.text) is (setting == "open")


def test_the_hosts_limiter_can_be_used(make_wallet: MakeWallet) -> None:
    """R3: its storage and strategy; nothing else of it is used."""
    limiter = Limiter(get_remote_address, storage_uri="memory://", strategy="moving-window")

    def prepare(app: Flask, _otp: OtpMpp) -> None:
        limiter.init_app(app)

    wallet = make_wallet(
        options={"limiter": limiter}, prepare=prepare, OTP_MPP_CLIENT_LIMIT="1 per hour"
    )
    assert [wallet.send().code, wallet.send("tok-bob").code] == ["SUCCESS", LIMITED]
    assert isinstance(limiter.storage, MemoryStorage)
    assert any("MovingWindow" in name and CLIENT in name for name in limiter.storage.events)


def test_apps_that_share_a_storage_are_kept_apart_by_the_hosts_prefix(
    make_wallet: MakeWallet,
) -> None:
    """R4: the sandbox does not use up what production may send."""
    limiter = own_limiter({}, "memory://", "fixed-window")

    def code(prefix: str | None) -> str:
        wallet = make_wallet(
            options={"limiter": limiter},
            OTP_MPP_ADDRESS_LIMIT="1 per hour",
            config={} if prefix is None else {"RATELIMIT_KEY_PREFIX": prefix},
        )
        return wallet.send().code

    assert [code("sandbox"), code("production"), code(None)] == ["SUCCESS"] * 3
    assert [code("sandbox"), code("production"), code(None)] == [LIMITED] * 3


def test_the_prefix_of_the_hosts_own_limiter_counts_too(make_wallet: MakeWallet) -> None:
    """R4: it may be an argument of the Limiter, and no setting."""
    limiter = Limiter(get_remote_address, storage_uri="memory://", key_prefix="sandbox")
    wallet = make_wallet(
        options={"limiter": limiter}, prepare=lambda app, _otp: limiter.init_app(app)
    )
    assert wallet.send().code == "SUCCESS"
    assert isinstance(limiter.storage, MemoryStorage)
    keys = [name for name in limiter.storage.storage if "otp_mpp" in name]
    assert len(keys) == 2
    assert all(name.startswith("LIMITER/sandbox:otp_mpp:") for name in keys)


@pytest.mark.parametrize(
    ("several", "settings", "warned"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"OTP_MPP_ADDRESS_LIMIT": "", "OTP_MPP_CLIENT_LIMIT": ""}, False),
        (True, {"config": {"RATELIMIT_ENABLED": False}}, False),
        (True, {"OTP_MPP_LIMITER_STORAGE": "redis://127.0.0.1:1"}, False),
    ],
)
def test_counting_in_memory_in_several_processes_causes_a_warning(
    several: bool,
    settings: dict[str, Any],
    warned: bool,
    make_wallet: MakeWallet,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R4: with four workers a limit of 100 lets 400 through; the server tells that it has them."""
    wallet = make_wallet(**settings)
    inner = wallet.app.wsgi_app

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        return inner({**environ, "wsgi.multiprocess": several}, start_response)

    wallet.app.wsgi_app = serve  # type: ignore[method-assign]
    for user in ("ada", "bob"):
        wallet.send(f"tok-{user}")
    assert caplog.text.count("in memory by each of the server's processes") == int(warned)
    assert ("'OTP_MPP_LIMITER_STORAGE'" in caplog.text) is warned


def test_limits_can_be_switched_off(make_wallet: MakeWallet) -> None:
    """A8: by the package's settings, or by the host's RATELIMIT_ENABLED."""
    for how in (
        {"OTP_MPP_CLIENT_LIMIT": "", "OTP_MPP_ADDRESS_LIMIT": ""},
        {"OTP_MPP_CLIENT_LIMIT": "1 per hour", "config": {"RATELIMIT_ENABLED": False}},
        {
            "OTP_MPP_CLIENT_LIMIT": "1 per hour",
            "OTP_MPP_LIMITER_STORAGE": "memory://",
            "config": {"RATELIMIT_ENABLED": False},
        },
    ):
        wallet = make_wallet(**how)
        assert {wallet.send(f"tok-{i}").code for i in range(3)} == {"SUCCESS"}


def test_without_a_traffic_limit_the_tries_are_still_limited(make_wallet: MakeWallet) -> None:
    """A8: five comparisons, with or without traffic limits."""
    wallet = make_wallet(OTP_MPP_CLIENT_LIMIT="", OTP_MPP_ADDRESS_LIMIT="")
    request_id, code = wallet.sent()
    wrong = wrong_code(code)
    codes = Counter(wallet.caller.verify("tok-ada", request_id, wrong).code for _ in range(9))
    assert codes == {"OTP_VERIFY_UNMATCHED": 5, "OTP_VERIFY_TIMES_EXCEED_LIMIT": 4}
    assert wallet.caller.verify("tok-ada", request_id, code).code != "SUCCESS"


def test_the_packages_limiter_ignores_the_hosts_default_limits(make_wallet: MakeWallet) -> None:
    """R3: RATELIMIT_DEFAULT is meant for the host's own views."""
    wallet = make_wallet(config={"RATELIMIT_DEFAULT": "1 per hour"})
    wallet.app.add_url_rule("/own", "own", lambda: "own")
    assert [wallet.app.test_client().get("/own").status_code for _ in range(3)] == [200] * 3
    assert wallet.app.before_request_funcs.get(None) is None


def test_threads_can_count_in_memory_at_the_same_time(wallet: Wallet) -> None:
    """R1: only one thread at a time restarts the storage's timer."""
    failures: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(300):
                wallet.state.traffic.check_address("10.0.0.1")
        except BaseException as error:  # noqa: BLE001 - any would be the fault
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def limiter_in_memory(
    strategy: str = "fixed-window",
) -> tuple[FlaskTrafficLimiter, MemoryStorage]:
    limiter = own_limiter({}, "memory://", strategy)
    storage = limiter.storage
    assert isinstance(storage, MemoryStorage)
    limits = (parse("1 per second"),)
    return FlaskTrafficLimiter(LimiterCounts(limiter), limits, (), OnLimiterFailure.CLOSED), storage


def test_counting_in_memory_does_not_start_a_thread_every_hundredth_of_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R4: each thread would go through all addresses of a flood."""
    limiter, storage = limiter_in_memory()
    limiter.check_address("198.51.100.1")
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def counted(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", counted)
    end = time.monotonic() + 0.3
    asked = 0
    while time.monotonic() < end:
        asked += 1
        limiter.check_address(f"192.0.2.{asked}")
    assert asked > 100
    assert started == []
    assert len(storage.storage) > 100


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_expired_counts_are_deleted_from_memory(strategy: str) -> None:
    """R4: a flood of addresses must not fill the memory for good."""
    limiter, storage = limiter_in_memory(strategy)

    def counts() -> int:
        return len(storage.storage) + len(storage.events)

    for number in range(1000):
        limiter.check_address(f"192.0.2.{number}")
    assert counts() > 900
    time.sleep(2.1)  # a count of the sliding window lives for two windows
    for number in range(1000):
        limiter.check_address(f"198.51.100.{number}")
    for _ in range(9):
        limiter.check_address(f"203.0.113.{secrets.token_hex(4)}")
    assert counts() < 1100
    assert len(storage.expirations) == len(storage.storage)
