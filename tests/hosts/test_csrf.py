"""The host's CSRF protection works as before, and signed requests are accepted."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from flask import Flask
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf

from tests.hosts.hostile_hosts import SERVER_KEYS, SWITCHES, open_host, sealed
from tests.wallet import Wallet


def protected(app: Flask, csrf: CSRFProtect) -> None:
    """Give a host a form and the check."""
    app.secret_key = "a secret of the host"
    csrf.init_app(app)
    app.add_url_rule("/token", "token", generate_csrf)
    app.add_url_rule("/form", "form", lambda: "taken", methods=["POST"])


def assert_serves_both(wallet: Wallet) -> None:
    """Check that our operations work, and that the host's form needs its token."""
    request_id, code = wallet.sent()
    assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == "SUCCESS"
    browser = wallet.app.test_client()
    assert browser.post("/form").status_code in {400, 500}  # 500 if it traps HTTP errors
    token = browser.get("/token").text
    taken = browser.post("/form", data={"csrf_token": token})
    assert (taken.status_code, taken.text) == (200, "taken")


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_csrf_initialised_before_us_lets_signed_requests_in(switches: dict[str, Any]) -> None:
    """F4: and goes on refusing the host's own form without a token."""
    assert_serves_both(open_host(lambda app: protected(app, CSRFProtect()), config=switches))


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_csrf_initialised_after_us_lets_signed_requests_in(switches: dict[str, Any]) -> None:
    """F4: the order of extensions is the host's affair."""
    assert_serves_both(open_host(finish=lambda app: protected(app, CSRFProtect()), config=switches))


def test_one_csrf_over_two_apps_lets_both_in() -> None:
    """F4: an app's exemption is not lost when the next app gets its own."""
    csrf = CSRFProtect()
    first = open_host(lambda app: protected(app, csrf))
    second = open_host(finish=lambda app: protected(app, csrf))
    for wallet in (first, second, first):
        assert_serves_both(wallet)


def test_first_requests_that_come_together_are_all_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """F4: the second one does not overtake the exemption that the first one is still asking for."""
    exempt = CSRFProtect.exempt

    def slowly(self: CSRFProtect, view: Any) -> Any:
        time.sleep(0.1)
        return exempt(self, view)

    monkeypatch.setattr(CSRFProtect, "exempt", slowly)
    wallet = open_host(lambda app: protected(app, CSRFProtect()))
    codes: list[str] = []

    def call(user: int) -> None:
        codes.append(sealed(wallet.calling(server_keys=SERVER_KEYS).send(f"tok-u{user}")))

    threads = [threading.Thread(target=call, args=(user,)) for user in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert codes == ["SUCCESS"] * 6


def test_a_forged_request_is_refused_for_its_signature_not_for_a_missing_token() -> None:
    """F4: the exemption opens nothing: what proves a caller is the signature."""
    wallet = open_host(lambda app: protected(app, CSRFProtect()))
    assert sealed(wallet.send(tamper="body")) == "INVALID_SIGNATURE"
    assert len(wallet.inbox) == 0


def test_a_check_that_the_host_does_itself_is_answered_as_a_refusal() -> None:
    """F4: a CSRF error that reaches our routes after all comes out signed."""
    csrf = CSRFProtect()

    def strict(app: Flask) -> None:
        protected(app, csrf)
        app.before_request(csrf.protect)

    wallet = open_host(strict)
    assert sealed(wallet.send()) == "ACCESS_DENIED"
    assert len(wallet.inbox) == 0
