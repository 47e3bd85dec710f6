"""The message carries the code, says whose it is, and asks to keep it secret."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from datetime import timedelta

from flask_otp_mpp.core.challenge import Channel

DEFAULT_TEXT = "{code} is your {wallet} code. It expires in {minutes} min. Do not share it."
FIELDS = frozenset({"code", "wallet", "minutes"})
_SAMPLE = "0123456789"


@dataclass(frozen=True, slots=True)
class Message:
    """Hand one code to a sender of the host; the code shows in no repr and no log.

    :param code: the one-time code.
    :param body: the whole text, ready to be sent.
    :param channel: where it goes; the address is the host's to know.
    :param life: how long the code will be accepted.
    """

    code: str = field(repr=False)
    body: str = field(repr=False)
    channel: Channel
    life: timedelta


@dataclass(frozen=True, slots=True)
class Composer:
    """Write messages after one template.

    :param wallet: the name that users know the wallet by.
    :param domain: if set, messages end with the line ``@domain #code`` (WICG, origin-bound one-time
        codes), by which a phone offers the code to that site only.
    :param text: template with ``{code}`` and, if wanted, ``{wallet}`` and ``{minutes}``.
    """

    wallet: str
    domain: str | None = None
    text: str = DEFAULT_TEXT

    def compose(self, code: str, channel: Channel, life: timedelta, line: str = "") -> Message:
        """Write the message for one code.

        :param line: what must stand on a line of its own, for a program on the phone to find.
        """
        minutes = max(1, int(life.total_seconds() // 60))
        body = self.text.format(code=code, wallet=self.wallet, minutes=minutes)
        if line:
            body = f"{body}\n\n{line}"
        if self.domain is not None:
            body = f"{body}\n\n@{self.domain} #{code}"
        return Message(code, body, channel, life)


def check_template(text: str) -> str:
    """Return a template that can be filled in and then holds the whole code.

    :raises ValueError: naming what is wrong with it.
    """
    fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    if unknown := sorted(fields - FIELDS):
        raise ValueError(f"field {unknown[0]!r} is not one of {', '.join(sorted(FIELDS))}")
    try:
        filled = text.format(code=_SAMPLE, wallet="wallet", minutes=5)
    except LookupError:  # a field inside a format: {code:{width}}
        raise ValueError("a format in it holds a field of its own") from None
    if _SAMPLE not in filled:
        raise ValueError("there is no {code} in it")
    return text
