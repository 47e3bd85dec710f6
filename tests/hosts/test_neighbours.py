"""Two apps in one process share nothing, and wrong use of the extension raises at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app

from flask_otp_mpp import (
    AlipayPlus,
    Channel,
    Message,
    OtpMpp,
    SQLAlchemyStore,
    otp_sent,
    state_of,
)
from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.transport import over_wsgi
from flask_otp_mpp.protocols.values import Event
from flask_otp_mpp.signing.keys import one_line, private_pem
from tests.codes import wrong_code
from tests.hosts.hostile_hosts import open_host, sealed
from tests.wallet import User, load_user, make_tables, settings
from tests.wallet import key as key_named

USERS = 12
THREADS = 6


class HostApp:
    """One of two apps, each with its own everything."""

    def __init__(self, name: str, store: str, prefix: str) -> None:
        self.name, self.prefix, self.psp = name, prefix, f"psp-of-{name}"
        self.app = Flask(f"tests.{name}")
        self.app.config.update(
            settings(
                store,
                OTP_MPP_PRIVATE_KEYS={"1": private_pem(key_named(f"wallet-{name}")).decode()},
                OTP_MPP_PEPPER=f"the pepper of {name}, which is longer than it must be",
                OTP_MPP_WALLET_NAME=f"Wallet {name}",
                OTP_MPP_ALIPAYPLUS_CLIENTS={
                    "CLIENT": {"1": one_line(key_named(f"alipay-{name}").public_key())}
                },
                OTP_MPP_ALIPAYPLUS_PSP_ID=self.psp,
                OTP_MPP_ALIPAYPLUS_PREFIX=prefix,
            )
        )

    def caller(self, *, key_of: str | None = None, **changed: Any) -> AlipayPlusCaller:
        """Return a caller of this app, who checks answers by its key or that of the other app."""
        known = key_named(f"wallet-{key_of or self.name}").public_key()
        who: dict[str, Any] = {
            "client_id": "CLIENT",
            "key": key_named(f"alipay-{self.name}"),
            "server_keys": {"1": known},
            "psp_id": self.psp,
            "prefix": self.prefix,
            **changed,
        }
        return AlipayPlusCaller(over_wsgi(self.app), **who)


class Outbox:
    """A sender that keeps the codes by app and user."""

    def __init__(self) -> None:
        self.boxes: dict[str, dict[str, str]] = {}
        self.delivered = 0
        self._lock = threading.Lock()

    def __call__(self, user: User, message: Message) -> None:
        with self._lock:
            self.delivered += 1
            host = current_app.name.removeprefix("tests.")
            assert f"Wallet {host}" in message.body
            self.boxes.setdefault(host, {})[user.id] = message.code


def extension(outbox: Outbox) -> OtpMpp:
    otp = OtpMpp(AlipayPlus)
    otp.user_loader(load_user)
    otp.sender(Channel.MOBILE)(outbox)
    return otp


def two_apps(tmp_path: Path) -> tuple[HostApp, HostApp]:
    blue = f"sqlite:///{tmp_path / 'blue.db'}"
    make_tables(blue)
    return HostApp("red", "memory://", "/aps/api/v1/users"), HostApp("blue", blue, "/otp")


def use(host: HostApp, other: HostApp, outbox: Outbox, user: str) -> list[str]:
    """Send and verify at one app, and verify its code at the other app."""
    caller, mistaken = host.caller(), host.caller(key_of=other.name)
    sent = caller.send(f"tok-{user}")
    code = outbox.boxes[host.name][user]
    unmatched = caller.verify(f"tok-{user}", sent.verify_request_id, wrong_code(code))
    granted = caller.verify(f"tok-{user}", sent.verify_request_id, code)
    elsewhere = other.caller().verify(f"tok-{user}", sent.verify_request_id, code)
    assert not mistaken.call("/nothing", {}).verified
    return [sealed(answer) for answer in (sent, unmatched, granted, elsewhere)]


@pytest.mark.parametrize("shared", [True, False], ids=["one-otpmpp", "two-otpmpps"])
@pytest.mark.alike(2)
def test_two_apps_under_load_share_nothing(tmp_path: Path, *, shared: bool) -> None:
    """F1: keys, ids, peppers, stores, prefixes, inboxes and signals are each app's own."""
    outbox, (red, blue) = Outbox(), two_apps(tmp_path)
    first = extension(outbox)
    for host, otp in ((red, first), (blue, first if shared else extension(outbox))):
        otp.init_app(host.app)
    store = state_of(blue.app).store
    assert isinstance(store, SQLAlchemyStore)
    heard: list[tuple[str, str]] = []

    def hear(app: Flask, event: Event) -> None:
        heard.append((app.name, event.subject))

    turns = [(red, blue, f"u{n}") for n in range(USERS)] + [
        (blue, red, f"u{n}") for n in range(USERS)
    ]
    with otp_sent.connected_to(hear), ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda turn: use(turn[0], turn[1], outbox, turn[2]), turns))
    assert answers == [
        ["SUCCESS", "OTP_VERIFY_UNMATCHED", "SUCCESS", "VERIFY_REQUEST_ID_INVALID"]
    ] * len(turns)
    assert outbox.delivered == len(turns)
    assert sorted(heard) == sorted((host.app.name, user) for host, _, user in turns)
    assert {host: sorted(box) for host, box in outbox.boxes.items()} == {
        name: sorted(f"u{n}" for n in range(USERS)) for name in ("red", "blue")
    }
    store.engine.dispose()


