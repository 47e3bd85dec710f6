"""The acceptance mode: credentials that provoke each result code, for acceptance in a sandbox.

A credential that begins with ``TRIAL_`` names a user that exists only here: no hook of the host is
called for it, nothing is delivered, and its code is always the same. All else takes the way of a
real request: the store counts, limits hold, and every other credential goes to the host's hooks.
``docs/acceptance.md`` lists what provokes which code.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.codes import Codes
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.policy import Resend
from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import Sender
from flask_otp_mpp.core.settings import Faults, key_of
from flask_otp_mpp.core.users import Credential, User, Users
from flask_otp_mpp.protocols.alipay.clients import SANDBOX_CLIENT
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.web.hooks import Hooks, client_key_use
from flask_otp_mpp.web.settings import TrialSettings

TRIAL: Final = "TRIAL_"
SLOW_SECONDS: Final = 4
"""How long the delivery to a ``TRIAL_SLOW`` takes: longer than any repeat waits for it."""
_CODE: Final = "1234567890"
_SUBJECT: Final = "flask-otp-mpp trial "
_KEY: Final = key_of(TrialSettings, "trial")

_AT_LOOKUP: Final = {
    reason.name: reason
    for reason in (
        Reason.TOKEN_INVALID,
        Reason.TOKEN_EXPIRED,
        Reason.USER_MISSING,
        Reason.USER_ABNORMAL,
        Reason.ACCESS_DENIED,
        Reason.PROCESS_FAILED,
        Reason.TRAFFIC_EXCEEDED,
    )
}
_AT_DELIVERY: Final = {
    reason.name: reason for reason in (Reason.CHANNEL_UNAVAILABLE, Reason.DELIVERY_REFUSED)
}
_NAME: Final = re.compile(
    rf"{TRIAL}(?P<later>THEN_)?"
    rf"(?P<deed>{'|'.join((*_AT_LOOKUP, *_AT_DELIVERY))}|UNFORESEEN|DELIVERY_UNKNOWN|SLOW|USER)"
    r"(_[A-Za-z0-9-]{1,32})?"
)


@dataclass(frozen=True, slots=True)
class TrialUser:
    """A user of a trial.

    :param deed: what happens to requests for the user: the name of a reason, ``DELIVERY_UNKNOWN``,
        ``SLOW``, or ``USER`` for nothing.
    :param later: whether it happens only when a code is verified.
    """

    subject: str
    deed: str
    later: bool

    @classmethod
    def named(cls, name: str) -> TrialUser | None:
        """Return the user of a credential; None if it names none."""
        found = _NAME.fullmatch(name)
        return found and cls(_SUBJECT + name, found["deed"], found["later"] is not None)

    def look_up(self) -> None:
        """Do what a loader of a host may do."""
        if self.deed == Reason.UNFORESEEN.name:
            raise RuntimeError("this error was asked for by a credential of a trial")
        if self.deed in _AT_LOOKUP:
            refuse(_AT_LOOKUP[self.deed])

    def deliver(self) -> None:
        """Do what a sender of a host may do."""
        if self.deed == "DELIVERY_UNKNOWN":
            raise TimeoutError("this time-out was asked for by a credential of a trial")
        if self.deed == "SLOW":
            time.sleep(SLOW_SECONDS)
        if self.deed in _AT_DELIVERY:
            refuse(_AT_DELIVERY[self.deed])


def accepted_code(digits: int) -> str:
    """Return the code of every user of a trial."""
    return _CODE[:digits]


class TrialCodes(Codes):
    """Codes of which those of trial users are always accepted as the first digits of 1234567890.

    All codes are derived from their challenge, for the code that a trial user does not get must be
    found again.
    """

    def __init__(self, peppers: Sequence[Secret[bytes]], digits: int, resend: Resend) -> None:
        del resend
        super().__init__(peppers, digits, Resend.REUSE)
        self._accepted = accepted_code(digits)

    def candidates(
        self, challenge_id: str, subject: str, caller: str, code: Secret[str]
    ) -> tuple[bytes, ...]:
        if subject.startswith(_SUBJECT) and code.reveal() == self._accepted:
            code = self.generate(challenge_id)
        return super().candidates(challenge_id, subject, caller, code)


class TrialUsers(Users):
    """The users of trials, and those that the host's hooks find."""

    def load(self, credential: Credential, caller: Caller) -> tuple[Secret[User], str]:
        if not credential.reveal().startswith(TRIAL):
            return super().load(credential, caller)
        user = TrialUser.named(credential.reveal())
        if user is None:
            refuse(credential.missing)
        if not user.later:
            user.look_up()
        return Secret(user), user.subject

    def confirm(self, subject: str, caller: Caller) -> None:
        user = TrialUser.named(subject.removeprefix(_SUBJECT))
        if user is None or not subject.startswith(_SUBJECT):
            super().confirm(subject, caller)
        elif user.later:
            user.look_up()


def trial_sender(sender: Sender) -> Sender:
    """Return a sender that delivers nothing to users of trials."""

    def send(user: User, message: Message) -> None:
        if isinstance(user, TrialUser):
            user.deliver()
            return
        given = Secret((user, message))  # the sender may look at the stack
        del user, message
        sender(*given.reveal())

    return send


def check_trial(protocols: Iterable[WireProtocol], hooks: Hooks, faults: Faults) -> None:
    """See that no caller of production can use the credentials of trials."""
    advice = "set it to false, or configure clients of the sandbox only"
    for protocol in protocols:
        if hooks.client_key(type(protocol)) is not None:
            use = client_key_use(type(protocol))
            faults.append((_KEY, f"is on, and {use} may know clients of production; {advice}"))
        faults.extend(
            (_KEY, f"is on, and {name!r} is no client of the sandbox; {advice}")
            for name in protocol.client_names
            if not name.startswith(SANDBOX_CLIENT)
        )
