"""Checks of the senders, of what messages say, and of the policy that users feel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.message import Composer
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.hooks import name_of, sender_use
from flask_otp_mpp.web.profiles import PSD2_FAILURES
from flask_otp_mpp.web.settings import MessageSettings
from flask_otp_mpp.web.traffic_settings import TrafficSettings

CHECKS: Final = Checks()
_TESTING: Final = "flask_otp_mpp.testing"
_SEPTETS: Final = 160
_UCS_2: Final = 70
_GSM_7: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_7_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""3GPP TS 23.038, 6.2.1; each character of the extension takes two septets."""


@CHECKS.add("sender-double", Severity.ERROR, "a sender delivers nothing")
def _double(checked: CheckedApp) -> Iterator[Hit]:
    for channel, sender in checked.hooks.senders.items():
        if sender is print:
            found = "is print: codes are written where everybody may read them"
        elif type(sender).__module__.startswith(_TESTING):
            found = f"is {type(sender).__name__}, the package's double for tests"
        else:
            continue
        yield Hit(sender_use(channel), found, "register a function that calls your provider")


@CHECKS.add("sender-unused", Severity.NOTE, "a sender is never called")
def _unused(checked: CheckedApp) -> Iterator[Hit]:
    protocols = checked.state.components.protocols
    if any(not protocol.channels for protocol in protocols):
        return  # its callers choose the channel
    wanted = frozenset[Channel]().union(*(protocol.channels for protocol in protocols))
    for channel in checked.hooks.senders.keys() - wanted:
        found = "no protocol that is served sends on this channel"
        yield Hit(sender_use(channel), found, "remove it")


@CHECKS.add("sender-email", Severity.NOTE, "codes are sent by e-mail")
def _email(checked: CheckedApp) -> Iterator[Hit]:
    if Channel.EMAIL in checked.hooks.senders:
        found = f"{name_of(checked.hooks.senders[Channel.EMAIL])} is registered"
        yield Hit(
            sender_use(Channel.EMAIL),
            f"{found}; NIST SP 800-63B-4, 3.1.3.1 forbids e-mail for codes",
            "remove it if you must meet that standard, and set OTP_MPP_PROFILE to 'nist'",
        )


@CHECKS.add("message-domain", Severity.NOTE, "codes are bound to no site")
def _domain(checked: CheckedApp) -> Iterator[Hit]:
    if checked.settings(MessageSettings).domain is None:
        yield Hit(
            key_of(MessageSettings, "domain"),
            "is not set: a phone offers a code to any site that asks for one",
            "set it to the host name of the page where users type the code",
        )


@CHECKS.add("message-long", Severity.NOTE, "a message does not fit one SMS")
def _long(checked: CheckedApp) -> Iterator[Hit]:
    messages, policy = checked.settings(MessageSettings), checked.state.policy
    composer = Composer(messages.wallet_name, messages.domain, messages.template)
    code = Secret("0" * policy.digits)
    caller = Caller("", "", "", "")
    text = composer.compose(code, Channel.MOBILE, policy.life, caller).body
    if set(text) <= _GSM_7 | _GSM_7_EXTENSION:
        length, most = sum(1 + (one in _GSM_7_EXTENSION) for one in text), _SEPTETS
    else:
        length, most = len(text.encode("utf-16-le")) // 2, _UCS_2
    if length > most:
        found = f"a message has {length} characters, and one SMS with such characters {most}"
        yield Hit(key_of(MessageSettings, "template"), found, "shorten it, or pay for each part")


@CHECKS.add("lock-never", Severity.WARNING, "users are disabled without a lock before")
def _lock_never(checked: CheckedApp) -> Iterator[Hit]:
    policy = checked.state.policy
    if policy.disable_after <= policy.failure_limit:
        yield Hit(
            "OTP_MPP_DISABLE_AFTER",
            f"is {policy.disable_after}, and a lock comes after {policy.failure_limit} failures: "
            "users are disabled for good without a warning",
            f"set it to more, and OTP_MPP_FAILURE_LIMIT to {PSD2_FAILURES} or so",
        )


@CHECKS.add("freshness-long", Severity.NOTE, "old requests are accepted")
def _freshness(checked: CheckedApp) -> Iterator[Hit]:
    seconds = checked.settings(TrafficSettings).freshness.seconds
    if seconds > 300:
        yield Hit(
            key_of(TrafficSettings, "freshness"),
            f"is {seconds} s: a recorded request is accepted for so long, though it does nothing",
            "set it to 300, and keep the clocks right (NTP)",
        )
