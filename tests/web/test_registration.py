"""A mistake in the host's code is reported where it is made, with what to write instead."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import Mock

import pytest
from flask import Flask

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    Channel,
    ConfigurationError,
    GoogleStandardPayments,
    OtpMpp,
    PhoneNumber,
)
from tests.wallet import Wallet, load_user, open_wallet, settings


def text(user: object, message: object) -> None:
    pass


def test_an_app_in_the_place_of_a_protocol_is_a_type_error() -> None:
    """F2: the habit of other extensions, OtpMpp(app)."""
    with pytest.raises(TypeError, match=r"write otp = OtpMpp\(AlipayPlus\) and then otp.init_app"):
        OtpMpp(Flask("tests.app"), AlipayPlus)  # type: ignore[arg-type]


def test_an_instance_in_the_place_of_a_protocol_is_a_type_error(wallet: Wallet) -> None:
    """F2: a protocol is made from the configuration, by the extension."""
    (instance,) = wallet.state.protocols
    with pytest.raises(TypeError, match=r"pass the class: OtpMpp\(AlipayPlus\)"):
        OtpMpp(instance)  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", [AlipayPlus, Ams, GoogleStandardPayments])
def test_a_protocol_that_a_host_makes_itself_is_a_type_error(protocol: Any) -> None:
    """F2: OtpMpp(AlipayPlus()) is told what to write before OtpMpp is called."""
    name = protocol.__name__
    with pytest.raises(TypeError, match=rf"^{name} is made by OtpMpp; .*: OtpMpp\({name}\)$"):
        OtpMpp(protocol())


@pytest.mark.parametrize("given", ["alipayplus", None, dict])
def test_what_is_no_protocol_is_a_type_error(given: Any) -> None:
    with pytest.raises(TypeError, match="is no protocol; pass a class: AlipayPlus"):
        OtpMpp(given)


@pytest.mark.parametrize("given", ["MOBILE", None, 1])
def test_a_sender_for_what_is_no_channel_is_a_type_error(given: Any) -> None:
    """F2: a text that equals a channel's value is none either."""
    with pytest.raises(TypeError, match=rf"used with {given!r}; write @otp.sender\(Channel.MOB"):
        OtpMpp(AlipayPlus).sender(given)


def test_a_sender_without_a_channel_is_a_type_error() -> None:
    """F2: the parentheses were forgotten."""
    with pytest.raises(TypeError, match=r"without a channel; write @otp.sender\(Channel.MOBILE\)"):
        OtpMpp(AlipayPlus).sender(text)  # type: ignore[arg-type]


def test_a_client_key_for_a_protocol_that_is_not_served_is_a_type_error() -> None:
    """F2: instead of a class that is taken for the hook."""
    with pytest.raises(TypeError, match=r"@otp.client_key\(Ams\) is for a protocol that is not"):
        OtpMpp(AlipayPlus).client_key(Ams)


Register = Callable[[OtpMpp, Callable[..., Any]], Any]
HOOKS: dict[str, tuple[Register, int]] = {
    "@otp.user_loader": (lambda otp, hook: otp.user_loader(hook), 2),
    "@otp.user_loader(PhoneNumber)": (lambda otp, hook: otp.user_loader(PhoneNumber)(hook), 2),
    "@otp.user_identity": (lambda otp, hook: otp.user_identity(hook), 1),
    "@otp.sender(Channel.EMAIL)": (lambda otp, hook: otp.sender(Channel.EMAIL)(hook), 2),
    "@otp.client_key": (lambda otp, hook: otp.client_key(hook), 2),
    "@otp.client_key(AlipayPlus)": (lambda otp, hook: otp.client_key(AlipayPlus)(hook), 2),
}
BY_COUNT: list[Callable[..., Any]] = [
    lambda: None,
    lambda one: None,
    lambda one, two: None,
    lambda one, two, three: None,
]


@pytest.mark.parametrize("use", HOOKS)
def test_a_hook_that_replaces_another_one_is_refused(use: str) -> None:
    """F2: instead of one that is silently never called."""
    add, count = HOOKS[use]
    otp = OtpMpp(AlipayPlus)
    add(otp, text if count == 2 else str)
    with pytest.raises(RuntimeError) as caught:
        add(otp, BY_COUNT[count])
    assert str(caught.value).startswith(f"{use} has the hook ")
    assert "which '<lambda>' would replace; register one of them" in str(caught.value)


@pytest.mark.parametrize("use", HOOKS)
def test_a_hook_with_other_parameters_than_it_is_called_with_is_refused(use: str) -> None:
    """F2: when it is registered, not at the first request."""
    add, count = HOOKS[use]
    for wrong in {0, 1, 2, 3} - {count}:
        with pytest.raises(TypeError) as caught:
            add(OtpMpp(AlipayPlus), BY_COUNT[wrong])
        assert f"and {use} calls it with (" in str(caught.value)
    assert add(OtpMpp(AlipayPlus), BY_COUNT[count]) is BY_COUNT[count]


class Sender:
    def __call__(self, user: object, message: object) -> None:
        pass

    def send(self, user: object, message: object, retries: int = 0) -> None:
        pass


async def later(user: object, message: object) -> None:
    pass


@pytest.mark.parametrize(
    "hook",
    [
        Sender(),
        Sender().send,
        functools.partial(lambda gateway, user, message: None, "gateway"),
        lambda *arguments, **more: None,
        later,
        Mock(),
        max,
        dict.get,
        type("Unknowable", (), {"__signature__": "none", "__call__": lambda *_: None})(),
    ],
    ids=lambda hook: type(hook).__name__,
)
def test_whatever_can_be_called_with_the_arguments_is_a_hook(hook: Callable[..., Any]) -> None:
    """F1: partials, methods, builtins and doubles for tests."""
    assert OtpMpp(AlipayPlus).sender(Channel.MOBILE)(hook) is hook


def test_what_can_not_be_called_is_no_hook() -> None:
    with pytest.raises(TypeError, match=r"got 7; give it a function of \(user, message\)"):
        OtpMpp(AlipayPlus).sender(Channel.MOBILE)(7)  # type: ignore[type-var]


def test_an_async_hook_without_asgiref_is_one_fault_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F2: told with all others, and with what to install."""

    def no_async(_app: Flask, hook: Callable[..., Any]) -> Callable[..., Any]:
        if hook is later:
            raise RuntimeError("Install Flask with the 'async' extra.")
        return hook

    monkeypatch.setattr(Flask, "ensure_sync", no_async)
    with pytest.raises(ConfigurationError) as caught:
        open_wallet(sender=cast(Any, later), OTP_MPP_PEPPER="short")
    found = dict(caught.value.faults)
    assert found["@otp.sender(Channel.EMAIL)"] == (
        "has the async hook 'later'; pip install 'flask[async]'"
    )
    assert set(found) == {
        "@otp.sender(Channel.EMAIL)",
        "@otp.sender(Channel.MOBILE)",
        "OTP_MPP_PEPPER",
    }


def test_an_app_that_could_not_start_can_be_corrected_and_started() -> None:
    """F2: hooks may still be added after a configuration error."""
    otp, app = OtpMpp(AlipayPlus), Flask("tests.app")
    app.config.update(settings())
    otp.user_loader(load_user)
    with pytest.raises(ConfigurationError, match=r"'@otp.sender': is missing"):
        otp.init_app(app)
    otp.sender(Channel.MOBILE)(text)
    otp.init_app(app)
