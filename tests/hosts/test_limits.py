"""A limit of the host applies to us if it wants so; ours never applies to the host."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_limiter import Limiter, RequestLimit
from flask_limiter.util import get_remote_address

from tests.hosts.hostile_hosts import SWITCHES, open_host, sealed
from tests.wallet import Wallet

ASKED = {"OTP_MPP_HOST_LIMITS": True}


def limited(app: Flask, limiter: Limiter) -> Limiter:
    """Give a host two pages, and its own limiter."""
    app.add_url_rule("/a", "a", lambda: "a")
    app.add_url_rule("/b", "b", lambda: "b")
    limiter.init_app(app)
    return limiter


def host_limiter(*limits: str, app_wide: str | None = None) -> Limiter:
    return Limiter(
        get_remote_address,
        default_limits=list(limits),
        application_limits=[] if app_wide is None else [app_wide],
        storage_uri="memory://",
        headers_enabled=True,
    )


def answers(wallet: Wallet, times: int) -> list[str]:
    return [sealed(wallet.caller.send(f"tok-u{user}")) for user in range(times)]


def pages(wallet: Wallet, path: str, times: int) -> list[int]:
    client = wallet.app.test_client()
    return [client.get(path).status_code for _ in range(times)]


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("first", [True, False], ids=["before-us", "after-us"])
@pytest.mark.alike(4)
def test_a_default_limit_of_the_host_gets_a_signed_answer(switches: str, *, first: bool) -> None:
    """R3: signed REQUEST_TRAFFIC_EXCEED_LIMIT, and nothing is sent any more."""

    def limit(app: Flask) -> None:
        limited(app, host_limiter("3 per hour"))

    config = {**SWITCHES[switches], **ASKED}
    wallet = open_host(limit, config=config) if first else open_host(finish=limit, config=config)
    assert answers(wallet, 5) == ["SUCCESS"] * 3 + ["REQUEST_TRAFFIC_EXCEED_LIMIT"] * 2
    assert len(wallet.inbox) == 3
    if switches != "trapping":
        assert pages(wallet, "/a", 4) == [200, 200, 200, 429]
        assert pages(wallet, "/b", 4) == [200, 200, 200, 429]


def test_a_limit_over_the_whole_host_is_shared_with_it() -> None:
    """R3: what the host counts as one, we are a part of."""
    wallet = open_host(lambda app: limited(app, host_limiter(app_wide="4 per hour")), config=ASKED)
    assert pages(wallet, "/a", 3) == [200] * 3
    assert answers(wallet, 2) == ["SUCCESS", "REQUEST_TRAFFIC_EXCEED_LIMIT"]
    assert pages(wallet, "/b", 1) == [429]


def test_a_page_that_the_host_shows_on_a_breach_is_not_shown_by_us() -> None:
    """R3: Flask-Limiter can carry a response of the host's; its meaning is in a signed answer."""

    def breach(_limit: RequestLimit) -> None:
        raise ConnectionError("the host's breach hook is broken")

    limiter = Limiter(get_remote_address, default_limits=["1 per hour"], on_breach=breach)
    wallet = open_host(
        lambda app: limited(app, limiter), config={"RATELIMIT_STORAGE_URI": "memory://", **ASKED}
    )
    assert answers(wallet, 2) == ["SUCCESS", "UNKNOWN_EXCEPTION"]


@pytest.mark.parametrize("how", [{"limits": ("2 per hour",)}, {"app_wide": "2 per hour"}])
@pytest.mark.parametrize("first", [True, False], ids=["before-us", "after-us"])
def test_a_limit_for_all_of_the_hosts_pages_does_not_throttle_our_callers(
    how: dict[str, Any], *, first: bool
) -> None:
    """R3: all of Alipay+ comes from one address; the host asks for it, or it does not apply."""
    limiter = host_limiter(*how.get("limits", ()), app_wide=how.get("app_wide"))

    def limit(app: Flask) -> None:
        limited(app, limiter)

    wallet = open_host(limit) if first else open_host(finish=limit)
    assert answers(wallet, 5) == ["SUCCESS"] * 5
    assert pages(wallet, "/a", 3) == [200, 200, 429]
    assert sealed(wallet.caller.send("tok-bob")) == "SUCCESS"


def test_nor_does_the_limit_that_holds_while_the_hosts_storage_is_away() -> None:
    """R3: Flask-Limiter has another list of limits then, for every route."""
    limiter = Limiter(
        get_remote_address,
        default_limits=["9 per hour"],
        in_memory_fallback=["2 per hour"],
        storage_uri="redis://127.0.0.1:1",
    )
    wallet = open_host(lambda app: limited(app, limiter), OTP_MPP_LIMITER_STORAGE="memory://")
    assert pages(wallet, "/a", 3) == [200, 200, 429]
    assert answers(wallet, 4) == ["SUCCESS"] * 4


def test_our_limits_count_nothing_of_the_host() -> None:
    """R3: neither its requests against ours, nor ours against its."""
    wallet = open_host(
        lambda app: limited(app, host_limiter()),
        OTP_MPP_ADDRESS_LIMIT="3 per hour",
        OTP_MPP_CLIENT_LIMIT="2 per hour",
    )
    assert pages(wallet, "/a", 9) == [200] * 9
    exceeded = "REQUEST_TRAFFIC_EXCEED_LIMIT"
    assert answers(wallet, 4) == ["SUCCESS", "SUCCESS", exceeded, exceeded]
    assert pages(wallet, "/a", 9) == [200] * 9


def test_the_hosts_own_limiter_can_count_for_us_and_still_limits_only_its_pages_by_its_limits() -> (
    None
):
    """R3: passed to OtpMpp it lends storage and strategy, no limits."""
    limiter = host_limiter()
    limiter.limit("2 per hour")(page := lambda: "limited")
    wallet = open_host(
        lambda app: limited(app, limiter),
        lambda app: app.add_url_rule("/limited", "limited", page),
        options={"limiter": limiter},
        OTP_MPP_CLIENT_LIMIT="3 per hour",
    )
    assert answers(wallet, 4) == ["SUCCESS"] * 3 + ["REQUEST_TRAFFIC_EXCEED_LIMIT"]
    assert pages(wallet, "/a", 9) == [200] * 9


def test_without_a_limiter_of_the_host_no_limiter_is_on_its_app() -> None:
    """R3: ours is on no app; the host's RATELIMIT_DEFAULT is not taken for ours."""
    wallet = open_host(
        lambda app: app.add_url_rule("/a", "a", lambda: "a"),
        config={"RATELIMIT_DEFAULT": "1 per hour", "RATELIMIT_HEADERS_ENABLED": True},
    )
    assert "limiter" not in wallet.app.extensions
    assert pages(wallet, "/a", 3) == [200] * 3
    assert answers(wallet, 3) == ["SUCCESS"] * 3
    headers = wallet.app.test_client().get("/a").headers
    assert not [name for name in dict(headers) if name.lower().startswith("x-ratelimit")]
