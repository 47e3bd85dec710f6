"""A hook is run to its end, whatever it returns or raises; no request stays pending by it."""

from __future__ import annotations

import asyncio
import functools
import types
from collections.abc import Awaitable, Callable, Generator
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

import gevent  # type: ignore[import-untyped]
import pytest
from flask import Flask

from flask_otp_mpp import (
    Caller,
    Event,
    Message,
    OtpMpp,
    Reason,
    Subject,
    otp_sent,
    refuse,
    user_locked,
)
from flask_otp_mpp.testing import Inbox
from tests.ams import open_shop
from tests.codes import wrong_code
from tests.wallet import Wallet, key
from tests.web.google_wallet import ADA, open_google

MakeWallet = Callable[..., Wallet]
Hook = Callable[..., Any]


def logged(hook: Hook) -> Hook:
    """Decorate a hook as hosts do, so that nothing shows that it is async."""

    @functools.wraps(hook)
    def call(*arguments: Any, **named: Any) -> Any:
        return hook(*arguments, **named)

    del call.__wrapped__
    return call


class Later:
    """Something awaitable that is no coroutine, as of another framework."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        return self._result


def as_coroutine(hook: Hook) -> Hook:
    async def call(*arguments: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        return hook(*arguments, **named)

    return logged(call)


def as_awaitable(hook: Hook) -> Hook:
    return lambda *arguments: Later(hook(*arguments))


def as_object(hook: Hook) -> Hook:
    """Return an object whose call is async, which no inspection of it shows."""

    class Callee:
        async def __call__(self, *arguments: Any) -> Any:
            return hook(*arguments)

    return Callee()


HIDDEN: Final = pytest.mark.parametrize("hidden", [as_coroutine, as_awaitable, as_object])


@HIDDEN
def test_a_sender_that_hides_that_it_is_async_sends(
    hidden: Callable[[Hook], Hook], make_wallet: MakeWallet
) -> None:
    """H1: SUCCESS means that its message has gone out."""
    inbox = Inbox()
    wallet = make_wallet(sender=hidden(inbox))
    answer = wallet.send()
    assert (answer.code, len(inbox)) == ("SUCCESS", 1)
    assert wallet.caller.verify("tok-ada", answer.verify_request_id, inbox.code).code == "SUCCESS"


@HIDDEN
def test_a_loader_that_hides_that_it_is_async_decides(
    hidden: Callable[[Hook], Hook], make_wallet: MakeWallet
) -> None:
    """H1: a coroutine is true like any object, and would be a user for every token."""

    def load(token: str, caller: Caller) -> SimpleNamespace | None:
        if token == "frozen":
            refuse(Reason.USER_ABNORMAL)
        return SimpleNamespace(id=7) if token == "tok-ada" else None

    wallet = make_wallet(loader=hidden(load))
    codes = [wallet.send(token).code for token in ("tok-ada", "nobody", "frozen")]
    assert codes == ["SUCCESS", "INVALID_TOKEN", "USER_STATUS_ABNORMAL"]


@HIDDEN
def test_a_loader_by_subject_that_hides_that_it_is_async_bars_a_user(
    hidden: Callable[[Hook], Hook], make_wallet: MakeWallet
) -> None:
    """H1: the user was frozen after the code was sent."""

    def still_served(subject: str, caller: Caller) -> None:
        refuse(Reason.USER_ABNORMAL)

    def prepare(app: Flask, otp: OtpMpp) -> None:
        otp.user_loader(Subject)(hidden(still_served))

    shop = open_shop(make_wallet, with_subject_loader=False, prepare=prepare)
    request_id, code = shop.sent()
    assert shop.caller.verify(request_id, code).code == "USER_STATUS_ABNORMAL"


@HIDDEN
def test_the_hooks_for_names_and_keys_may_hide_that_they_are_async(
    hidden: Callable[[Hook], Hook], make_wallet: MakeWallet
) -> None:
    """H1, G4: a key that is a coroutine verifies nothing."""
    names: list[str] = []

    def prepare(app: Flask, otp: OtpMpp) -> None:
        otp.user_identity(hidden(lambda user: f"name of {user.id}"))
        otp.client_key(hidden(lambda client, version: key("alipay+").public_key()))

    def receive(sender: object, event: Event) -> None:
        names.append(event.subject)

    wallet = make_wallet(prepare=prepare, OTP_MPP_ALIPAYPLUS_CLIENTS=None)
    with otp_sent.connected_to(receive, wallet.app):
        assert wallet.send().code == "SUCCESS"
    assert names == ["name of ada"]


def test_a_receiver_that_hides_that_it_is_async_hears(make_wallet: MakeWallet) -> None:
    """H1: an alarm for a lock is given."""
    heard: list[str] = []

    def receive(sender: object, subject: str, until: datetime, caller: Caller) -> None:
        heard.append(subject)

    receiver = as_coroutine(receive)
    shop = open_shop(make_wallet, OTP_MPP_FAILURE_LIMIT=5)
    with user_locked.connected_to(receiver, shop.wallet.app):
        request_id, code = shop.sent()
        for attempt in range(5):
            shop.caller.verify(request_id, wrong_code(code, attempt))
    assert heard == ["ada"]


def test_what_can_not_be_run_is_an_error_and_no_success(
    make_wallet: MakeWallet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """H1: without asgiref; the coroutine is closed, so that nothing warns of it later."""

    def no_async(self: Flask, function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        raise RuntimeError("Install Flask with the 'async' extra in order to use async views.")

    inbox = Inbox()
    wallet = make_wallet(sender=as_coroutine(inbox))
    monkeypatch.setattr(Flask, "async_to_sync", no_async)
    answer = wallet.send()
    assert (answer.code, answer.status, len(inbox)) == ("UNKNOWN_EXCEPTION", "U", 0)
    assert "RuntimeError" in caplog.text


class Unusual(BaseException):
    """An exception that is no ``Exception``, as some libraries have."""


def timed_out() -> None:
    with gevent.Timeout(0.01):
        gevent.sleep(1)


def cancelled() -> None:
    raise asyncio.CancelledError


def unusual() -> None:
    raise Unusual("with a secret")


ENDINGS: Final = pytest.mark.parametrize("ending", [timed_out, cancelled, unusual])


@ENDINGS
def test_a_sender_that_ends_by_no_exception_is_answered_u(
    ending: Callable[[], None], make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture
) -> None:
    """H1: signed, and logged without its text, on Alipay+ and AMS; a code that did arrive works."""
    inbox = Inbox()

    def text(user: object, message: Message) -> None:
        inbox(user, message)
        ending()

    shop = open_shop(make_wallet, sender=text)
    answer = shop.wallet.send()
    assert (answer.code, answer.verified) == ("UNKNOWN_EXCEPTION", True)
    assert "secret" not in caplog.text
    assert shop.init(request_id="one").code == "UNKNOWN_EXCEPTION"
    assert shop.init(request_id="one").code == "UNKNOWN_EXCEPTION"  # and no second message
    assert len(inbox) == 2
    assert shop.caller.verify("one", inbox.code).code == "SUCCESS"


@ENDINGS
def test_a_sender_of_google_that_ends_by_no_exception_leaves_its_id_usable(
    ending: Callable[[], None],
) -> None:
    """H1: 503, and the next try with the same requestId sends a code; not 409 for 30 days."""
    inbox, broken = Inbox(), [True]

    def text(user: object, message: Message) -> None:
        inbox(user, message)
        if broken[0]:
            ending()

    wallet = open_google(sender=text)
    assert wallet.google.send(ADA, request_id="one").response.status == 503
    broken[0] = False
    wallet.clock.forward(seconds=61)
    answer = wallet.google.send(ADA, request_id="one")
    assert answer.result == "SUCCESS"
    assert wallet.google.verify("one", inbox.code).result == "SUCCESS"


@ENDINGS
@pytest.mark.parametrize("where", ["loader", "identity", "key"])
def test_any_hook_that_ends_by_no_exception_is_answered_u(
    ending: Callable[[], None], where: str, make_wallet: MakeWallet
) -> None:
    """H1: and the next request is served."""
    broken = [True]

    def end(at: str) -> None:
        if broken[0] and at == where:
            ending()

    def load(token: str, caller: Caller) -> SimpleNamespace:
        end("loader")
        return SimpleNamespace(id=7)

    def name(user: SimpleNamespace) -> str:
        end("identity")
        return str(user.id)

    def find_key(client: str, version: str | None) -> Any:
        end("key")
        return key("alipay+").public_key()

    def prepare(app: Flask, otp: OtpMpp) -> None:
        otp.user_identity(name)
        otp.client_key(find_key)

    wallet = make_wallet(loader=load, prepare=prepare, OTP_MPP_ALIPAYPLUS_CLIENTS=None)
    answer = wallet.send()
    assert (answer.code, answer.verified) == ("UNKNOWN_EXCEPTION", True)
    broken[0] = False
    assert wallet.send().code == "SUCCESS"


@ENDINGS
def test_a_receiver_that_ends_by_no_exception_changes_nothing(
    ending: Callable[[], None], make_wallet: MakeWallet, caplog: pytest.LogCaptureFixture
) -> None:
    """H1, A7: it is logged."""

    def receive(sender: object, event: Event) -> None:
        ending()

    wallet = make_wallet()
    with otp_sent.connected_to(receive, wallet.app):
        assert wallet.send().code == "SUCCESS"
    assert "a receiver of otp-sent raised" in caplog.text


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_the_process_passes_after_the_request_is_settled(
    end: type[BaseException],
) -> None:
    """H1: a worker that is told to stop stops, and the id is usable at once."""
    broken = [True]

    def text(user: object, message: Message) -> None:
        if broken[0]:
            raise end

    wallet = open_google(sender=text)
    with pytest.raises(end):
        wallet.google.send(ADA, request_id="one")
    broken[0] = False
    wallet.clock.forward(seconds=61)
    assert wallet.google.send(ADA, request_id="one").result == "SUCCESS"


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_the_process_passes_from_a_receiver(
    end: type[BaseException], make_wallet: MakeWallet
) -> None:
    """H1: it is not logged as an error of the receiver."""

    def receive(sender: object, event: Event) -> None:
        raise end

    wallet = make_wallet()
    with otp_sent.connected_to(receive, wallet.app), pytest.raises(end):
        wallet.send()


@pytest.mark.parametrize("name", [None, "", 7, "n" * 129, b"ada"])
def test_a_name_that_is_none_is_a_fault_and_nobodys_name(
    name: Any, make_wallet: MakeWallet
) -> None:
    """A2: users without a name must not share limits."""

    def prepare(app: Flask, otp: OtpMpp) -> None:
        otp.user_identity(lambda user: name)

    assert make_wallet(prepare=prepare).send().code == "UNKNOWN_EXCEPTION"
    named = make_wallet(loader=lambda token, caller: types.SimpleNamespace(id=None))
    assert named.send().code == "UNKNOWN_EXCEPTION"
