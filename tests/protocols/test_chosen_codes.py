"""Result codes have the documents' words, and a host may choose among those of the same table."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.settings import ConfigurationError, Faults, read_group
from flask_otp_mpp.protocols.alipay import alipayplus_codes, ams_codes
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.alipay.codes import Table
from flask_otp_mpp.protocols.base import Deployment
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.google import results
from flask_otp_mpp.protocols.google.settings import GoogleSettings
from flask_otp_mpp.protocols.values import (
    AuthenticatedRequest,
    Inbound,
    Operation,
    RequestContext,
)
from flask_otp_mpp.testing.contract.builders import request
from tests.codes import wrong_code
from tests.protocols.caller import CLIENT, CLOCK, FRESHNESS, configured, inbound
from tests.vectors import RESULT_CODES
from tests.web.google_wallet import open_google

PROTOCOLS: Final[dict[type[AlipayPlus] | type[Ams], tuple[str, Table, Codes]]] = {
    AlipayPlus: ("ALIPAYPLUS_CODES", alipayplus_codes.TABLE, alipayplus_codes.CODES),
    Ams: ("AMS_CODES", ams_codes.TABLE, ams_codes.CODES),
}
APIS: Final = {
    "sendOTP": (AlipayPlus, Operation.SEND),
    "verifyOTP": (AlipayPlus, Operation.VERIFY),
    "verifyAuthentication": (Ams, Operation.VERIFY),
}
PROVEN: Final = AuthenticatedRequest(CLIENT, request(), b"")
PLAIN: Final = {"g": {"envelope": "plain"}}
each_protocol = pytest.mark.parametrize("protocol", list(PROTOCOLS), ids=lambda it: it.name)


class NoSigner:
    """Signs nothing: here thousands of answers are asked for their code only."""

    version = "1"

    def sign(self, data: bytes) -> bytes:
        return b"no signature"


def choose(protocol: type[AlipayPlus] | type[Ams], codes: object) -> Any:
    needed = {"ALIPAYPLUS_PSP_ID": "psp", PROTOCOLS[protocol][0]: codes}
    return configured(protocol, Deployment(NoSigner(), FRESHNESS, CLOCK), **needed)


@cache
def asked() -> Inbound:
    """Return the request that is answered; it is signed once."""
    return inbound()


def result(wallet: Any, outcome: Outcome, operation: Operation | None = None) -> dict[str, str]:
    # An answer to a proven caller: the others share a budget of signatures.
    context = RequestContext(asked(), operation, PROVEN)
    answered = wallet.answer(context, outcome)
    found: dict[str, str] = json.loads(answered.body)["result"]
    return found


@pytest.mark.parametrize(
    ("api", "row"),
    [
        pytest.param(api, row, id=f"{api}-{row['code']}")
        for api, rows in RESULT_CODES.items()
        for row in rows
    ],
)
def test_an_answer_begins_with_the_words_of_the_page(api: str, row: dict[str, str]) -> None:
    """O5: with code and status as the page has them, and the detail behind them."""
    protocol, operation = APIS[api]
    _, rows, codes = PROTOCOLS[protocol]
    assert rows[row["code"]].message == row["message"]
    outcomes = [
        Outcome(reason=reason, detail="The detail.")
        for reason in Reason
        if codes[reason].code == row["code"] and operation in codes[reason].operations
    ]
    if row["code"] == "SUCCESS":
        outcomes.append(Outcome("id"))
    assert outcomes
    for outcome in outcomes:
        written = result(choose(protocol, None), outcome, operation)
        assert (written["resultCode"], written["resultStatus"]) == (row["code"], row["status"])
        assert written["resultMessage"].startswith(row["message"])
        if outcome.reason is not None:
            stop = "" if row["message"].endswith(".") else "."
            behind = written["resultMessage"].removeprefix(row["message"] + stop)
            assert behind.startswith(" ")
            assert behind.endswith(" The detail.")


def test_all_45_messages_of_the_pages_are_there() -> None:
    """O5: 17 of sendOTP, 19 of verifyOTP, 9 of verifyAuthentication."""
    assert {api: len(rows) for api, rows in RESULT_CODES.items()} == {
        "sendOTP": 17,
        "verifyOTP": 19,
        "verifyAuthentication": 9,
    }


@pytest.mark.parametrize(
    ("protocol", "reason", "code"),
    [
        (AlipayPlus, Reason.REQUEST_STALE, "INVALID_SIGNATURE"),
        (AlipayPlus, Reason.PSP_UNKNOWN, "PARAM_ILLEGAL"),
        (AlipayPlus, Reason.CHANNEL_UNAVAILABLE, "PROCESS_FAIL"),
        (AlipayPlus, Reason.SEND_LOCKED, "USER_STATUS_ABNORMAL"),
        (AlipayPlus, Reason.USER_LOCKED, "USER_STATUS_ABNORMAL"),
        (Ams, Reason.REQUEST_STALE, "SIGNATURE_INVALID"),
        (Ams, Reason.SEND_LIMITED, "REQUEST_TRAFFIC_EXCEED_LIMIT"),
        (Ams, Reason.SEND_LOCKED, "USER_STATUS_ABNORMAL"),
    ],
)
def test_another_reading_of_the_documents_can_be_chosen(
    protocol: type[AlipayPlus] | type[Ams], reason: Reason, code: str
) -> None:
    """O5: with the status and the message of the chosen row, and the detail of the reason."""
    _, rows, codes = PROTOCOLS[protocol]
    wallet = choose(protocol, {reason.name: code})
    written = result(wallet, Outcome(reason=reason, detail="More."))
    assert written["resultCode"] == code
    assert written["resultStatus"] == rows[code].status
    assert written["resultMessage"].startswith(rows[code].message)
    assert written["resultMessage"].endswith(f"{codes[reason].detail} More.".lstrip())
    for other in set(Reason) - {reason}:
        assert result(wallet, Outcome(reason=other))["resultCode"] == codes[other].code


@each_protocol
@given(data=st.data())
def test_whatever_is_chosen_every_reason_has_a_failure_of_its_table(
    data: st.DataObject, protocol: type[AlipayPlus] | type[Ams]
) -> None:
    """O5: of each API that can be refused for the reason; anything else is refused at start-up."""
    _, rows, codes = PROTOCOLS[protocol]
    names = st.sampled_from([reason.name for reason in Reason])
    chosen = data.draw(st.dictionaries(names, st.sampled_from([*rows, "NO_CODE"]), max_size=3))
    try:
        wallet = choose(protocol, chosen)
    except ConfigurationError:
        return
    for reason in Reason:
        code = result(wallet, Outcome(reason=reason))["resultCode"]
        assert code == chosen.get(reason.name, codes[reason].code) != "SUCCESS"
        assert codes[reason].operations <= rows[code].operations


@each_protocol
@pytest.mark.parametrize(
    ("codes", "finding"),
    [
        ({"FIELD_INVALID": "NO_CODE"}, "'FIELD_INVALID': set it to one of KEY_NOT_FOUND, "),
        ({"FIELD_INVALID": "SUCCESS"}, "'FIELD_INVALID': set it to one of KEY_NOT_FOUND, "),
        ({"FIELD_INVALID": ["PARAM_ILLEGAL"]}, "'FIELD_INVALID': set it to one of"),
        ({"UNFORESEEN": "PROCESS_FAIL"}, "'UNFORESEEN': set it to one of REQUEST_TRAFFIC_EXCEED"),
        ({"REQUEST_PENDING": "PARAM_ILLEGAL"}, "'REQUEST_PENDING': set it to one of REQUEST_TRA"),
        ({"FIELD_INVALD": "PARAM_ILLEGAL"}, "did you mean 'FIELD_INVALID'"),
        (
            {"CHALLENGE_EXPIRED": "PROCESS_FAIL"},
            "CHALLENGE_EXPIRED, CHALLENGE_USED, USED_UNMATCHED, CHALLENGE_CLOSED must have one",
        ),
        ("PARAM_ILLEGAL", "set it to a mapping {reason: code}"),
    ],
)
def test_a_code_that_no_page_has_for_a_reason_is_refused_at_start_up(
    protocol: type[AlipayPlus] | type[Ams], codes: object, finding: str
) -> None:
    """F2, L8: with the codes that would do."""
    with pytest.raises(ConfigurationError) as caught:
        choose(protocol, codes)
    assert finding in str(caught.value)


def test_a_code_of_the_other_api_alone_is_refused() -> None:
    """F2: what sendOTP can be refused for has a code that sendOTP's page lists."""
    chosen: list[dict[str, str]] = [
        {"FIELD_INVALID": "OTP_VERIFY_UNMATCHED"},
        {"SEND_LIMITED": "VERIFY_REQUEST_ID_INVALID"},
        {"USER_LOCKED": "OTP_SEND_TIMES_EXCEED_LIMIT"},
    ]
    for codes in chosen:
        with pytest.raises(ConfigurationError, match="set it to one of"):
            choose(AlipayPlus, codes)


