"""A request is read by Google's rules, in Google's order, and nothing hostile in it costs much."""

from __future__ import annotations

import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.clock_skew import ClockSkew
from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.core.service import BySend, Command, SendOtp, VerifyOtp
from flask_otp_mpp.core.users import AssociationId, PhoneNumber
from flask_otp_mpp.protocols.google.messages import Reader, Unreachable
from flask_otp_mpp.protocols.google.phone import normal
from flask_otp_mpp.protocols.google.results import CODES, row_for
from flask_otp_mpp.protocols.values import Operation, ParsedRequest
from flask_otp_mpp.testing import FrozenClock
from tests.vectors.google import plain

NOW = 1502545413026  # the time of Google's samples
CLOCK = FrozenClock(datetime.fromtimestamp(NOW // 1000, UTC) + timedelta(milliseconds=26))
READER = Reader(
    freshness=timedelta(seconds=60),
    ttl=timedelta(days=30),
    clock=CLOCK,
    number=normal,
    codes=CODES,
    skew=ClockSkew(),
)
SEND, VERIFY, ECHO = Operation.SEND, Operation.VERIFY, Operation.ECHO
FIELDS: dict[Operation, dict[str, Any]] = {
    SEND: {"accountPhoneNumber": "+918067218010", "smsMatchingToken": "AB12345678C"},
    VERIFY: {"sendOtpRequestId": "0123434-otp-abc", "otp": "7754321"},
    ECHO: {"clientMessage": "hello"},
}
DEEP = 10_000
ABSENT = object()


def message(operation: Operation, **changed: Any) -> dict[str, Any]:
    """Write a request; a name with two underscores is a member of a member."""
    version = {"major": 1, "minor": 0, "revision": 0}
    header = {"protocolVersion": version, "requestId": "id:1", "requestTimestamp": str(NOW)}
    whole: dict[str, Any] = {"requestHeader": header, **FIELDS[operation]}
    for path, value in changed.items():
        *way, name = path.split("__")
        place = whole
        for step in way:
            place = place[step]
        if value is ABSENT:
            del place[name]
        else:
            place[name] = value
    return whole


def read(operation: Operation, account: str = "gpay", **changed: Any) -> Command:
    parsed = READER.read(operation, account, json.dumps(message(operation, **changed)).encode())
    assert parsed.command is not None
    return parsed.command


def send(**changed: Any) -> SendOtp:
    command = read(SEND, **changed)
    assert isinstance(command, SendOtp)
    return command


def refusal(operation: Operation, payload: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        READER.read(operation, "gpay", payload)
    return caught.value


def code(operation: Operation, payload: bytes) -> str:
    return row_for(operation, refusal(operation, payload).reason, CODES).code


def outcome(operation: Operation, payload: bytes) -> str:
    """Return the code that a request is refused with; nothing if it is read."""
    try:
        READER.read(operation, "gpay", payload)
    except Refused as refused:
        return row_for(operation, refused.reason, CODES).code
    return ""


def told(operation: Operation, **changed: Any) -> tuple[str, str]:
    """Return code and detail of the refusal of a changed request."""
    payload = json.dumps(message(operation, **changed)).encode()
    found = refusal(operation, payload)
    return row_for(operation, found.reason, CODES).code, found.detail


def test_the_samples_of_the_documentation_are_read() -> None:
    """Google's samples: a send by number with a context, and a verify that names it."""
    sent = READER.read(SEND, "gpay", plain("sendOtp_request.json")).command
    assert isinstance(sent, SendOtp)
    assert sent.credential == PhoneNumber("+918067218010")
    assert (sent.channel, sent.sms_token, sent.retry_unknown) == (
        Channel.MOBILE,
        "AB12345678C",
        True,
    )
    verified = READER.read(VERIFY, "gpay", plain("verifyOtp_request.json")).command
    assert isinstance(verified, VerifyOtp)
    assert verified.target == BySend(sent.request.value)
    assert verified.code.reveal() == "7754321"
    assert verified.caller == sent.caller
    assert READER.read(ECHO, "gpay", json.dumps(message(ECHO)).encode()) == ParsedRequest(
        None, "hello"
    )


def test_the_same_id_is_another_request_for_each_method_and_account() -> None:
    """The sample of verifyOtp reuses the requestId of sendOtp's."""
    keys, callers = set(), set()
    for account in ("gpay", "other"):
        for operation in (SEND, VERIFY):
            command = read(operation, account)
            assert isinstance(command, SendOtp | VerifyOtp)
            keys.add(command.request.value)
            callers.add(command.caller)
            assert command.request.chosen_by_caller
            assert command.request.ttl == timedelta(days=30)
    assert len(keys) == 4
    assert len(callers) == 2


@pytest.mark.parametrize("operation", [SEND, VERIFY])
def test_only_results_are_remembered(operation: Operation) -> None:
    """Anything but 200 is evaluated anew."""
    command = read(operation)
    assert isinstance(command, SendOtp | VerifyOtp)
    for reason in Reason:
        if reason is not Reason.REQUEST_PENDING:  # is kept while it is at work
            answered = row_for(operation, reason, CODES).status
            assert command.request.caches(reason) is (answered == "200"), reason
    assert command.request.caches(None)


def test_the_digest_stands_for_everything_but_the_time() -> None:
    """412 is for other parameters; a repeat has a time of its own."""
    usual = send().request.digest
    assert send(requestHeader__requestTimestamp=str(NOW + 5000)).request.digest == usual
    reordered = json.dumps(dict(reversed(message(SEND).items()))).encode()
    again = READER.read(SEND, "gpay", reordered).command
    assert isinstance(again, SendOtp)
    assert again.request.digest == usual
    others = {
        send(accountPhoneNumber="+14035551111").request.digest,
        send(smsMatchingToken="AB12345678D").request.digest,
        send(otpContext={"association": {}}).request.digest,
        send(requestHeader__userLocale="tr").request.digest,
        send(requestHeader__protocolVersion__minor=1).request.digest,
        send(unknown=None).request.digest,
    }
    assert len(others) == 6
    assert usual not in others


# Each step's fault, in the order in which they are looked for.
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("INVALID_API_VERSION", {"requestHeader__protocolVersion__major": 2}),
    ("REQUEST_TIMESTAMP_OUT_OF_RANGE", {"requestHeader__requestTimestamp": str(NOW - 60_001)}),
    ("MISSING_REQUIRED_FIELD", {"requestHeader__requestId": ABSENT}),
    ("INVALID_FIELD_VALUE", {"otp": 7}),
]


@pytest.mark.parametrize("first", range(len(STEPS)))
def test_the_first_fault_is_told(first: int) -> None:
    """JSON, version, time, fields: what is wrong later does not show."""
    faults: dict[str, Any] = {}
    for _, fault in STEPS[first:]:
        faults.update(fault)
    assert told(VERIFY, **faults)[0] == STEPS[first][0]
    payload = json.dumps(message(VERIFY, **faults)).encode()
    assert code(VERIFY, payload[:-1]) == "INVALID_DECRYPTED_REQUEST"


@pytest.mark.parametrize(
    ("off", "good"),
    [(-60_000, True), (60_000, True), (-60_001, False), (60_001, False), (-NOW, False)],
)
def test_a_request_is_of_now(off: int, good: bool) -> None:
    """60 s either way, to the millisecond."""
    time_sent = {"requestHeader__requestTimestamp": str(NOW + off)}
    if good:
        send(**time_sent)
    else:
        assert told(SEND, **time_sent)[0] == "REQUEST_TIMESTAMP_OUT_OF_RANGE"


def test_only_another_major_version_is_refused() -> None:
    """Minor and revision may be any number; what another version has of them is not looked at."""
    send(requestHeader__protocolVersion={"major": 1, "minor": 7, "revision": 12})
    assert told(SEND, requestHeader__protocolVersion={"major": 2})[0] == "INVALID_API_VERSION"
    for major in (0, 2, -1, 10**30):
        version = {"requestHeader__protocolVersion__major": major}
        assert told(SEND, **version)[0] == "INVALID_API_VERSION"


@pytest.mark.parametrize("gone", [ABSENT, None])
@pytest.mark.parametrize(
    ("operation", "path"),
    [
        (ECHO, "requestHeader"),
        (SEND, "requestHeader__protocolVersion"),
        (SEND, "requestHeader__protocolVersion__major"),
        (SEND, "requestHeader__protocolVersion__minor"),
        (ECHO, "requestHeader__protocolVersion__revision"),
        (SEND, "requestHeader__requestId"),
        (SEND, "requestHeader__requestTimestamp"),
        (SEND, "smsMatchingToken"),
        (SEND, "accountPhoneNumber"),
        (VERIFY, "sendOtpRequestId"),
        (VERIFY, "otp"),
        (ECHO, "clientMessage"),
    ],
)
def test_a_required_field_is_missed_by_name(operation: Operation, path: str, gone: object) -> None:
    """``null`` is as good as nothing."""
    found = told(operation, **{path: gone})
    assert found == ("MISSING_REQUIRED_FIELD", path.replace("__", "."))


@pytest.mark.parametrize(
    ("operation", "path", "values"),
    [
        (SEND, "requestHeader", ["text", 1, [], True]),
        (SEND, "requestHeader__protocolVersion", ["1.0.0", 1, [1]]),
        (SEND, "requestHeader__protocolVersion__major", ["1", 1.0, True, [1]]),
        (VERIFY, "requestHeader__protocolVersion__minor", ["0", 0.0, False, {}]),
        (ECHO, "requestHeader__protocolVersion__revision", ["0", 0.5, True, [0]]),
        (SEND, "requestHeader__requestId", ["", "a" * 101, "a b", "a/b", "a\n", "ä", 7, ["a"]]),
        (SEND, "requestHeader__requestTimestamp", [NOW, "", "-1", "1.5", "١٢", "9" * 20, "1e3"]),
        (SEND, "smsMatchingToken", ["", "A" * 10, "A" * 12, "A" * 10 + "\n", "http://a.bc", 1]),
        (SEND, "accountPhoneNumber", ["", "+" + "1" * 64, 918067218010, {}]),
        (SEND, "otpContext", ["x", [], {}, {"a": {}, "b": {}}, {"a": None}, {"a": 1}]),
        (VERIFY, "sendOtpRequestId", ["", "a" * 101, "a b", 7]),
        (VERIFY, "otp", ["", "1" * 33, 123456, ["1"]]),
        (ECHO, "clientMessage", [1, {}, "\ud800"]),
    ],
)
def test_a_field_that_breaks_its_rule_is_told_by_name(
    operation: Operation, path: str, values: list[Any]
) -> None:
    """Name and rule, and never what was in it."""
    for value in values:
        found, detail = told(operation, **{path: value})
        assert found == "INVALID_FIELD_VALUE", value
        assert detail.startswith(path.replace("__", ".") + ": must be")
        if isinstance(value, str) and len(value) > 2:
            assert value not in detail


@pytest.mark.parametrize(
    "context",
    [
        {"association": {}, "mandate": None},
        {"mandate": None, "association": {"a": None}},
        {"association": {}, **dict.fromkeys(map(str, range(9)))},
        None,
    ],
)
def test_a_member_of_a_union_that_is_null_is_absent(context: object) -> None:
    """F6: as libraries for protocol buffers write it."""
    assert send(otpContext=context)
    assert send(associationId=None, otpContext=context)
    assert send(accountPhoneNumber=None, associationId="one", otpContext=context)


def test_an_account_is_named_in_one_way() -> None:
    """By number when it is associated, by the association afterwards; by both is a fault."""
    associated = send(accountPhoneNumber=ABSENT, associationId="assoc/ä 1")
    assert type(associated.credential) is AssociationId
    assert associated.credential.reveal() == "assoc/ä 1"
    assert type(send(associationId=None).credential) is PhoneNumber
    assert told(SEND, associationId="assoc")[0] == "INVALID_FIELD_VALUE"
    for name in ("", "a" * 257, "a\x00", "\ud800", 7):
        found, detail = told(SEND, accountPhoneNumber=ABSENT, associationId=name)
        assert found == "INVALID_FIELD_VALUE"
        assert detail.startswith("associationId: must be")


@pytest.mark.parametrize(
    "number",
    [
        "+15",
        "+141555511",
        "918067218010",
        "+91 8067218010",
        "+91-80-6721-8010",
        "+0123456789",
        "+999123456789",
        "+٩١٨٠٦٧٢١٨٠١٠",
        "tel:+918067218010",
        "+918067218010\n",
        "+91806721801012345",
        "+",
    ],
)
def test_what_can_be_no_number_is_nobodys(number: str) -> None:
    """E.164 as Google documents it: a plus and digits only. No hook is asked for others."""
    assert normal(number) is None
    assert type(send(accountPhoneNumber=number).credential) is Unreachable
    assert Unreachable.missing is Reason.CHANNEL_UNAVAILABLE


def test_a_number_is_looked_up_in_its_normal_form() -> None:
    """A national prefix that does not belong is left out; so one account has one number."""
    assert normal("+4402079460000") == "+442079460000"
    assert normal("+390612345678") == "+390612345678"  # in Italy the zero belongs
    assert send(accountPhoneNumber="+4402079460000").credential.reveal() == "+442079460000"


def test_every_token_of_the_sms_retriever_is_taken() -> None:
    """Eleven characters of base64, of either kind."""
    for token in ("FA+9qCX9VSu", "a/b/c/d/e/f", "abc_def-ghi", "0123456789A"):
        assert send(smsMatchingToken=token).sms_token == token


def test_any_text_is_a_guess() -> None:
    """Only the code itself can match; what is no code still counts as a try."""
    for guess in ("1", "abc", " 123456", "١٢٣٤٥٦", "\x00", "\ud800", "12\n"):
        command = read(VERIFY, otp=guess)
        assert isinstance(command, VerifyOtp)
        assert command.code.reveal() == guess


def test_what_is_not_known_is_passed_over() -> None:
    """Google may add fields; the deprecated locale is one that says nothing."""
    usual = send()
    for more in (
        send(new={"deep": [1, 2.5, None, True]}, requestHeader__userLocale="en-US"),
        send(requestHeader__userLocale=["of any type"]),
    ):
        assert (more.credential, more.sms_token) == (usual.credential, usual.sms_token)
        assert more.request.value == usual.request.value


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        b"{}{}",
        b"\xef\xbb\xbf{}",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1,"a":1}',
        b'{"requestHeader":{"requestId":"a","requestId":"a"}}',
        b'{"a":"\xff"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a":' + b"9" * 5000 + b"}",
        b"{" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        plain("not_json.txt"),
        plain("verifyOtp_request_duplicate_key.json"),
    ],
    ids=lambda payload: payload[:20],
)
def test_what_is_not_one_strict_object_is_not_readable(payload: bytes) -> None:
    """Google's echo sends bad JSON on purpose: no key twice, no NaN, no bottomless depth."""
    assert code(ECHO, payload) == "INVALID_DECRYPTED_REQUEST"


