"""Each reason has one published code, and both published tables are complete."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.alipayplus_codes import CODES, SUCCESS
from flask_otp_mpp.protocols.values import Operation, RequestContext
from tests.protocols.caller import inbound, protocol

# The tables of Alipay+'s sendOTP and verifyOTP: code, status, in which of the two it stands.
TABLE = """
SUCCESS                         S  send verify
ACCESS_DENIED                   F  send verify
EXPIRED_ACCESS_TOKEN            F  send verify
INVALID_CLIENT                  F  send verify
INVALID_SIGNATURE               F  send verify
INVALID_TOKEN                   F  send verify
KEY_NOT_FOUND                   F  send verify
MEDIA_TYPE_NOT_ACCEPTABLE       F  send verify
METHOD_NOT_SUPPORTED            F  send verify
NO_INTERFACE_DEF                F  send verify
OTP_SEND_TIMES_EXCEED_LIMIT     F  send
OTP_VERIFY_TIMES_EXCEED_LIMIT   F  verify
OTP_VERIFY_UNMATCHED            F  verify
PARAM_ILLEGAL                   F  send verify
PROCESS_FAIL                    F  send verify
USER_NOT_EXIST                  F  send verify
USER_STATUS_ABNORMAL            F  send verify
VERIFY_REQUEST_ID_INVALID       F  verify
REQUEST_TRAFFIC_EXCEED_LIMIT    U  send verify
UNKNOWN_EXCEPTION               U  send verify
"""
PUBLISHED = {
    (code, status, Operation(operation))
    for code, status, *operations in map(str.split, TABLE.strip().splitlines())
    for operation in operations
}
# Which condition each code stands for, as the documents and our choices say.
EXPECTED = {
    Reason.PATH_UNKNOWN: "NO_INTERFACE_DEF",
    Reason.METHOD_UNSUPPORTED: "METHOD_NOT_SUPPORTED",
    Reason.MEDIA_TYPE_UNSUPPORTED: "MEDIA_TYPE_NOT_ACCEPTABLE",
    Reason.BODY_TOO_LARGE: "PARAM_ILLEGAL",
    Reason.FIELD_INVALID: "PARAM_ILLEGAL",
    Reason.CLIENT_UNKNOWN: "INVALID_CLIENT",
    Reason.PSP_UNKNOWN: "INVALID_CLIENT",
    Reason.KEY_UNKNOWN: "KEY_NOT_FOUND",
    Reason.SIGNATURE_INVALID: "INVALID_SIGNATURE",
    Reason.REQUEST_STALE: "ACCESS_DENIED",
    Reason.ACCESS_DENIED: "ACCESS_DENIED",
    Reason.TRAFFIC_EXCEEDED: "REQUEST_TRAFFIC_EXCEED_LIMIT",
    Reason.TOKEN_INVALID: "INVALID_TOKEN",
    Reason.TOKEN_EXPIRED: "EXPIRED_ACCESS_TOKEN",
    Reason.USER_MISSING: "USER_NOT_EXIST",
    Reason.USER_ABNORMAL: "USER_STATUS_ABNORMAL",
    Reason.CHANNEL_UNAVAILABLE: "PARAM_ILLEGAL",
    Reason.SEND_LIMITED: "OTP_SEND_TIMES_EXCEED_LIMIT",
    Reason.SEND_LOCKED: "OTP_SEND_TIMES_EXCEED_LIMIT",
    Reason.DELIVERY_REFUSED: "PROCESS_FAIL",
    Reason.PROCESS_FAILED: "PROCESS_FAIL",
    Reason.CODE_UNMATCHED: "OTP_VERIFY_UNMATCHED",
    Reason.TRIES_SPENT: "OTP_VERIFY_TIMES_EXCEED_LIMIT",
    Reason.USER_LOCKED: "OTP_VERIFY_TIMES_EXCEED_LIMIT",
    Reason.CHALLENGE_UNKNOWN: "VERIFY_REQUEST_ID_INVALID",
    Reason.CHALLENGE_EXPIRED: "VERIFY_REQUEST_ID_INVALID",
    Reason.USED_UNMATCHED: "VERIFY_REQUEST_ID_INVALID",
    Reason.CHALLENGE_USED: "VERIFY_REQUEST_ID_INVALID",
    Reason.CHALLENGE_CLOSED: "VERIFY_REQUEST_ID_INVALID",
    Reason.REQUEST_PENDING: "UNKNOWN_EXCEPTION",
    Reason.REQUEST_CONFLICT: "PARAM_ILLEGAL",
    Reason.ENCRYPTION_INVALID: "PARAM_ILLEGAL",
    Reason.OVERLOADED: "UNKNOWN_EXCEPTION",
    Reason.UNFORESEEN: "UNKNOWN_EXCEPTION",
    Reason.BODY_UNREADABLE: "PARAM_ILLEGAL",
    Reason.VERSION_UNSUPPORTED: "PARAM_ILLEGAL",
    Reason.FIELD_MISSING: "PARAM_ILLEGAL",
}
UNTIL = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def body(operation: Operation | None, outcome: Outcome) -> bytes:
    return protocol().answer(RequestContext(inbound(), operation), outcome).body


def result(operation: Operation | None, outcome: Outcome) -> dict[str, str]:
    found = json.loads(body(operation, outcome))["result"]
    assert set(found) == {"resultCode", "resultStatus", "resultMessage"}
    assert all(isinstance(value, str) for value in found.values())
    return dict(found)


def test_every_reason_has_a_code_of_the_table() -> None:
    """O5: the map is total, and each reason has the code that is published for it."""
    assert set(CODES) == set(Reason) == set(EXPECTED)
    assert {reason: row.code for reason, row in CODES.items()} == EXPECTED
    assert AlipayPlus.codes is CODES
    assert AlipayPlus.success is SUCCESS


def test_both_published_tables_are_complete_and_nothing_is_added() -> None:
    """O5: every row of sendOTP's and verifyOTP's tables is there, with its status."""
    offered = {
        (row.code, row.status, operation)
        for row in [SUCCESS, *CODES.values()]
        for operation in row.operations
    }
    assert offered == PUBLISHED
    assert len({code for code, _, _ in PUBLISHED}) == 20


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.name)
@pytest.mark.parametrize("operation", [Operation.SEND, Operation.VERIFY, None])
@pytest.mark.alike(10)
def test_every_refusal_is_written_with_code_status_and_message(
    reason: Reason, operation: Operation | None
) -> None:
    """O5: whatever was asked for, and if nothing was."""
    statuses = {code: status for code, status, _ in PUBLISHED}
    written = result(operation, Outcome(reason=reason))
    assert written["resultCode"] == EXPECTED[reason]
    assert written["resultStatus"] == statuses[EXPECTED[reason]]
    assert 0 < len(written["resultMessage"]) <= 256
    assert written["resultMessage"] == CODES[reason].tell()


def test_the_code_of_an_answer_is_known_before_it_is_written() -> None:
    """O11: the row of a decision has the code that its answer will tell."""
    served = protocol()
    for operation in (Operation.SEND, Operation.VERIFY):
        context = RequestContext(inbound(), operation, served.authenticate(inbound()))
        for reason in (None, *Reason):
            answer = served.answer(context, Outcome("an id", reason))
            assert served.told_code(operation, reason) == answer.told


def test_all_that_can_be_wrong_with_an_id_is_one_answer() -> None:
    """L8: unknown, foreign, expired, used or superseded: nothing leaks."""
    answers = {
        body(Operation.VERIFY, Outcome(reason=reason))
        for reason in Reason
        if reason.name.startswith("CHALLENGE_") or reason is Reason.USED_UNMATCHED
    }
    assert len(answers) == 1


def test_only_a_granted_send_has_an_id() -> None:
    """The id is there when the status is S, and never otherwise."""
    done = Outcome("the-id", subject="alice")
    sent = json.loads(body(Operation.SEND, done))
    assert sent == {
        "result": {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "Success"},
        "verifyRequestId": "the-id",
    }
    verified = json.loads(body(Operation.VERIFY, done))
    assert verified == {"result": sent["result"]}
    for operation in (Operation.SEND, Operation.VERIFY, None):
        refused = json.loads(body(operation, Outcome(reason=Reason.UNFORESEEN)))
        assert set(refused) == {"result"}


def test_a_message_adds_detail_and_end_to_the_words_of_its_code() -> None:
    """A5: the end of a lock is told to the caller."""
    locked = result(Operation.VERIFY, Outcome(reason=Reason.USER_LOCKED, until=UNTIL))
    assert locked["resultMessage"] == (
        "The OTP verification has failed too many times. The user must get a new OTP. "
        "Not before 2026-01-01T12:30:00Z."
    )
    field = result(Operation.SEND, Outcome("", Reason.FIELD_INVALID, "pspId: is required."))
    assert field["resultMessage"] == (
        "Illegal parameters. For example, non-numeric input, invalid date. pspId: is required."
    )


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.sampled_from([None, UNTIL])
)
def test_no_detail_makes_a_message_too_long(detail: str, until: datetime | None) -> None:
    """The wire allows 256 characters, whatever a hook of the host says."""
    refused = Outcome("", Reason.DELIVERY_REFUSED, detail, until)
    assert len(result(Operation.SEND, refused)["resultMessage"]) <= 256


def test_a_body_is_utf_8_without_a_byte_to_spare() -> None:
    """G10: what is signed is what is sent, and it is written once."""
    written = body(Operation.SEND, Outcome("", Reason.DELIVERY_REFUSED, "Größe 大"))
    assert "Größe 大".encode() in written
    assert b": " not in written.replace(CODES[Reason.DELIVERY_REFUSED].tell().encode() + b" ", b"")
    assert not written.endswith(b"\n")
