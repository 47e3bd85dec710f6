"""Where Alipay+ and AMS differ: paths, fields and result codes, as their documents have them.

They stand here once more, beside those of the package's own server: a kit that read its tables
from the server that it tests would find no fault in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.target import SignedClient


class Api(StrEnum):
    """Name an API by what it does."""

    SEND = "send"
    VERIFY = "verify"


class Means(StrEnum):
    """Name what a result code says; each protocol has its own words for it."""

    SUCCESS = "success"
    WRONG_CODE = "wrong code"
    ATTEMPTS_SPENT = "attempts used up"
    ID_NOT_USABLE = "no such challenge"
    TOKEN_INVALID = "invalid token"  # noqa: S105 - no token
    TOKEN_EXPIRED = "expired token"  # noqa: S105 - no token
    CLIENT_UNKNOWN = "unknown client"
    BAD_SIGNATURE = "bad signature"
    KEY_NOT_FOUND = "no such key"
    NO_API = "no such API"
    METHOD = "method not supported"
    MEDIA_TYPE = "media type not acceptable"
    PARAMETER = "illegal parameter"
    USER_MISSING = "no such user"
    USER_ABNORMAL = "user status abnormal"
    SEND_LIMIT = "too many messages"
    ACCESS_DENIED = "access denied"
    TRAFFIC = "too much traffic"
    UNKNOWN = "unknown exception"
    PROCESS_FAIL = "process failed"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a request.

    :param longest: in characters.
    :param values: those that it can have; none if it is free.
    """

    name: str
    longest: int
    required: bool = True
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is particular to a protocol.

    :param name: as its documents call it.
    :param paths: the usual ones, below the base URL, first the one that sends.
    :param names: of its APIs, in the same order.
    :param codes: the result codes by what they mean; where the document leaves a choice, several.
    :param send: makes the fields that ask for a code, of client, credential, challenge and
        whether it goes to the e-mail address.
    :param verify: makes the fields of an attempt, of client, credential, challenge and code.
    :param challenge_in: the field of the send's answer (Alipay+) or request (AMS) that names the
        challenge.
    """

    wire: Wire
    name: str
    paths: tuple[str, str]
    names: tuple[str, str]
    codes: Mapping[Means, tuple[str, ...]]
    fields: Mapping[Api, tuple[Field, ...]]
    send: Callable[[SignedClient, str, str, bool], dict[str, Any]]
    verify: Callable[[SignedClient, str, str, str], dict[str, Any]]
    challenge_in: str


def _alipayplus_send(client: SignedClient, token: str, _: str, email: bool) -> dict[str, Any]:  # noqa: FBT001 - as Dialect.send has it
    ids = {"acquirerId": client.acquirer, "pspId": client.psp, "accessToken": token}
    return {**ids, "verifyType": "EMAIL"} if email else ids


def _alipayplus_verify(client: SignedClient, token: str, sent: str, code: str) -> dict[str, Any]:
    ids = {"acquirerId": client.acquirer, "pspId": client.psp, "accessToken": token}
    return {**ids, "verifyRequestId": sent, "otpCode": code}


def _ams_init(_: SignedClient, token: str, request: str, email: bool) -> dict[str, Any]:  # noqa: FBT001 - as Dialect.send has it
    return {
        "authenticationType": "OTP",
        "authenticationRequestId": request,
        "authenticationChannelType": "EMAIL" if email else "SMS",
        "userIdentityType": "WALLET_TOKEN",
        "userIdentityValue": token,
    }


def _ams_verify(_: SignedClient, __: str, sent: str, code: str) -> dict[str, Any]:
    return {
        "authenticationType": "OTP",
        "authenticationRequestId": sent,
        "authenticationValue": code,
    }


_COMMON: Final = {
    Means.SUCCESS: ("SUCCESS",),
    Means.KEY_NOT_FOUND: ("KEY_NOT_FOUND",),
    Means.METHOD: ("METHOD_NOT_SUPPORTED",),
    Means.MEDIA_TYPE: ("MEDIA_TYPE_NOT_ACCEPTABLE",),
    Means.PARAMETER: ("PARAM_ILLEGAL",),
    Means.USER_MISSING: ("USER_NOT_EXIST",),
    Means.USER_ABNORMAL: ("USER_STATUS_ABNORMAL",),
    Means.ACCESS_DENIED: ("ACCESS_DENIED",),
    Means.TRAFFIC: ("REQUEST_TRAFFIC_EXCEED_LIMIT",),
    Means.UNKNOWN: ("UNKNOWN_EXCEPTION",),
    Means.PROCESS_FAIL: ("PROCESS_FAIL",),
}
_IDS: Final = (Field("acquirerId", 64), Field("pspId", 64), Field("accessToken", 128))

ALIPAYPLUS: Final = Dialect(
    wire=Wire.ALIPAYPLUS,
    name="Alipay+",
    paths=("/aps/api/v1/users/sendOTP", "/aps/api/v1/users/verifyOTP"),
    names=("sendOTP", "verifyOTP"),
    codes={
        **_COMMON,
        Means.WRONG_CODE: ("OTP_VERIFY_UNMATCHED",),
        Means.ATTEMPTS_SPENT: ("OTP_VERIFY_TIMES_EXCEED_LIMIT",),
        Means.ID_NOT_USABLE: ("VERIFY_REQUEST_ID_INVALID",),
        Means.TOKEN_INVALID: ("INVALID_TOKEN",),
        Means.TOKEN_EXPIRED: ("EXPIRED_ACCESS_TOKEN",),
        Means.CLIENT_UNKNOWN: ("INVALID_CLIENT",),
        Means.BAD_SIGNATURE: ("INVALID_SIGNATURE",),
        Means.NO_API: ("NO_INTERFACE_DEF",),
        Means.SEND_LIMIT: ("OTP_SEND_TIMES_EXCEED_LIMIT",),
    },
    fields={
        Api.SEND: (*_IDS, Field("verifyType", 16, required=False, values=("MOBILE", "EMAIL"))),
        Api.VERIFY: (*_IDS, Field("verifyRequestId", 64), Field("otpCode", 32)),
    },
    send=_alipayplus_send,
    verify=_alipayplus_verify,
    challenge_in="verifyRequestId",
)

_TYPE: Final = Field("authenticationType", 16, values=("OTP",))
AMS: Final = Dialect(
    wire=Wire.AMS,
    name="AMS",
    paths=("/ams/api/v1/users/initAuthentication", "/ams/api/v1/users/verifyAuthentication"),
    names=("initAuthentication", "verifyAuthentication"),
    codes={
        **_COMMON,
        Means.WRONG_CODE: ("VERIFY_UNMATCHED",),
        Means.ATTEMPTS_SPENT: ("VERIFY_TIMES_EXCEED_LIMIT",),
        Means.ID_NOT_USABLE: ("AUTHENTICATION_REQUEST_ID_INVALID",),
        Means.TOKEN_INVALID: ("INVALID_ACCESS_TOKEN",),
        Means.TOKEN_EXPIRED: ("INVALID_ACCESS_TOKEN",),
        Means.CLIENT_UNKNOWN: ("CLIENT_INVALID",),
        Means.BAD_SIGNATURE: ("SIGNATURE_INVALID",),
        Means.NO_API: ("API_INVALID",),
        # No document names the code of the send limit.
        Means.SEND_LIMIT: ("PROCESS_FAIL", "AUTHENTICATION_TIMES_EXCEED_LIMIT"),
    },
    fields={
        Api.SEND: (
            _TYPE,
            Field("authenticationRequestId", 64),
            Field("authenticationChannelType", 16, values=("SMS", "EMAIL")),
            Field("userIdentityType", 16, values=("WALLET_TOKEN",)),
            Field("userIdentityValue", 128),
        ),
        Api.VERIFY: (
            _TYPE,
            Field("authenticationRequestId", 64),
            Field("authenticationValue", 256),
        ),
    },
    send=_ams_init,
    verify=_ams_verify,
    challenge_in="authenticationRequestId",
)
DIALECTS: Final = {one.wire: one for one in (ALIPAYPLUS, AMS)}
UNDECIDED: Final = frozenset({Means.TRAFFIC, Means.UNKNOWN})
"""Their status is U: the caller may try again. SUCCESS has S, all others F."""
