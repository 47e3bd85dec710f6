"""The stories of three codes, as those who ask for them live through them."""

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
USED_UP: Result = ("VERIFY_REQUEST_ID_INVALID", "F")
FORGED: Result = ("INVALID_SIGNATURE", "F")
NO_SUCH_API: Result = ("NO_INTERFACE_DEF", "F")
MERCHANT_UNMATCHED: Result = ("VERIFY_UNMATCHED", "F")

SEALED_SUCCESS: Result = ("SUCCESS", "200")
NOT_MATCHED: Result = ("OTP_NOT_MATCHED", "200")
ALREADY_USED: Result = ("OTP_ALREADY_USED", "200")
STRANGER: Result = ("", "401")

ALIPAYPLUS = "Alipay+"
MERCHANT = "A merchant"
GOOGLE = "Google"


class BrokenOff(Exception):
    """Say why the story could not be told to its end."""


@dataclass(frozen=True, slots=True)
class Step:
    """Hold one thing that somebody did, and the answer beside the one that they must get.

    :param http: the HTTP status that the answer must have.
    :param messages: if that matters, how many messages the user's phone had received by then, and
        how many it should have.
    """

    who: str
    deed: str
    expected: Result
    answer: SignedAnswer | GoogleAnswer
    messages: tuple[int, int] | None = None
    http: int = 200

    @property
    def got(self) -> Result:
        """Return the result that the answer holds, empty if it has none."""
        return self.answer.code, str(self.answer.status)

    @property
    def holds(self) -> bool:
        """Tell whether the answer is the expected one, and signed by the wallet, or bare if due."""
        return (
            self.answer.response.status == self.http
            and self.answer.verified
            and self.got == self.expected
            and (self.messages is None or self.messages[0] == self.messages[1])
        )


def tell(alipayplus: AlipayPlusCaller, wallet: Transport, token: str, phone: str) -> Iterator[Step]:
    """Play the story of Alipay+, one step after the other.

    :param wallet: how the page with the phone's messages is reached.
    :param token: an access token of the user.
    :param phone: the user's number, at which the code arrives.
    :raises BrokenOff: if no code is sent or none arrives.
    """
    sent = alipayplus.send(token)
    asked = Step(ALIPAYPLUS, "asks the wallet to send its user a code", SUCCESS, sent)
    yield asked
    if asked.got != SUCCESS:
        raise BrokenOff("no code was sent, so none can be verified")
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
        USED_UP,
        alipayplus.verify(token, request_id, code),
    )
    yield Step(
        ALIPAYPLUS,
        "sends a request whose signature was forged",
        FORGED,
        alipayplus.send(token, tamper="signature"),
    )
    yield Step(
        ALIPAYPLUS,
        "calls an API that there is not",
        NO_SUCH_API,
        alipayplus.call("/forgetOTP", {"accessToken": token}),
    )


def tell_of_merchant(
    merchant: AmsCaller, wallet: Transport, token: str, phone: str
) -> Iterator[Step]:
    """Play the story of a merchant: the same as :func:`tell` for another user and protocol."""
    name = f"AUTH_{secrets.token_hex(8)}"
    asked = Step(
        MERCHANT, "asks for a code, under a name of its own", SUCCESS, merchant.init(token, name)
    )
    yield asked
    if asked.got != SUCCESS:
        raise BrokenOff("no code was sent, so none can be verified")
    code = _code_on(wallet, phone)
    again = merchant.init(token, name)
    yield Step(
        MERCHANT,
        "asks again under that name, as if the answer had got lost",
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


def tell_of_google(
    caller: GoogleCaller, wallet: Transport, association: str, phone: str
) -> Iterator[Step]:
    """Play the story of Google: by number at first, by the association after a while.

    :param association: by which Google names the user once their account is associated.
    """
    name = secrets.token_hex(8)
    number = phone.replace(" ", "")
    asked = Step(
        GOOGLE,
        "asks for a code for a number, in an envelope",
        SEALED_SUCCESS,
        caller.send(number, request_id=name),
    )
    yield asked
    if asked.got != SEALED_SUCCESS:
        raise BrokenOff("no code was sent, so none can be verified")
    code = _code_on(wallet, phone)
    again = caller.send(number, request_id=name)
    yield Step(
        GOOGLE,
        "asks again under that requestId, as if the answer had got lost",
        SEALED_SUCCESS,
        again,
        (len(_texts_on(wallet, phone)), 1),
    )
    wrong = _wrong(code)
    for deed, guess, expected in (
        (f"presents {wrong}, which is wrong", wrong, NOT_MATCHED),
        (f"presents {code}, as the user read it on the phone", code, SEALED_SUCCESS),
        (f"presents {code} a second time, under another requestId", code, ALREADY_USED),
    ):
        yield Step(GOOGLE, deed, expected, caller.verify(name, guess))
    yield Step(
        GOOGLE,
        "echoes a word in an envelope whose signature was forged",
        STRANGER,
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
        raise BrokenOff(f"the wallet's page /phone.json shows no code for {phone}")
    return found[0]


def _texts_on(wallet: Transport, phone: str) -> list[str]:
    """Return what a phone has received, newest first."""
    page = wallet(Call("GET", "/phone.json", {}, b""))
    try:
        return [str(entry["text"]) for entry in json.loads(page.body) if entry["address"] == phone]
    except (ValueError, LookupError, TypeError):
        return []
