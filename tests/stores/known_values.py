"""Known values that pass through every method of a store, so that a test can search for them."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.testing import FrozenClock
from tests.codes import LONG_CODE
from tests.core.builders import KEEP, PEPPER, Harness, reason

TOKEN: Final = "canary-token-281010033AB2F588"
PHONE: Final = "+49 170 1234567"
EMAIL: Final = "canary@example.com"
KNOWN: Final = (TOKEN, PHONE, EMAIL, PEPPER.decode())
DETAIL: Final = "the provider said no"


class User:
    id = "u-4711"
    phone = PHONE
    email = EMAIL


def use_every_method(store: Store, clock: FrozenClock, resend: Resend) -> list[str]:
    """Send five codes that are mistyped and then typed, and one that the provider refuses.

    :returns: every code that was sent or typed; six challenges were made.
    """
    harness = Harness(
        Policy(digits=LONG_CODE, resend=resend),
        clock,
        store,
        load_user=lambda token: User() if token == TOKEN else None,
        identify=lambda user: str(user.id),
    )
    typed = []
    for number in range(5):
        sent = harness.send(TOKEN, request=IdempotencyKey(f"send-{number}", KEEP))
        typed.append(harness.wrong())
        assert reason(harness.verify, sent.challenge_id, typed[-1], TOKEN) is Reason.CODE_UNMATCHED
        harness.verify(sent.challenge_id, harness.inbox.code, TOKEN)
        clock.forward(minutes=5)

    def refusing(user: User, message: Message) -> None:
        harness.inbox(user, message)
        raise Refused(Reason.DELIVERY_REFUSED, DETAIL)

    last = Harness(
        Policy(digits=LONG_CODE),
        clock,
        store,
        {Channel.EMAIL: refusing},
        harness.load_user,
        identify=harness.identify,
    )
    assert reason(last.send, TOKEN, channel=Channel.EMAIL) is Reason.DELIVERY_REFUSED
    codes = [message.code for _, message in harness.inbox.received] + typed
    assert len(set(codes)) >= 8
    return codes