@pytest.mark.parametrize("depth", [10, 100, 900, 960, 980, 1000, 3000, DEEP, 10 * DEEP])
def test_depth_is_read_or_refused_and_never_breaks(depth: int) -> None:
    """Wherever the limit lies, reading and digesting agree that it is the message's fault."""
    inner = '{"a":' * depth + "1" + "}" * depth
    payload = json.dumps(message(SEND, deep=0)).replace('"deep": 0', f'"deep": {inner}')
    found = outcome(SEND, payload.encode())
    assert found in {"", "INVALID_DECRYPTED_REQUEST"}
    assert found == "" or depth > 100


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
PATHS = [
    "requestHeader",
    "requestHeader__protocolVersion",
    "requestHeader__protocolVersion__major",
    "requestHeader__requestId",
    "requestHeader__requestTimestamp",
    "smsMatchingToken",
    "accountPhoneNumber",
    "associationId",
    "otpContext",
    "sendOtpRequestId",
    "otp",
    "clientMessage",
    "other",
]


@given(st.sampled_from(list(Operation)), st.sampled_from(PATHS), ANY_JSON)
def test_no_value_of_any_type_breaks_a_request(
    operation: Operation, path: str, value: object
) -> None:
    """It is read, or refused for a reason that Google's tables have."""
    payload = json.dumps(message(operation, **{path: value})).encode()
    assert outcome(operation, payload) in {
        "",
        "INVALID_API_VERSION",
        "INVALID_FIELD_VALUE",
        "MISSING_REQUIRED_FIELD",
        "REQUEST_TIMESTAMP_OUT_OF_RANGE",
    }