def test_no_choice_is_the_same_as_an_empty_one() -> None:
    """F2: a host may compute the mapping."""
    limited = Outcome(reason=Reason.SEND_LIMITED)
    assert result(choose(Ams, {}), limited) == result(choose(Ams, None), limited)


GOOGLE: Final = {
    Reason.USER_LOCKED: ("PRECONDITION_VIOLATION", "400"),
    Reason.TRIES_SPENT: ("PRECONDITION_VIOLATION", "400"),
    Reason.CHALLENGE_EXPIRED: ("INVALID_IDENTIFIER", "404"),
    Reason.SEND_LOCKED: ("ACCOUNT_CLOSED_FRAUD", "200"),
    Reason.CHANNEL_UNAVAILABLE: ("PRECONDITION_VIOLATION", "400"),
}


@pytest.mark.parametrize("reason", GOOGLE)
def test_another_reading_of_googles_documents_can_be_chosen(reason: Reason) -> None:
    """O5: a result or an error; whether a repeat is decided anew follows from it."""
    code, status = GOOGLE[reason]
    faults: Faults = []
    config = {"OTP_MPP_GOOGLE_CODES": {reason.name: code}, "OTP_MPP_GOOGLE_ACCOUNTS": PLAIN}
    codes = read_group(GoogleSettings, config, faults).codes
    assert faults == []
    (operation,) = results.CODES[reason].operations
    row = results.row_for(operation, reason, codes)
    assert (row.code, row.status, row.message) == (code, status, results.CODES[reason].message)
    cached = reason not in results.not_cached_reasons(operation, codes)
    assert cached == (status == "200")


