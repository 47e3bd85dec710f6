"""The story of one code, as Alipay+ lives through it: what it asks and what it must be answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller, Answer
from flask_otp_mpp.callers.transport import Call, Transport

Result: TypeAlias = tuple[str, str]  # resultCode and resultStatus

SUCCESS: Result = ("SUCCESS", "S")
UNMATCHED: Result = ("OTP_VERIFY_UNMATCHED", "F")
USED_UP: Result = ("VERIFY_REQUEST_ID_INVALID", "F")
FORGED: Result = ("INVALID_SIGNATURE", "F")
NO_SUCH_API: Result = ("NO_INTERFACE_DEF", "F")


class BrokenOff(Exception):
    """Say why the story could not be told to its end."""


@dataclass(frozen=True, slots=True)
class Step:
    """Hold one thing that Alipay+ did, and the answer beside the one that it must get."""

    deed: str
    expected: Result
    answer: Answer

    @property
    def got(self) -> Result:
        """Return the result that the answer holds, empty if it has none."""
        return self.answer.code, self.answer.status

    @property
    def holds(self) -> bool:
        """Tell whether the answer is the expected one, over HTTP 200, and signed by the wallet."""
        return (
            self.answer.response.status == 200
            and self.answer.verified
            and self.got == self.expected
        )


def tell(alipayplus: AlipayPlusCaller, wallet: Transport, token: str, phone: str) -> Iterator[Step]:
    """Play the story, one step after the other.

    :param wallet: how the page with the phone's messages is reached.
    :param token: an access token of the user.
    :param phone: the user's number, at which the code arrives.
    :raises BrokenOff: if no code is sent or none arrives.
    """
    asked = Step("asks the wallet to send its user a code", SUCCESS, alipayplus.send(token))
    yield asked
    if asked.got != SUCCESS:
        raise BrokenOff("no code was sent, so none can be verified")
    request_id = asked.answer.verify_request_id
    code = _read_code(wallet, phone)
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    yield Step(
        f"presents {wrong}, which is wrong",
        UNMATCHED,
        alipayplus.verify(token, request_id, wrong),
    )
    yield Step(
        f"presents {code}, as the user read it on the phone",
        SUCCESS,
        alipayplus.verify(token, request_id, code),
    )
    yield Step(
        f"presents {code} a second time",
        USED_UP,
        alipayplus.verify(token, request_id, code),
    )
    yield Step(
        "sends a request whose signature was forged",
        FORGED,
        alipayplus.send(token, tamper="signature"),
    )
    yield Step(
        "calls an API that there is not",
        NO_SUCH_API,
        alipayplus.call("/forgetOTP", {"accessToken": token}),
    )


def _read_code(wallet: Transport, phone: str) -> str:
    page = wallet(Call("GET", "/phone.json", {}, b""))
    try:
        texts = [entry["text"] for entry in json.loads(page.body) if entry["address"] == phone]
        code: str = re.findall(r"\d{6,}", texts[0])[0]
    except (ValueError, LookupError, TypeError):
        raise BrokenOff(f"the wallet's page /phone.json shows no code for {phone}") from None
    return code
