"""Support's questions about a user are answered by the commands, and by Python alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    Channel,
    ConfigurationError,
    Message,
    OtpMpp,
    Reason,
    refuse,
)
from flask_otp_mpp.core.user_state import CodeStatus, RecentEvent, Wait
from flask_otp_mpp.signing.keys import one_line
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.testing import Inbox
from flask_otp_mpp.web.support import Support, SupportHooks
from tests.codes import LONG_CODE
from tests.commands import flask, run
from tests.services import REDIS
from tests.stores.redis_server import URL, prefixed
from tests.wallet import CLIENT, Wallet, key, load_user, make_tables, settings

MakeWallet = Callable[..., Wallet]
SHOP = "SHOP_1"
SHOPS = {
    "OTP_MPP_ALIPAYPLUS_CLIENTS": {
        name: {"1": one_line(key("alipay+").public_key())} for name in (CLIENT, SHOP)
    }
}
WRONG = "000000"


@pytest.fixture(params=["memory://", "sqlite", REDIS])
def stored(request: pytest.FixtureRequest, make_wallet: MakeWallet) -> Iterator[Wallet]:
    """Open a wallet with two clients on each of the stores."""
    if request.param in ("memory://", "sqlite"):
        yield make_wallet(store=request.param, **SHOPS)
        return
    with prefixed() as prefix:
        store = RedisStore(URL, lambda: wallet.clock.now, prefix=prefix)
        wallet = make_wallet(options={"store": store}, OTP_MPP_STORE=None, **SHOPS)
        yield wallet
        store.close()


def show(wallet: Wallet, subject: str = "ada") -> list[str]:
    """Return the lines that the command prints, which must be those of Python too."""
    result = run(wallet.app, "show", subject)
    assert result.exit_code == 0, result.output
    lines: list[str] = result.stdout.splitlines()
    support = wallet.state.support
    assert lines == support.in_words(support.show(subject))
    return lines


def fail(wallet: Wallet, times: int, client: str = CLIENT) -> None:
    """Send codes to ada for a client, and enter wrong ones."""
    caller = wallet.calling(client_id=client)
    for number in range(times):
        if number % 5 == 0:
            wallet.clock.forward(seconds=61)
            sent = caller.send("tok-ada")
            assert sent.code == "SUCCESS", sent.message
        caller.verify("tok-ada", sent.verify_request_id, WRONG)


def test_a_user_of_whom_nothing_is_stored_is_told_as_such(stored: Wallet) -> None:
    """A5: with what else it may be."""
    assert show(stored)[1:] == [
        "Nothing is stored of this user: no code was sent, or not for a long time, or the user has "
        "another name. A code may be sent now."
    ]
    assert json.loads(run(stored.app, "show", "ada", "--json").stdout)["codes"] == []


def test_support_is_told_why_a_user_gets_no_code(stored: Wallet) -> None:
    """A5, S2: the lock, its end, the wrong codes, the last send, and when the next may be sent."""
    fail(stored, 3, SHOP)  # sent at 00:01:01
    fail(stored, 10)  # sent at 00:02:02 and 00:03:03
    stored.clock.forward(seconds=7)
    assert show(stored) == [
        "It is 2026-01-01 00:03:10 UTC.",
        f"Locked at {CLIENT} until 00:18:03.",
        "13 wrong codes since the last right one (3 at SHOP_1).",
        "May be sent a code by SMS for SHOP_1 now.",
        f"May be sent a code by SMS for {CLIENT} at 00:18:03 (lock).",
        "May be sent a code by SMS for any other client now.",
        f"Last send: 00:03:03 by SMS for {CLIENT}; 3 sends counted.",
        "Codes:",
        "  00:01:01 by SMS for SHOP_1: open until 00:06:01, 3 of 5 tries used",
        f"  00:02:02 by SMS for {CLIENT}: its tries are used up, 5 of 5 tries used",
        f"  00:03:03 by SMS for {CLIENT}: its tries are used up, 5 of 5 tries used",
    ]
    # What the command tells is what a caller gets.
    assert stored.caller.send("tok-ada").message.endswith("Not before 2026-01-01T00:18:03Z.")
    assert stored.calling(client_id=SHOP).send("tok-ada").code == "SUCCESS"


def test_a_cool_down_is_told_to_the_second(stored: Wallet) -> None:
    """S2: a send is refused until then, and granted at it."""
    stored.sent()
    stored.clock.forward(seconds=10)
    assert f"May be sent a code by SMS for {CLIENT} at 00:01:46 (cool-down)." in show(stored)
    [own, _] = stored.state.support.show("ada").next_sends
    assert (own.wait, own.at) == (Wait.COOL_DOWN, stored.clock.now + timedelta(seconds=35))
    stored.clock.forward(seconds=34)
    assert stored.caller.send("tok-ada").code != "SUCCESS"
    stored.clock.forward(seconds=1)
    assert stored.caller.send("tok-ada").code == "SUCCESS"


def test_how_each_code_ended_is_told(make_wallet: MakeWallet) -> None:
    """A5: one that was not delivered is told apart from one that was entered."""

    def sender(_user: object, _message: Message) -> None:
        if refusing:
            refuse(Reason.DELIVERY_REFUSED)
        inbox(_user, _message)

    inbox, refusing = Inbox(), False
    wallet = make_wallet(sender=sender, OTP_MPP_CODE_DIGITS=LONG_CODE)
    sent = wallet.send()
    assert wallet.caller.verify("tok-ada", sent.verify_request_id, inbox.code).code == "SUCCESS"
    refusing = True
    wallet.send()
    refusing = False
    wallet.send()
    wallet.clock.forward(seconds=300)
    codes = wallet.state.support.show("ada").codes
    assert [one.status for one in codes] == [
        CodeStatus.USED,
        CodeStatus.NOT_DELIVERED,
        CodeStatus.EXPIRED,
    ]
    assert inbox.code not in run(wallet.app, "show", "ada", "--json").output


def test_a_disabled_user_is_told_and_enabled(make_wallet: MakeWallet) -> None:
    """A3: by an unlock at all clients; one at a client does not enable."""
    wallet = make_wallet(OTP_MPP_DISABLE_AFTER=3)
    fail(wallet, 3)
    assert show(wallet)[1:4] == [
        "OTP is disabled for this user: too many wrong codes. Only an unlock ends that.",
        f"3 wrong codes since the last right one (3 at {CLIENT}).",
        f"May not be sent a code by SMS for {CLIENT}.",
    ]
    shown = json.loads(run(wallet.app, "show", "ada", "--json").stdout)
    assert {one["at"] for one in shown["next_sends"]} == {"unlock"}
    done = run(wallet.app, "unlock", "ada", "--client", CLIENT).stdout
    assert done == f"The user is unlocked at {CLIENT}. Forgotten: 3 wrong codes.\n"
    assert wallet.state.support.show("ada").disabled
    assert run(wallet.app, "unlock", "ada").stdout == (
        "The user is unlocked. Forgotten: 3 wrong codes.\n"
    )
    assert not wallet.state.support.show("ada").disabled


def test_an_unlock_at_one_client_leaves_the_others_locked(stored: Wallet) -> None:
    """A5, C2: by the client's name; it says what it ended."""
    fail(stored, 10, SHOP)
    fail(stored, 10)
    done = run(stored.app, "unlock", "ada", "--client", SHOP)
    assert done.stdout == (
        "The user is unlocked at SHOP_1. Forgotten: the lock at SHOP_1 until 00:17:02.\n"
    )
    again = run(stored.app, "unlock", "ada", "--client", SHOP)
    assert again.stdout == "The user had no lock or failures at SHOP_1.\n"
    assert show(stored)[1] == f"Locked at {CLIENT} until 00:19:04."
    assert stored.calling(client_id=SHOP).send("tok-ada").code == "SUCCESS"
    assert stored.caller.send("tok-ada").code != "SUCCESS"