def test_what_one_app_knows_the_other_does_not(tmp_path: Path) -> None:
    """F1: clients' keys, the wallet's id and the place of the routes."""
    outbox, (red, blue) = Outbox(), two_apps(tmp_path)
    otp = extension(outbox)
    otp.init_app(red.app)
    otp.init_app(blue.app)
    foreign_key = red.caller(key=key_named("alipay-blue"))
    assert sealed(foreign_key.send("tok-ada")) == "INVALID_SIGNATURE"
    assert sealed(red.caller(psp_id=blue.psp).send("tok-ada")) == "INVALID_CLIENT"
    assert red.app.test_client().post("/otp/sendOTP").status_code == 404
    assert state_of(red.app) is not state_of(blue.app)
    assert outbox.delivered == 0
    store = state_of(blue.app).store
    assert isinstance(store, SQLAlchemyStore)
    store.engine.dispose()


def test_an_app_is_initialised_once() -> None:
    """F1: a second OtpMpp on one app would answer for the first one."""
    wallet = open_host()
    rules = len(list(wallet.app.url_map.iter_rules()))
    with pytest.raises(RuntimeError, match="has an OtpMpp already"):
        wallet.otp.init_app(wallet.app)
    with pytest.raises(RuntimeError, match="has an OtpMpp already"):
        extension(Outbox()).init_app(wallet.app)
    assert len(list(wallet.app.url_map.iter_rules())) == rules
    assert sealed(wallet.send()) == "SUCCESS"


def test_a_hook_that_comes_too_late_is_refused_by_name(caplog: pytest.LogCaptureFixture) -> None:
    """F2: it would never be called, so no request is served until an app reads it."""
    wallet = open_host()

    def late(*_: object) -> Any:
        return None

    for register in (
        wallet.otp.user_loader,
        wallet.otp.user_identity,
        wallet.otp.sender(Channel.EMAIL),
        wallet.otp.client_key,
    ):
        register(late)
    assert sealed(wallet.send()) == "UNKNOWN_EXCEPTION"
    assert all(f"{use} 'late'" in caplog.text for use in ("@otp.user_identity", "@otp.client_key"))


def test_an_app_without_us_is_told_how_to_get_us() -> None:
    """F2: asking for the state of an app that has none names the remedy."""
    with pytest.raises(RuntimeError, match=r"call otp\.init_app"):
        state_of(Flask("tests.bare"))
