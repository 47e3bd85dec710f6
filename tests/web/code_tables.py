"""The result codes of Alipay+ and AMS: one table for each, with what a caller does to get each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask_otp_mpp import Operation, Reason, refuse
from flask_otp_mpp.callers.ams import PREFIX, SANDBOX_PREFIX
from flask_otp_mpp.callers.signed import SignedAnswer
from tests.ams import OTHER, SANDBOXED
from tests.web.causes import (
    BOTH,
    SEND,
    VERIFY,
    AmsSide,
    Cause,
    Row,
    Side,
    code_before_a_newer_one,
    code_without_tries,
    expired_code,
    long_body,
    request,
    right_code,
    send_during_the_cool_down,
    too_many_requests,
    unknown_path,
    used_code,
    verifying,
    with_wrong_code,
    wrong_answers,
)


def code_of_a_locked_user(side: Side) -> tuple[str, str]:
    """Use up the failures that a user may have at one client."""
    for _challenge in range(2):
        request_id, code = side.sent()
        wrong_answers(side, request_id, code)
    assert side.send().code == "OTP_SEND_TIMES_EXCEED_LIMIT"
    return request_id, code


def code_with_a_space(side: Side) -> tuple[str, str]:
    request_id, code = side.sent()
    return request_id, f" {code}"


ALIPAYPLUS: Final[list[Row]] = [
    ("SUCCESS", [SEND], request()),
    ("SUCCESS", [VERIFY], verifying(right_code)),
    ("ACCESS_DENIED", BOTH, request(tamper="stale")),
    ("ACCESS_DENIED", BOTH, request(acquirerId="1022188000000009999")),
    ("ACCESS_DENIED", BOTH, request(token="barred")),
    ("EXPIRED_ACCESS_TOKEN", BOTH, request(token="expired")),
    ("INVALID_CLIENT", BOTH, request(tamper="client")),
    ("INVALID_CLIENT", BOTH, request(tamper="no-client")),
    ("INVALID_CLIENT", BOTH, request(pspId="another wallet's")),
    ("INVALID_SIGNATURE", BOTH, request(tamper="body")),
    ("INVALID_TOKEN", BOTH, request(token="nobody's token")),
    ("INVALID_TOKEN", BOTH, request(token="unscoped")),
    ("KEY_NOT_FOUND", BOTH, request(tamper="key-version")),
    ("MEDIA_TYPE_NOT_ACCEPTABLE", BOTH, request(tamper="media-type")),
    ("METHOD_NOT_SUPPORTED", BOTH, request(tamper="method")),
    ("NO_INTERFACE_DEF", BOTH, unknown_path),
    ("PARAM_ILLEGAL", BOTH, request(accessToken=12)),
    ("PARAM_ILLEGAL", BOTH, long_body),
    ("PARAM_ILLEGAL", [SEND], request(verifyType="PIGEON")),
    ("PARAM_ILLEGAL", [SEND], request(token="tok-unreachable")),
    ("PROCESS_FAIL", [SEND], request(token="tok-blocked")),
    ("PROCESS_FAIL", BOTH, request(token="failing")),
    ("USER_NOT_EXIST", BOTH, request(token="gone")),
    ("USER_STATUS_ABNORMAL", BOTH, request(token="frozen")),
    ("REQUEST_TRAFFIC_EXCEED_LIMIT", BOTH, too_many_requests),
    ("UNKNOWN_EXCEPTION", BOTH, request(token="tok-crash")),
    ("UNKNOWN_EXCEPTION", [SEND], request(token="tok-timeout")),
    ("OTP_SEND_TIMES_EXCEED_LIMIT", [SEND], send_during_the_cool_down),
    ("OTP_VERIFY_UNMATCHED", [VERIFY], verifying(with_wrong_code)),
    ("PARAM_ILLEGAL", [VERIFY], verifying(code_with_a_space)),
    ("OTP_VERIFY_TIMES_EXCEED_LIMIT", [VERIFY], verifying(code_without_tries)),
    ("OTP_VERIFY_TIMES_EXCEED_LIMIT", [VERIFY], verifying(code_of_a_locked_user)),
    ("VERIFY_REQUEST_ID_INVALID", [VERIFY], request()),
    ("VERIFY_REQUEST_ID_INVALID", [VERIFY], verifying(used_code)),
    ("VERIFY_REQUEST_ID_INVALID", [VERIFY], verifying(expired_code)),
    ("VERIFY_REQUEST_ID_INVALID", [VERIFY], verifying(code_before_a_newer_one)),
    ("VERIFY_REQUEST_ID_INVALID", [VERIFY], lambda s, _: s.verify(*s.sent(), token="tok-bob")),
]


def from_the_other_prefix(client: dict[str, str]) -> Cause:
    """Call as a client that the prefix is not for."""

    def act(side: AmsSide, operation: Operation) -> SignedAnswer:
        side.shop.caller = side.shop.calling(side.transport, **client)
        return side.ask(operation)

    return act


def meanwhile(still_served: Callable[[], str | None]) -> Cause:
    """Verify the right code after the host has changed its mind about the user."""

    def act(side: AmsSide, _: Operation) -> SignedAnswer:
        sent = side.sent()
        side.shop.meanwhile["ada"] = still_served
        return side.verify(*sent)

    return act


def refusing(reason: Reason) -> Cause:
    return meanwhile(lambda: refuse(reason))


def crash() -> str | None:
    raise ConnectionError("the user database is away")


def used_request_id(side: AmsSide, _: Operation) -> SignedAnswer:
    request_id, _code = side.sent()
    return side.shop.init("tok-bob", request_id)


def open_code_of_a_locked_user(side: Side) -> tuple[str, str]:
    """Use up the failures that a user may have on one channel; a code on the other one is left."""
    by_mail = side.sent(channel="EMAIL")
    for _challenge in range(2):
        wrong_answers(side, *side.sent())
    return by_mail


def code_of_another_client(side: AmsSide, _: Operation) -> SignedAnswer:
    sent = side.sent()
    return side.shop.calling(side.transport, client_id=OTHER).verify(*sent)


def code_that_was_not_delivered(side: AmsSide) -> tuple[str, str]:
    return side.shop.init("tok-blocked").request_id, "123456"


AMS: Final[list[Row]] = [
    ("SUCCESS", [SEND], request()),
    ("SUCCESS", [SEND], request(channel="EMAIL")),
    ("SUCCESS", [VERIFY], verifying(right_code)),
    ("ACCESS_DENIED", BOTH, request(tamper="stale")),
    ("ACCESS_DENIED", BOTH, from_the_other_prefix({"prefix": SANDBOX_PREFIX})),
    ("ACCESS_DENIED", BOTH, from_the_other_prefix({"client_id": SANDBOXED, "prefix": PREFIX})),
    ("ACCESS_DENIED", [SEND], request(token="barred")),
    ("ACCESS_DENIED", [VERIFY], refusing(Reason.ACCESS_DENIED)),
    ("API_INVALID", BOTH, unknown_path),
    ("CLIENT_INVALID", BOTH, request(tamper="client")),
    ("CLIENT_INVALID", BOTH, request(tamper="no-client")),
    ("SIGNATURE_INVALID", BOTH, request(tamper="body")),
    ("SIGNATURE_INVALID", BOTH, request(tamper="path")),
    ("KEY_NOT_FOUND", BOTH, request(tamper="key-version")),
    ("MEDIA_TYPE_NOT_ACCEPTABLE", BOTH, request(tamper="media-type")),
    ("METHOD_NOT_SUPPORTED", BOTH, request(tamper="method")),
    ("PARAM_ILLEGAL", BOTH, request(authenticationType="PASSWORD")),
    ("PARAM_ILLEGAL", BOTH, long_body),
    ("PARAM_ILLEGAL", [SEND], request(channel="PIGEON")),
    ("PARAM_ILLEGAL", [SEND], request(token="tok-unreachable")),
    ("PARAM_ILLEGAL", [SEND], used_request_id),
    ("PROCESS_FAIL", [SEND], request(token="tok-blocked")),
    ("PROCESS_FAIL", [SEND], request(token="failing")),
    ("PROCESS_FAIL", [SEND], send_during_the_cool_down),
    ("PROCESS_FAIL", [VERIFY], refusing(Reason.PROCESS_FAILED)),
    ("INVALID_ACCESS_TOKEN", [SEND], request(token="expired")),
    ("INVALID_ACCESS_TOKEN", [SEND], request(token="nobody's token")),
    ("INVALID_ACCESS_TOKEN", [SEND], request(token="unscoped")),
    ("INVALID_ACCESS_TOKEN", [VERIFY], refusing(Reason.TOKEN_INVALID)),
    ("INVALID_ACCESS_TOKEN", [VERIFY], refusing(Reason.TOKEN_EXPIRED)),
    ("USER_NOT_EXIST", [SEND], request(token="gone")),
    ("USER_NOT_EXIST", [VERIFY], meanwhile(lambda: None)),
    ("USER_STATUS_ABNORMAL", [SEND], request(token="frozen")),
    ("USER_STATUS_ABNORMAL", [VERIFY], refusing(Reason.USER_ABNORMAL)),
    ("REQUEST_TRAFFIC_EXCEED_LIMIT", BOTH, too_many_requests),
    ("UNKNOWN_EXCEPTION", [SEND], request(token="tok-crash")),
    ("UNKNOWN_EXCEPTION", [SEND], request(token="tok-timeout")),
    ("UNKNOWN_EXCEPTION", [VERIFY], meanwhile(crash)),
    ("VERIFY_UNMATCHED", [VERIFY], verifying(with_wrong_code)),
    ("PARAM_ILLEGAL", [VERIFY], verifying(code_with_a_space)),
    ("VERIFY_TIMES_EXCEED_LIMIT", [VERIFY], verifying(code_without_tries)),
    ("VERIFY_TIMES_EXCEED_LIMIT", [VERIFY], verifying(open_code_of_a_locked_user)),
    ("AUTHENTICATION_REQUEST_ID_INVALID", [VERIFY], request()),
    ("AUTHENTICATION_REQUEST_ID_INVALID", [VERIFY], verifying(used_code)),
    ("AUTHENTICATION_REQUEST_ID_INVALID", [VERIFY], verifying(expired_code)),
    ("AUTHENTICATION_REQUEST_ID_INVALID", [VERIFY], verifying(code_before_a_newer_one)),
    ("AUTHENTICATION_REQUEST_ID_INVALID", [VERIFY], code_of_another_client),
    ("AUTHENTICATION_REQUEST_ID_INVALID", [VERIFY], verifying(code_that_was_not_delivered)),
]
