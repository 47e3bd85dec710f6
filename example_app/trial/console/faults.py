"""The faults that a caller can put into its requests, one at a time, and why each is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from flask_otp_mpp import AlipayPlus, Ams, GoogleStandardPayments, Operation

ALIPAYPLUS: Final = AlipayPlus.name
AMS: Final = Ams.name
GOOGLE: Final = GoogleStandardPayments.name

Operations: TypeAlias = frozenset[Operation]
SEND: Final[Operations] = frozenset({Operation.SEND})
VERIFY: Final[Operations] = frozenset({Operation.VERIFY})
BOTH: Final = SEND | VERIFY
EVERYWHERE: Final[Mapping[str, Operations]] = {ALIPAYPLUS: BOTH, AMS: BOTH, GOOGLE: BOTH}
BURST_LIMIT: Final = "30 per minute"
"""The traffic limit that a burst reaches; the wallet's own is much higher."""


class Manner(StrEnum):
    """How often a request is made, and with what."""

    ONCE = "once"
    TWICE = "twice"
    BURST = "burst"
    WRONG_CODES = "wrong codes"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a caller does wrong, or an attacker does to it.

    :param does: what is done to the request.
    :param why: why the wallet answers as it does.
    :param where: the operations that can have it, by protocol.
    :param signed: the fault as the callers of Alipay+ and AMS know it, None if they do not.
    :param sealed: the fault as Google's caller knows it.
    :param empties: whether the field that matters is sent empty.
    :param stranger: whether the request names a client that the wallet does not know.
    :param foreign_token: whether the token was made for another client.
    :param why_at: another reason than ``why``, by protocol.
    """

    id: str
    label: str
    does: str
    why: str
    where: Mapping[str, Operations]
    signed: Literal["key", "stale", "body"] | None = None
    sealed: Literal["signature", "stale", "encryption"] | None = None
    empties: bool = False
    stranger: bool = False
    foreign_token: bool = False
    manner: Manner = Manner.ONCE
    why_at: Mapping[str, str] = field(default_factory=dict)

    def reason(self, protocol: str) -> str:
        """Return why a protocol answers this fault as it does."""
        return self.why_at.get(protocol, self.why)


NONE: Final = Fault(
    "none",
    "No fault",
    "The request is as the documents want it.",
    "",
    EVERYWHERE,
)

FAULTS: Final[Sequence[Fault]] = (
    NONE,
    Fault(
        "wrong-key",
        "Wrong key",
        "The request is signed by a new private key that belongs to nobody.",
        "The wallet has the client's public key, and the signature does not match it.",
        EVERYWHERE,
        signed="key",
        sealed="signature",
        why_at={
            GOOGLE: "No key of Google's has signed it. Who has proven nothing gets a status "
            "without a body."
        },
    ),
    Fault(
        "stale-time",
        "Stale time",
        "The request is dated one hour ago, and signed with that date.",
        "The signature holds, but the time is too far from now. So nobody can use a recorded "
        "request later.",
        EVERYWHERE,
        signed="stale",
        sealed="stale",
    ),
    Fault(
        "altered-body",
        "Altered body",
        "The body is changed by one character after it was signed.",
        "The signature covers every byte of the body, so it does not match the changed one.",
        EVERYWHERE,
        signed="body",
        sealed="encryption",
        why_at={
            GOOGLE: "The encryption protects every character. What is changed can't be decrypted, "
            "and is answered without a body."
        },
    ),
    Fault(
        "empty-field",
        "Empty field",
        "The field with the user, or with the code, is sent empty. The signature is right.",
        "The caller is proven, and then the fields are read. The answer names the field and its "
        "rule, never the value.",
        EVERYWHERE,
        empties=True,
    ),
    Fault(
        "unknown-client",
        "Unknown client",
        "The request names a client that the wallet does not know.",
        "The wallet looks up the client first. It has no key with which to check the signature.",
        {ALIPAYPLUS: BOTH, AMS: BOTH},
        stranger=True,
    ),
    Fault(
        "foreign-token",
        "Another merchant's token",
        "The token is genuine, but it was made for another client.",
        "A token is made for one client. Any other client that presents it gets the answer for an "
        "invalid token.",
        {ALIPAYPLUS: BOTH, AMS: SEND},
        foreign_token=True,
    ),
    Fault(
        "twice",
        "Same request twice",
        "The same request is sent a second time, as if the first answer had been lost.",
        "The repeat gets the stored answer, and nothing is done again.",
        EVERYWHERE,
        manner=Manner.TWICE,
        why_at={
            ALIPAYPLUS: "Alipay+ has no idempotency key: a repeat has the same bytes. It gets the "
            "stored answer, and nothing is done again.",
            AMS: "A send is known by its authenticationRequestId, and its repeat is signed again. "
            "An attempt has no such id, and its repeat has the same bytes. Both get the stored "
            "answer.",
            GOOGLE: "The requestId is the idempotency key. The repeat is signed and encrypted "
            "again. It gets the stored result, and nothing is done again.",
        },
    ),
    Fault(
        "wrong-codes",
        "Five wrong codes",
        "Five codes that differ from yours are tried before yours.",
        "A code has five tries. They are used up, so the right code is refused too.",
        dict.fromkeys((ALIPAYPLUS, AMS, GOOGLE), VERIFY),
        manner=Manner.WRONG_CODES,
        why_at={
            GOOGLE: "A code has five tries. They are used up, so the right code is refused too. "
            "Google has one result for all of that."
        },
    ),
    Fault(
        "burst",
        "A burst",
        "Requests for a user who does not exist are sent until the traffic limit refuses one. They "
        f"go to a second app of this wallet, with a limit of {BURST_LIMIT} for a client.",
        "The traffic of a client is counted once its signature holds. Above the limit nothing "
        "more is done. The setting is OTP_MPP_CLIENT_LIMIT.",
        dict.fromkeys((ALIPAYPLUS, AMS, GOOGLE), SEND),
        manner=Manner.BURST,
    ),
)


def faults_at(protocol: str, operation: Operation) -> Sequence[Fault]:
    """Return the faults that a request can have."""
    return [one for one in FAULTS if operation in one.where.get(protocol, ())]


def fault_named(name: str, protocol: str, operation: Operation) -> Fault:
    """Return the fault with an id; no fault if the request can't have it."""
    return next((one for one in faults_at(protocol, operation) if one.id == name), NONE)