def test_an_unlock_with_the_quota_lets_a_code_be_sent_at_once(stored: Wallet) -> None:
    """S2: and says how many sends it forgot."""
    stored.sent()
    assert stored.caller.send("tok-ada").code != "SUCCESS"
    assert run(stored.app, "unlock", "ada").stdout == "The user had no lock or failures.\n"
    done = run(stored.app, "unlock", "ada", "--quota", "--json")
    assert json.loads(done.stdout) == {"unlocked": True, "locks": [], "failures": 0, "sends": 1}
    assert stored.caller.send("tok-ada").code == "SUCCESS"
    assert run(stored.app, "unlock", "ada", "--quota").stdout == (
        "The user is unlocked. Forgotten: 1 counted send.\n"
    )
    assert run(stored.app, "unlock", "ada", "--quota").stdout == (
        "The user had no lock, failures or counted sends.\n"
    )


def test_a_host_unlocks_in_part_itself(make_wallet: MakeWallet) -> None:
    """A5: by the extension, or by the state of the app."""
    wallet = make_wallet(**SHOPS)
    fail(wallet, 10, SHOP)
    with wallet.app.app_context():
        assert not wallet.otp.unlock("ada", CLIENT)
        assert wallet.otp.unlock("ada", SHOP)
        assert wallet.otp.unlock("ada", SHOP, quota=True)
        assert not wallet.otp.unlock("ada", SHOP, quota=True)
    assert wallet.state.support.show("ada").sends == ()
    assert wallet.state.support.forget("ada") is True
    assert wallet.state.support.forget("ada") is False
    assert wallet.state.support.show("ada").is_empty


