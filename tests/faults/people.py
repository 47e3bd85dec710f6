"""People ask a wallet for codes, in a way that counts: what is sent, tried and left for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.transport import Call

BOUND: Final = 5.0
"""Seconds after which Alipay+ is planned to wait no longer."""
_numbers = count()


def wrong(code: str, by: int) -> str:
    """Return a code that is wrong, another one for each number."""
    return f"{(int(code) + 1 + by) % 10**6:06d}"


@dataclass
class Someone:
    """Be a user to whom nothing was sent yet.

    :param outbox: tells which codes went out to a user.
    :param cool_down: lets the time pass after which another code may be sent.
    """

    caller: AlipayPlusCaller
    outbox: Callable[[str], list[str]]
    cool_down: Callable[[], None]
    name: str = field(default_factory=lambda: f"someone{next(_numbers)}")

    @property
    def messages(self) -> list[str]:
        return self.outbox(self.name)

    def sending(self) -> Call:
        return self.caller.prepare("/sendOTP", self.caller._common(f"tok-{self.name}"))[0]

    def verifying(self, request_id: str, code: str) -> Call:
        fields = {"verifyRequestId": request_id, "otpCode": code}
        common = self.caller._common(f"tok-{self.name}")
        return self.caller.prepare("/verifyOTP", {**common, **fields})[0]

    def answer(self, call: Call) -> AlipayPlusAnswer:
        """Deliver a call; its answer must be signed and come in time."""
        start = time.monotonic()
        answer = self.caller.deliver(call)
        assert (answer.response.status, answer.verified) == (200, True)
        assert time.monotonic() - start < BOUND, answer.code
        return answer

    def told(self, call: Call) -> str:
        return self.answer(call).code

    def sent(self) -> tuple[str, str]:
        """Send a code that must go out; return request id and code."""
        self.cool_down()
        answer = self.answer(self.sending())
        assert answer.code == "SUCCESS"
        return answer.verify_request_id, self.messages[-1]

    def tried(self, request_id: str, code: str) -> str:
        return self.told(self.verifying(request_id, code))

    def tries(self, request_id: str, code: str) -> int:
        """Try wrong codes until no more are compared; return how many were."""
        for done in range(10):
            found = self.tried(request_id, wrong(code, done))
            if found != "OTP_VERIFY_UNMATCHED":
                assert found == "OTP_VERIFY_TIMES_EXCEED_LIMIT"
                return done
        raise AssertionError("there is no end to it")

    def sends_left(self) -> int:
        """Send until the quota is used up; return how many were sent."""
        for done in range(10):
            self.cool_down()
            found = self.told(self.sending())
            if found != "SUCCESS":
                assert found == "OTP_SEND_TIMES_EXCEED_LIMIT"
                return done
        raise AssertionError("there is no end to it")
