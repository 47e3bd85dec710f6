"""Checks of the pepper under which codes are digested."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Final

from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.settings import CodeSettings

CHECKS: Final = Checks()
_KEY: Final = key_of(CodeSettings, "peppers")
_MAKE: Final = "make one: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
FEWEST_BYTES: Final = 12
"""How many different bytes a pepper has at least: 32 random hexadecimal digits have 10 or more only
with luck, and 64 of them nearly always 13 or more."""


def _peppers(checked: CheckedApp) -> list[tuple[str, bytes]]:
    revealed = [pepper.reveal() for pepper in checked.settings(CodeSettings).peppers]
    return [(_name(number, len(revealed)), pepper) for number, pepper in enumerate(revealed, 1)]


def _name(number: int, count: int) -> str:
    return _KEY if count == 1 else f"{_KEY}, number {number}"


@CHECKS.add("pepper-weak", Severity.ERROR, "a pepper can be guessed")
def _weak(checked: CheckedApp) -> Iterator[Hit]:
    for name, pepper in _peppers(checked):
        if (different := len(set(pepper))) < FEWEST_BYTES:
            yield Hit(name, f"has only {different} different bytes", _MAKE)


@CHECKS.add("pepper-repeated", Severity.WARNING, "a pepper is listed twice")
def _repeated(checked: CheckedApp) -> Iterator[Hit]:
    peppers = [pepper for _, pepper in _peppers(checked)]
    if len(set(peppers)) < len(peppers):
        yield Hit(
            _KEY, "holds one pepper twice, so that nothing is rotated", "list each pepper once"
        )


@CHECKS.add("pepper-is-secret-key", Severity.ERROR, "the pepper is the host's secret key")
def _is_secret_key(checked: CheckedApp) -> Iterator[Hit]:
    fallbacks = checked.config.get("SECRET_KEY_FALLBACKS") or []
    for key in [checked.config.get("SECRET_KEY"), *fallbacks]:
        secret = key.encode() if isinstance(key, str) else key
        for name, pepper in _peppers(checked):
            if isinstance(secret, bytes) and hmac.compare_digest(pepper, secret):
                yield Hit(name, "is SECRET_KEY too: whoever learns the one has the other", _MAKE)


@CHECKS.add("pepper-rotation", Severity.NOTE, "an old pepper is accepted")
def _rotation(checked: CheckedApp) -> Iterator[Hit]:
    if (count := len(_peppers(checked))) > 1:
        yield Hit(
            _KEY,
            f"has {count} peppers: a rotation is under way",
            "remove the old ones when the last code and idempotency key under them has expired",
        )