@pytest.mark.parametrize(
    ("codes", "finding"),
    [
        ({"CODE_UNMATCHED": "INVALID_PHONE_NUMBER"}, "'CODE_UNMATCHED': set it to one of INVALID"),
        ({"FIELD_INVALID": "OTP_NOT_MATCHED"}, "'FIELD_INVALID': set it to one of INVALID_DECRYP"),
        ({"USER_LOCKED": "SUCCESS"}, "'USER_LOCKED': set it to one of"),
        ({"USER_LOCKED": 400}, "'USER_LOCKED': set it to one of"),
        ({"UNFORESEEN": "FORBIDDEN"}, "'UNFORESEEN' has no code that could be another one"),
        ({"PATH_UNKNOWN": "FORBIDDEN"}, "'PATH_UNKNOWN' has no code that could be another one"),
        ({"USER_LOKED": "FORBIDDEN"}, "did you mean 'USER_LOCKED'"),
    ],
)
def test_a_code_that_google_has_not_for_a_reason_is_refused_at_start_up(
    codes: object, finding: str
) -> None:
    """F2: what has an HTTP status and no code keeps it, for Google tries again by it."""
    faults: Faults = []
    config = {"OTP_MPP_GOOGLE_CODES": codes, "OTP_MPP_GOOGLE_ACCOUNTS": PLAIN}
    read_group(GoogleSettings, config, faults)
    assert [key for key, _ in faults] == ["OTP_MPP_GOOGLE_CODES"]
    assert finding in faults[0][1]


def test_a_chosen_code_of_google_is_answered() -> None:
    """O5: over HTTP; a locked user is told from a wrong code."""
    wallet = open_google(OTP_MPP_GOOGLE_CODES={"TRIES_SPENT": "PRECONDITION_VIOLATION"})
    sent, code = wallet.sent()
    for guess in range(5):
        wrong = wrong_code(code, guess)
        assert wallet.google.verify(sent, wrong).result == "OTP_NOT_MATCHED"
    answer = wallet.google.verify(sent, code)
    assert (answer.status, answer.error) == (400, "PRECONDITION_VIOLATION")