def test_a_client_that_the_settings_do_not_list_is_another_client(
    make_wallet: MakeWallet,
) -> None:
    """P4: its name is not stored; who knows it can unlock there."""
    public = one_line(key("alipay+").public_key())
    wallet = make_wallet(
        prepare=lambda _app, otp: otp.client_key(lambda client, _version: public) and None
    )
    fail(wallet, 10, "HIDDEN")
    shown = run(wallet.app, "show", "ada", "--json").stdout
    assert "HIDDEN" not in shown
    assert "Locked at another client until 00:17:02." in json.loads(shown)["words"]
    assert run(wallet.app, "unlock", "ada", "--client", "HIDDEN").stdout == (
        "The user is unlocked at HIDDEN. Forgotten: the lock at another client until 00:17:02.\n"
    )


def test_a_name_that_two_protocols_know_is_told_with_its_protocol(
    make_wallet: MakeWallet,
) -> None:
    """C2: they are two clients; what is unlocked by the name is unlocked at both."""
    wallet = make_wallet(
        protocols=(AlipayPlus, Ams),
        OTP_MPP_AMS_CLIENTS={CLIENT: {"1": one_line(key("merchant").public_key())}},
    )
    fail(wallet, 1)
    assert f"1 wrong code since the last right one (1 at {CLIENT} (alipayplus))." in show(wallet)
    assert wallet.state.support.unlock("ada", CLIENT).failures == 1


def test_every_act_is_announced_once(wallet: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A5, X9: whoever acts, and whether it changed anything; a look changes nothing."""
    told: list[tuple[str, str, bool]] = []
    hooks = SupportHooks(lambda act, subject, changed: told.append((act, subject, changed)))
    monkeypatch.setattr(type(wallet.state), "support", property(lambda state: with_(state, hooks)))
    fail(wallet, 1)
    run(wallet.app, "show", "ada")
    run(wallet.app, "unlock", "ada")
    with wallet.app.app_context():
        wallet.otp.unlock("ada", CLIENT)
        wallet.otp.forget("ada")
    run(wallet.app, "forget", "ada", "--json")
    assert told == [
        ("unlock", "ada", True),
        ("unlock", "ada", False),
        ("forget", "ada", True),
        ("forget", "ada", False),
    ]


def with_(state: Any, hooks: SupportHooks) -> Support:
    return Support(replace(state, support_hooks=hooks))


def test_recent_events_are_told_if_there_is_a_record(wallet: Wallet) -> None:
    """A5: behind all else, for people and for machines."""
    event = RecentEvent(wallet.clock.now - timedelta(days=1), "unlocked by ann")
    support = with_(wallet.state, SupportHooks(recent=lambda subject: [event] * (subject == "ada")))
    state = support.show("ada")
    assert support.in_words(state)[2:] == [
        "Recent events:",
        "  2025-12-31 00:00:00 unlocked by ann",
    ]
    assert support.as_json(state)["recent"] == [
        {"at": "2025-12-31T00:00:00Z", "text": "unlocked by ann"}
    ]
    assert support.as_json(support.show("bob"))["recent"] == []


def test_support_needs_the_store_and_to_show_the_policy(tmp_path: Path) -> None:
    """F2: no key, and no pepper; a fault of the policy stops ``show`` alone."""
    url = f"sqlite:///{tmp_path}/otp.db"
    make_tables(url)
    changed: dict[str, Any] = {"OTP_MPP_PRIVATE_KEYS": None, "OTP_MPP_PEPPER": None}

    def factory() -> Flask:
        app = Flask("tests.host")
        app.config.update(settings(url, **changed))
        otp = OtpMpp(AlipayPlus)
        otp.user_loader(load_user)
        otp.sender(Channel.MOBILE)(Inbox())
        otp.init_app(app)
        return app

    for command in ("show ada", "unlock ada --quota", "forget ada"):
        assert flask(factory, "otp-mpp", *command.split()).exit_code == 0
    changed["OTP_MPP_CODE_LIFE"] = "long"
    assert flask(factory, "otp-mpp", "unlock", "ada").exit_code == 0
    result = flask(factory, "otp-mpp", "show", "ada")
    assert result.exit_code == 1
    assert "'OTP_MPP_CODE_LIFE'" in result.stderr
    changed["OTP_MPP_STORE"] = None
    assert flask(factory, "otp-mpp", "unlock", "ada").exit_code == 1
    assert ConfigurationError.__name__ not in result.output
