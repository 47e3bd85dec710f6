"""Users of a wallet under test: what is sent, compared and left to them is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.transport import Call
from tests.codes import wrong_code
from tests.wallet import request_fields

MAX_SECONDS: Final = 5.0
"""The longest time that an answer may take: Alipay+ does not wait longer."""
_numbers = count()


@dataclass
class WalletUser:
    """A user to whom nothing was sent yet.

    :param outbox: returns the codes that were sent to a user.
    :param cool_down: waits until another code may be sent.
    """

    caller: AlipayPlusCaller
    outbox: Callable[[str], list[str]]
    cool_down: Callable[[], None]
    name: str = field(default_factory=lambda: f"user{next(_numbers)}")

    @property
    def messages(self) -> list[str]:
        return self.outbox(self.name)

    def send_call(self) -> Call:
        return self.caller.prepare("/sendOTP", request_fields(f"tok-{self.name}"))[0]

    def verify_call(self, request_id: str, code: str) -> Call:
        fields = request_fields(f"tok-{self.name}", verifyRequestId=request_id, otpCode=code)
        return self.caller.prepare("/verifyOTP", fields)[0]

    def answer(self, call: Call) -> AlipayPlusAnswer:
        """Deliver a call; its answer must be signed and must not take longer than MAX_SECONDS."""
        start = time.monotonic()
        answer = self.caller.deliver(call)
        assert (answer.response.status, answer.verified) == (200, True)
        assert time.monotonic() - start < MAX_SECONDS, answer.code
        return answer

    def result(self, call: Call) -> str:
        return self.answer(call).code

    def sent(self) -> tuple[str, str]:
        """Send a code, which must succeed; return request id and code."""
        self.cool_down()
        answer = self.answer(self.send_call())
        assert answer.code == "SUCCESS"
        return answer.verify_request_id, self.messages[-1]

    def verify(self, request_id: str, code: str) -> str:
        return self.result(self.verify_call(request_id, code))

    def count_tries(self, request_id: str, code: str) -> int:
        """Verify wrong codes until no more are compared; return how many were."""
        for done in range(10):
            found = self.verify(request_id, wrong_code(code, done))
            if found != "OTP_VERIFY_UNMATCHED":
                assert found == "OTP_VERIFY_TIMES_EXCEED_LIMIT"
                return done
        raise AssertionError("ten wrong codes were compared")

    def sends_left(self) -> int:
        """Send until the quota is used up; return how many were sent."""
        for done in range(10):
            self.cool_down()
            found = self.result(self.send_call())
            if found != "SUCCESS":
                assert found == "OTP_SEND_TIMES_EXCEED_LIMIT"
                return done
        raise AssertionError("ten codes were sent")
