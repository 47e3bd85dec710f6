"""A host that crashes after an answer was decided does not change the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, abort, got_request_exception, request_finished

from flask_otp_mpp import otp_refused, otp_verified
from tests.hosts.hostile_hosts import SWITCHES, Switch, altering, open_host, sealed


def crashing(_response: Response) -> Response:
    raise RuntimeError("the host's hook is broken")


@pytest.mark.parametrize("switches", ["plain", "trapping"])
@pytest.mark.parametrize("crash", [crashing, lambda _: abort(418)], ids=["raises", "aborts"])
def test_a_hook_that_crashes_after_the_fact_takes_nothing_back(
    crash: Callable[[Response], Any], switches: str
) -> None:
    """F5, A7: what was decided is what the caller is told, and the host hears it once."""
    wallet, switch = altering(crash, config=SWITCHES[switches])
    request_id, code = wallet.sent()
    switch.on = True
    told: list[str] = []

    def hear(sender: Flask, **_: Any) -> None:
        told.append(sender.name)

    with (
        otp_verified.connected_to(hear, wallet.app),
        otp_refused.connected_to(hear, wallet.app),
    ):
        assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == "SUCCESS"
    assert len(told) == 1
    again = wallet.caller.verify("tok-ada", request_id, code)
    assert sealed(again) == "VERIFY_REQUEST_ID_INVALID"


@pytest.mark.parametrize("switches", ["testing", "debug", "propagating"])
def test_a_crash_after_the_fact_propagates_if_the_host_wants_that_and_takes_nothing_back(
    switches: str,
) -> None:
    """A7: Flask gives it to the server at the host's own wish; the code is spent all the same."""
    wallet, switch = altering(crashing, config=SWITCHES[switches])
    request_id, code = wallet.sent()
    switch.on = True
    with pytest.raises(RuntimeError, match="the host's hook is broken"):
        wallet.caller.verify("tok-ada", request_id, code)
    switch.on = False
    again = wallet.caller.verify("tok-ada", request_id, code)
    assert sealed(again) == "VERIFY_REQUEST_ID_INVALID"


def test_a_crash_after_the_fact_is_reported_to_the_host() -> None:
    """F5: its crash reporter is called, although the caller gets the answer."""
    wallet, switch = altering(crashing)
    switch.on = True
    heard: list[BaseException] = []

    def hear(_app: Flask, exception: BaseException) -> None:
        heard.append(exception)

    with got_request_exception.connected_to(hear, wallet.app):
        assert sealed(wallet.send()) == "SUCCESS"
    assert [str(error) for error in heard] == ["the host's hook is broken"]


def test_a_receiver_of_request_finished_can_change_nothing() -> None:
    """F5: Flask's own signal comes last of all, and finds the answer sealed."""
    wallet = open_host()

    def spoil(_app: Flask, response: Response) -> None:
        response.set_data(b"spoilt")
        raise RuntimeError("deaf")

    with request_finished.connected_to(spoil, wallet.app):
        assert sealed(wallet.send()) == "SUCCESS"


def test_a_teardown_that_raises_takes_no_count_back() -> None:
    """A7: Flask lets it crash any request of the host, ours too; the code is spent."""
    wallet = open_host()
    switch = Switch()

    @wallet.app.teardown_request
    def crash(_error: BaseException | None) -> None:
        if switch:
            raise RuntimeError("the host's teardown is broken")

    request_id, code = wallet.sent()
    switch.on = True
    with pytest.raises(RuntimeError, match="teardown"):
        wallet.caller.verify("tok-ada", request_id, code)
    switch.on = False
    again = wallet.caller.verify("tok-ada", request_id, code)
    assert sealed(again) == "VERIFY_REQUEST_ID_INVALID"
