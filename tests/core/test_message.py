"""A message says whose code it is, fits one short message, and hides its code from logs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flask_otp_mpp import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.message import DEFAULT_TEXT, Composer, Message, check_template
from flask_otp_mpp.core.secret import Secret

LIFE = timedelta(minutes=5)
# 3GPP TS 23.038: the characters of the default alphabet; those of its extension count twice.
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENSION = set("\f^{}\\[~]|€")

CALLER = Caller("alipayplus", "CLIENT_1", "acquirer", "psp")


def septets(text: str) -> int:
    """Count what a text costs in GSM-7; a text that needs UCS-2 fails."""
    assert set(text) <= GSM_7 | GSM_7_EXTENSION
    return sum(2 if character in GSM_7_EXTENSION else 1 for character in text)


def body(code: str = "012345", life: timedelta = LIFE, **composer: str) -> str:
    return (
        Composer(**{"wallet": "Wallet", **composer})
        .compose(Secret(code), Channel.MOBILE, life, CALLER)
        .body
    )


@pytest.mark.parametrize("digits", [6, 10])
@pytest.mark.parametrize("domain", ["wallet.example", "accounts.my-long-wallet-name.example"])
def test_the_default_text_fits_one_short_message(digits: int, domain: str) -> None:
    """S9: 160 septets, with a wallet's name of 20 characters and the line for its domain."""
    text = body("8" * digits, timedelta(minutes=10), wallet="W" * 20, domain=domain)
    assert septets(text) <= 160


def test_the_default_text_says_code_wallet_life_and_to_keep_it_secret() -> None:
    """S9: whose code it is, and that nobody else may have it."""
    assert body(wallet="Acme Pay") == (
        "012345 is your Acme Pay code. It expires in 5 min. Do not share it."
    )


def test_the_last_line_binds_the_code_to_a_domain() -> None:
    """S9: WICG, origin-bound one-time codes: an empty line, then @host #code and nothing else."""
    text = body(domain="wallet.example")
    *explanation, empty, last = text.split("\n")
    assert explanation == [body()]
    assert empty == ""
    assert last == "@wallet.example #012345"
    assert "@" not in body()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (30, "30 s"),
        (60, "60 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (299.9, "4 min"),
        (300, "5 min"),
        (600, "10 min"),
    ],
)
def test_a_life_is_never_told_longer_than_it_is(seconds: float, told: str) -> None:
    """S9: in seconds below two minutes, else in whole minutes."""
    assert body(text="{code} {life}", life=timedelta(seconds=seconds)) == f"012345 {told}"


def test_the_message_carries_what_a_sender_needs() -> None:
    """C1: who has asked for it, too."""
    message = Composer("Wallet").compose(Secret("012345"), Channel.EMAIL, LIFE, CALLER)
    assert (message.code, message.channel, message.life) == ("012345", Channel.EMAIL, LIFE)
    assert message.caller == CALLER


def test_no_repr_shows_the_code() -> None:
    """P1: a message may be logged by mistake."""
    message = Composer("Wallet", "wallet.example").compose(
        Secret("012345"), Channel.EMAIL, LIFE, CALLER
    )
    assert "012345" not in repr(message)
    assert "012345" not in repr([message])
    assert isinstance(message, Message)


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT_TEXT,
        "{code}",
        "{wallet}: {code:>12} ({life})",
        "{{not a field}} {code!s}",
        "Code: {code}. {code}",
    ],
)
def test_a_template_that_can_be_filled_in_is_taken_as_it_is(text: str) -> None:
    assert check_template(text) == text
    assert "012345" in body(text=text)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "there is no {code}"),
        ("{wallet}", "there is no {code}"),
        ("{{code}}", "there is no {code}"),
        ("{code:.3}", "there is no {code}"),  # half a code is none
        ("{code} {amount}", "field 'amount' is not one of code, life, wallet"),
        ("{code} {}", "field '' is not one of"),
        ("{code} {0}", "field '0' is not one of"),
        ("{code.__class__}", "field 'code.__class__' is not one of"),
        ("{code[0]}", "is not one of"),
        ("{code:{width}}", "holds a field of its own"),
        ("{code", "expected '}'"),
        ("{code} }", "Single '}'"),
        ("{code:d}", "Unknown format code 'd'"),
    ],
)
def test_a_template_that_would_fail_later_is_refused_at_once(text: str, finding: str) -> None:
    """F2: no wallet learns of it by the first message that can't be written."""
    with pytest.raises(ValueError, match=finding.replace("{", r"\{").replace("[", r"\[")):
        check_template(text)