@given(st.binary(max_size=200))
def test_no_bytes_break_a_request(payload: bytes) -> None:
    assert code(ECHO, payload) in {"INVALID_DECRYPTED_REQUEST", "MISSING_REQUIRED_FIELD"}


MEGABYTE = 1 << 20
HOSTILE = {
    "a long text": b'{"clientMessage":"' + b"a" * MEGABYTE + b'"}',
    "a long id": json.dumps(message(ECHO, requestHeader__requestId="a" * MEGABYTE)).encode(),
    "a long time": json.dumps(
        message(ECHO, requestHeader__requestTimestamp="1" * MEGABYTE)
    ).encode(),
    "a long number": json.dumps(message(SEND, accountPhoneNumber="+" + "1" * MEGABYTE)).encode(),
    "a long guess": json.dumps(message(VERIFY, otp="1" * MEGABYTE)).encode(),
    "a long whole number": b'{"a":' + b"1" * MEGABYTE + b"}",
    "depth of lists": b"[" * MEGABYTE,
    "depth of objects": b'{"a":' * (MEGABYTE // 5),
    "many keys": json.dumps({str(n): 0 for n in range(MEGABYTE // 12)}).encode(),
    "many of one key": b"{" + b'"a":0,' * (MEGABYTE // 6) + b'"a":0}',
    "escapes": b'{"a":"' + b"\\u0041" * (MEGABYTE // 6) + b'"}',
    "blanks": b" " * MEGABYTE + b"x",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_costs_little(name: str) -> None:
    """A megabyte of it: under a second, under 64 MB, where 64 KB is all that an envelope holds."""
    payload = HOSTILE[name]
    operation = {"a long number": SEND, "a long guess": VERIFY}.get(name, ECHO)
    started = time.process_time()
    refusal(operation, payload)
    spent = time.process_time() - started
    tracemalloc.start()
    try:
        refusal(operation, payload)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent < 1.0, spent
    assert peak < 64 * MEGABYTE, peak
