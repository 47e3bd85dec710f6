"""The calls of the demo, in their order: by Alipay+, by a merchant, and by Google."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from flask_otp_mpp.callers import (
    AlipayPlusCaller,
    AmsCaller,
    Call,
    GoogleAnswer,
    GoogleCaller,
    SignedAnswer,
    Transport,
)

Result: TypeAlias = tuple[str, str]  # code and status; Google's status is that of HTTP

SUCCESS: Result = ("SUCCESS", "S")
UNMATCHED: Result = ("OTP_VERIFY_UNMATCHED", "F")
ALREADY_ANSWERED: Result = ("VERIFY_REQUEST_ID_INVALID", "F")
BAD_SIGNATURE: Result = ("INVALID_SIGNATURE", "F")
NO_SUCH_API: Result = ("NO_INTERFACE_DEF", "F")
MERCHANT_UNMATCHED: Result = ("VERIFY_UNMATCHED", "F")

SEALED_SUCCESS: Result = ("SUCCESS", "200")
NOT_MATCHED: Result = ("OTP_NOT_MATCHED", "200")
ALREADY_USED: Result = ("OTP_ALREADY_USED", "200")
NOT_AUTHENTICATED: Result = ("", "401")

ALIPAYPLUS = "Alipay+"
MERCHANT = "A merchant"
GOOGLE = "Google"


class DemoInterrupted(Exception):
    """Raised if the demo can't go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call with its answer, and the answer that is expected.

    :param who: the caller.
    :param action: what the caller does, for people.
    :param expected: result code and status that the answer must have.
    :param messages: how many messages the user's phone has received by then, and how many it must
        have received; None if that is not checked.
    :param http: the HTTP status that the answer must have.
    """

    who: str
    action: str
    expected: Result
    answer: SignedAnswer | GoogleAnswer
    messages: tuple[int, int] | None = None
    http: int = 200

    @property
    def got(self) -> Result:
        """Return code and status of the answer, empty where it has none."""
        return self.answer.code, str(self.answer.status)

    @property
    def signed(self) -> bool | None:
        """Tell whether the wallet's signature holds; None for an answer to Google without a body.

        Nothing is signed there. An answer of the other protocols has its signature in a header.
        """
        if isinstance(self.answer, GoogleAnswer) and not self.answer.response.body:
            return None
        return self.answer.verified

    @property
    def passed(self) -> bool:
        """Tell whether the answer is the expected one, and signed if it has what can be signed."""
        return (
            self.answer.response.status == self.http
            and self.answer.verified
            and self.got == self.expected
            and (self.messages is None or self.messages[0] == self.messages[1])
        )


def alipayplus_steps(
    alipayplus: AlipayPlusCaller, wallet: Transport, token: str, phone: str
) -> Iterator[Step]:
    """Make the calls of Alipay+, one after the other.

    :param wallet: the transport to the page that shows the phone's messages.
    :param token: an access token of the user.
    :param phone: the user's number, at which the code arrives.
    :raises DemoInterrupted: if no code is sent or none arrives.
    """
    sent = alipayplus.send(token)
    asked = Step(ALIPAYPLUS, "asks the wallet to send its user a code", SUCCESS, sent)
    yield asked
    if asked.got != SUCCESS:
        raise DemoInterrupted("no code was sent, so none can be verified")
    request_id = sent.verify_request_id
    code = _code_on(wallet, phone)
    wrong = _wrong(code)
    yield Step(
        ALIPAYPLUS,
        f"presents {wrong}, which is wrong",
        UNMATCHED,
        alipayplus.verify(token, request_id, wrong),
    )
    yield Step(
        ALIPAYPLUS,
        f"presents {code}, as the user read it on the phone",
        SUCCESS,
        alipayplus.verify(token, request_id, code),
    )
    yield Step(
        ALIPAYPLUS,
        f"presents {code} a second time",
        ALREADY_ANSWERED,
        alipayplus.verify(token, request_id, code),
    )
    yield Step(
        ALIPAYPLUS,
        "sends a request with a forged signature",
        BAD_SIGNATURE,
        alipayplus.send(token, tamper="signature"),
    )
    yield Step(
        ALIPAYPLUS,
        "calls an API that does not exist",
        NO_SUCH_API,
        alipayplus.call("/forgetOTP", {"accessToken": token}),
    )


def merchant_steps(
    merchant: AmsCaller, wallet: Transport, token: str, phone: str
) -> Iterator[Step]:
    """Make the calls of a merchant; the parameters are those of :func:`alipayplus_steps`."""
    name = f"AUTH_{secrets.token_hex(8)}"
    asked = Step(
        MERCHANT, "asks for a code, with an idempotency key", SUCCESS, merchant.init(token, name)
    )
    yield asked
    if asked.got != SUCCESS:
        raise DemoInterrupted("no code was sent, so none can be verified")
    code = _code_on(wallet, phone)
    again = merchant.init(token, name)
    yield Step(
        MERCHANT,
        "sends the same request again, as if the answer had been lost",
        SUCCESS,
        again,
        (len(_texts_on(wallet, phone)), 1),
    )
    wrong = _wrong(code)
    yield Step(
        MERCHANT,
        f"presents {wrong}, which is wrong",
        MERCHANT_UNMATCHED,
        merchant.verify(name, wrong),
    )
    yield Step(
        MERCHANT,
        f"presents {code}, as the user read it on the phone",
        SUCCESS,
        merchant.verify(name, code),
    )


def google_steps(
    caller: GoogleCaller, wallet: Transport, association: str, phone: str
) -> Iterator[Step]:
    """Make the calls of Google: by phone number first, then by association.

    :param association: the associationId of the user's account.
    """
    name = secrets.token_hex(8)
    number = phone.replace(" ", "")
    asked = Step(
        GOOGLE,
        "asks for a code for a phone number, encrypted and signed",
        SEALED_SUCCESS,
        caller.send(number, request_id=name),
    )
    yield asked
    if asked.got != SEALED_SUCCESS:
        raise DemoInterrupted("no code was sent, so none can be verified")
    code = _code_on(wallet, phone)
    again = caller.send(number, request_id=name)
    yield Step(
        GOOGLE,
        "sends the same requestId again, as if the answer had been lost",
        SEALED_SUCCESS,
        again,
        (len(_texts_on(wallet, phone)), 1),
    )
    wrong = _wrong(code)
    for action, guess, expected in (
        (f"presents {wrong}, which is wrong", wrong, NOT_MATCHED),
        (f"presents {code}, as the user read it on the phone", code, SEALED_SUCCESS),
        (f"presents {code} a second time, under another requestId", code, ALREADY_USED),
    ):
        yield Step(GOOGLE, action, expected, caller.verify(name, guess))
    yield Step(
        GOOGLE,
        "calls echo with a forged signature",
        NOT_AUTHENTICATED,
        caller.echo(tamper="signature"),
        http=401,
    )
    yield Step(
        GOOGLE,
        "asks too soon for another code, by the association",
        ("PRECONDITION_VIOLATION", "400"),
        caller.send(associationId=association),
        http=400,
    )


def _wrong(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def _code_on(wallet: Transport, phone: str) -> str:
    found = re.search(r"\d{6,}", next(iter(_texts_on(wallet, phone)), ""))
    if found is None:
        raise DemoInterrupted(f"the wallet's page /phone.json shows no code for {phone}")
    return found[0]


def _texts_on(wallet: Transport, phone: str) -> list[str]:
    """Return the messages that a phone has received, newest first."""
    page = wallet(Call("GET", "/phone.json", {}, b""))
    try:
        return [str(entry["text"]) for entry in json.loads(page.body) if entry["address"] == phone]
    except (ValueError, LookupError, TypeError):
        return []
