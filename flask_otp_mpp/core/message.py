"""The text that carries a code to its user."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import timedelta

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.secret import Secret

DEFAULT_TEXT = "{code} is your {wallet} code. It expires in {life}. Do not share it."
FIELDS = frozenset({"code", "wallet", "life"})
_SAMPLE = "0123456789"


@dataclass(frozen=True, slots=True)
class Message:
    """One code for a sender of the host to deliver; no repr shows it.

    :param channel: by which it goes; the host knows the address.
    :param life: how long the code will be accepted.
    :param caller: who has asked for the code.
    """

    secret_code: Secret[str]
    secret_body: Secret[str]
    channel: Channel
    life: timedelta
    caller: Caller

    @property
    def code(self) -> str:
        """The one-time code."""
        return self.secret_code.reveal()

    @property
    def body(self) -> str:
        """The whole text, ready to be sent."""
        return self.secret_body.reveal()


@dataclass(frozen=True, slots=True)
class Composer:
    """Write messages by one template.

    :param wallet: the name by which users know the wallet.
    :param domain: if set, messages end with the line ``@domain #code``, so that a phone offers the
        code to that site only (WICG, "Origin-bound one-time codes").
    :param text: template with ``{code}`` and, if wanted, ``{wallet}`` and ``{life}``, such
        as ``5 min`` or ``90 s``.
    """

    wallet: str
    domain: str | None = None
    text: str = DEFAULT_TEXT

    def compose(
        self,
        code: Secret[str],
        channel: Channel,
        life: timedelta,
        caller: Caller,
        sms_token: str = "",
    ) -> Message:
        """Write the message for one code.

        :param sms_token: a token for which an app on the phone looks, on a line of its own.
        """
        body = Secret(
            self.text.format(code=code.reveal(), wallet=self.wallet, life=_in_words(life))
        )
        if sms_token:
            body = Secret(f"{body.reveal()}\n\n{sms_token}")
        if self.domain is not None:
            body = Secret(f"{body.reveal()}\n\n@{self.domain} #{code.reveal()}")
        return Message(code, body, channel, life, caller)


def _in_words(life: timedelta) -> str:
    """Return a length of time that is never more than there is: whole minutes from two on."""
    seconds = max(0, int(life.total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def check_template(text: str) -> str:
    """Return a template that can be filled in and then holds the whole code.

    :raises ValueError: naming what is wrong with it.
    """
    fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    if unknown := sorted(fields - FIELDS):
        raise ValueError(f"field {unknown[0]!r} is not one of {', '.join(sorted(FIELDS))}")
    try:
        filled = text.format(code=_SAMPLE, wallet="wallet", life="5 min")
    except LookupError:  # a field inside a format: {code:{width}}
        raise ValueError("a format in it holds a field of its own") from None
    if _SAMPLE not in filled:
        raise ValueError("there is no {code} in it")
    return text
