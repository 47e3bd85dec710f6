"""A merchant's proven body becomes a command under the merchant's own name for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flask_otp_mpp.callers.ams import AmsCaller
from flask_otp_mpp.callers.transport import Call as HttpCall
from flask_otp_mpp.callers.transport import Response
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.service import BySend, Command, SendOtp, VerifyOtp
from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.core.users import AccessToken
from flask_otp_mpp.protocols.alipay.ams import WAIT_FOR_PENDING, Ams
from flask_otp_mpp.protocols.alipay.ams_codes import CODES, SUCCESS
from flask_otp_mpp.protocols.alipay.signed_headers import parse_time
from flask_otp_mpp.protocols.base import Deployment
from flask_otp_mpp.protocols.values import Inbound, Mount, Operation, ParsedRequest, RequestContext
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner
from flask_otp_mpp.signing.rsa256 import SignatureHeader
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.web.traffic_settings import MAX_FRESHNESS
from tests.protocols.caller import CLOCK, FRESHNESS, NO_DIGITS, SIGNER, configured, inbound, refusal
from tests.vectors import KEYS, private_key, public_key, vector

MERCHANT = "TEST_5X00000000000000"
USUAL, SANDBOX = "/ams/api/v1/users", "/ams/sandbox/api/v1/users"
INIT = {
    "authenticationType": "OTP",
    "authenticationRequestId": "AUTH_REQ_0001",
    "authenticationChannelType": "SMS",
    "userIdentityType": "WALLET_TOKEN",
    "userIdentityValue": "token",
}
VERIFY = {
    "authenticationType": "OTP",
    "authenticationRequestId": "AUTH_REQ_0001",
    "authenticationValue": "660000",
}
# The tables of initAuthentication and verifyAuthentication: code, status, where it stands.
TABLE = """
SUCCESS                            S  send verify
ACCESS_DENIED                      F  send verify
API_INVALID                        F  send verify
AUTHENTICATION_REQUEST_ID_INVALID  F  verify
CLIENT_INVALID                     F  send verify
INVALID_ACCESS_TOKEN               F  send verify
KEY_NOT_FOUND                      F  send verify
MEDIA_TYPE_NOT_ACCEPTABLE          F  send verify
METHOD_NOT_SUPPORTED               F  send verify
PARAM_ILLEGAL                      F  send verify
PROCESS_FAIL                       F  send verify
SIGNATURE_INVALID                  F  send verify
USER_NOT_EXIST                     F  send verify
USER_STATUS_ABNORMAL               F  send verify
VERIFY_TIMES_EXCEED_LIMIT          F  verify
VERIFY_UNMATCHED                   F  verify
REQUEST_TRAFFIC_EXCEED_LIMIT       U  send verify
UNKNOWN_EXCEPTION                  U  send verify
"""
PUBLISHED = {
    (code, status, Operation(operation))
    for code, status, *operations in map(str.split, TABLE.strip().splitlines())
    for operation in operations
}
# Which condition each code stands for, as the documents and our choices say.
EXPECTED = {
    Reason.PATH_UNKNOWN: "API_INVALID",
    Reason.METHOD_UNSUPPORTED: "METHOD_NOT_SUPPORTED",
    Reason.MEDIA_TYPE_UNSUPPORTED: "MEDIA_TYPE_NOT_ACCEPTABLE",
    Reason.BODY_TOO_LARGE: "PARAM_ILLEGAL",
    Reason.BODY_UNREADABLE: "PARAM_ILLEGAL",
    Reason.VERSION_UNSUPPORTED: "PARAM_ILLEGAL",
    Reason.FIELD_MISSING: "PARAM_ILLEGAL",
    Reason.FIELD_INVALID: "PARAM_ILLEGAL",
    Reason.CLIENT_UNKNOWN: "CLIENT_INVALID",
    Reason.PSP_UNKNOWN: "CLIENT_INVALID",
    Reason.KEY_UNKNOWN: "KEY_NOT_FOUND",
    Reason.SIGNATURE_INVALID: "SIGNATURE_INVALID",
    Reason.ENCRYPTION_INVALID: "PARAM_ILLEGAL",
    Reason.REQUEST_STALE: "ACCESS_DENIED",
    Reason.ACCESS_DENIED: "ACCESS_DENIED",
    Reason.TRAFFIC_EXCEEDED: "REQUEST_TRAFFIC_EXCEED_LIMIT",
    Reason.TOKEN_INVALID: "INVALID_ACCESS_TOKEN",
    Reason.TOKEN_EXPIRED: "INVALID_ACCESS_TOKEN",
    Reason.USER_MISSING: "USER_NOT_EXIST",
    Reason.USER_ABNORMAL: "USER_STATUS_ABNORMAL",
    Reason.CHANNEL_UNAVAILABLE: "PARAM_ILLEGAL",
    Reason.SEND_LIMITED: "PROCESS_FAIL",
    Reason.SEND_LOCKED: "PROCESS_FAIL",
    Reason.DELIVERY_REFUSED: "PROCESS_FAIL",
    Reason.PROCESS_FAILED: "PROCESS_FAIL",
    Reason.CODE_UNMATCHED: "VERIFY_UNMATCHED",
    Reason.TRIES_SPENT: "VERIFY_TIMES_EXCEED_LIMIT",
    Reason.USER_LOCKED: "VERIFY_TIMES_EXCEED_LIMIT",
    Reason.CHALLENGE_UNKNOWN: "AUTHENTICATION_REQUEST_ID_INVALID",
    Reason.CHALLENGE_EXPIRED: "AUTHENTICATION_REQUEST_ID_INVALID",
    Reason.USED_UNMATCHED: "AUTHENTICATION_REQUEST_ID_INVALID",
    Reason.CHALLENGE_USED: "AUTHENTICATION_REQUEST_ID_INVALID",
    Reason.CHALLENGE_CLOSED: "AUTHENTICATION_REQUEST_ID_INVALID",
    Reason.REQUEST_PENDING: "UNKNOWN_EXCEPTION",
    Reason.REQUEST_CONFLICT: "PARAM_ILLEGAL",
    Reason.OVERLOADED: "UNKNOWN_EXCEPTION",
    Reason.UNFORESEEN: "UNKNOWN_EXCEPTION",
}


def configure(clock: FrozenClock = CLOCK, signer: LocalSigner = SIGNER, **values: Any) -> Ams:
    names = {"AMS_CLIENTS": {MERCHANT: {"1": KEYS["mpp"]["public_spki_der_b64"]}}, **values}
    return configured(Ams, Deployment(signer, FRESHNESS, clock), **names)


WALLET = configure()


def request(payload: Any = INIT, **signed: Any) -> Inbound:
    usual = {"path": "/initAuthentication", "prefix": USUAL, "client": MERCHANT, "key": "mpp"}
    return inbound(payload, **{**usual, **signed})


def read_init(payload: Any = INIT, wallet: Ams = WALLET, **signed: Any) -> SendOtp:
    parsed = wallet.read(Operation.SEND, wallet.authenticate(request(payload, **signed)))
    assert isinstance(parsed.command, SendOtp)
    return parsed.command


def read_verify(payload: Any = VERIFY, wallet: Ams = WALLET, **signed: Any) -> VerifyOtp:
    parsed = wallet.read(Operation.VERIFY, wallet.authenticate(request(payload, **signed)))
    assert isinstance(parsed.command, VerifyOtp)
    return parsed.command


def body(command: Command | None, outcome: Outcome, wallet: Ams = WALLET) -> dict[str, Any]:
    context = RequestContext(request())
    if command is not None:
        sends = isinstance(command, SendOtp)
        context.operation = Operation.SEND if sends else Operation.VERIFY
        context.parsed = ParsedRequest(command, "AUTH_REQ_0001" if sends else "")
    return dict(json.loads(wallet.answer(context, outcome).body))


def test_a_body_is_read_into_a_command() -> None:
    init, verify = read_init(), read_verify()
    assert init.credential == AccessToken("token")
    assert init.channel is Channel.MOBILE
    assert read_init({**INIT, "authenticationChannelType": "EMAIL"}).channel is Channel.EMAIL
    assert verify.target == BySend(init.request.value)
    assert (verify.code.reveal(), verify.caller) == ("660000", init.caller)


def test_the_published_request_is_let_in_and_read() -> None:
    """The body as the SDK indents it, under the signature that the SDK made."""
    found = vector("ams_req_initAuthentication_sdk_body")
    moment = parse_time(found.time)
    assert moment is not None
    headers = {"client-id": found.client, "request-time": found.time, "signature": found.header}
    published = Inbound("POST", found.uri, "/initAuthentication", headers, found.body, "", USUAL)
    wallet = configure(FrozenClock(moment))
    parsed = wallet.read(Operation.SEND, wallet.authenticate(published))
    assert isinstance(parsed.command, SendOtp)
    assert parsed.command.credential.reveal() == "281010033AB2F588D14B43238637264FCA5A0000"
    assert parsed.for_answer == "AUTH_REQ_0001"
    assert refusal(WALLET.authenticate, published).reason is Reason.REQUEST_STALE


@pytest.mark.parametrize(
    ("name", "request_id", "passed"),
    [
        ("ams_rsp_initAuthentication", "AUTH_REQ_0001", None),
        ("ams_rsp_verifyAuthentication", "", True),
    ],
)
def test_the_published_answers_are_believed_and_have_our_form(
    name: str, request_id: str, passed: bool | None
) -> None:
    """Our caller reads them; our answers have the same fields, in the same order."""
    found = vector(name)

    def wallet(call: HttpCall) -> Response:
        times = ("response-time", found.time), ("client-id", found.client)
        return Response(200, (*times, ("signature", found.header)), found.body)

    merchant = AmsCaller(
        wallet,
        client_id=MERCHANT,
        key=private_key("mpp"),
        server_keys={"1": public_key("alipayplus")},
    )
    answer = merchant.init("t", "1") if request_id else merchant.verify("1", "123456")
    assert (answer.call.uri, answer.verified, answer.code) == (found.uri, True, "SUCCESS")
    assert (answer.request_id, answer.passed) == (request_id, passed)
    asked = read_init() if request_id else read_verify()
    ours = body(asked, Outcome("id", subject="alice"), configure(AMS_BOOLEANS="json"))
    published = json.loads(found.body)
    published["result"]["resultMessage"] = "Success"
    assert json.dumps(ours) == json.dumps(published)


INIT_FIELDS = {"authenticationRequestId": 64, "userIdentityValue": 128}
VERIFY_FIELDS = {"authenticationRequestId": 64, "authenticationValue": 256}
CHOICES = {
    "authenticationType": "OTP",
    "authenticationChannelType": "SMS, EMAIL",
    "userIdentityType": "WALLET_TOKEN",
}


@pytest.mark.parametrize("value", [..., None, "", 7, True, ["x"], {"x": "y"}, "too long"])
@pytest.mark.parametrize(
    ("operation", "field", "longest"),
    [
        *((Operation.SEND, *field) for field in INIT_FIELDS.items()),
        *((Operation.VERIFY, *field) for field in VERIFY_FIELDS.items()),
        *((Operation.SEND, field, 16) for field in CHOICES),
        (Operation.VERIFY, "authenticationType", 16),
    ],
)
def test_a_required_field_is_refused_by_name(
    operation: Operation, field: str, longest: int, value: Any
) -> None:
    """F6: missing, null, empty, no string or one character too long: PARAM_ILLEGAL, with name."""
    payload = {**(INIT if operation is Operation.SEND else VERIFY), field: value}
    if value is ...:
        del payload[field]
    elif value == "too long":
        payload[field] = "x" * (longest + 1)
    refused = refusal(WALLET.read, operation, WALLET.authenticate(request(payload)))
    absent = value is ... or value is None
    assert refused.reason is (Reason.FIELD_MISSING if absent else Reason.FIELD_INVALID)
    assert refused.detail.startswith(f"{field}: ")
    assert (refused.detail == f"{field}: is required.") is absent
    assert "xx" not in refused.detail


@pytest.mark.parametrize(("field", "words"), CHOICES.items())
def test_a_word_that_is_none_is_told_which_ones_there_are(field: str, words: str) -> None:
    """F6: in their own spelling."""
    for value in ("PIGEON", "otp", "sms", "MOBILE"):
        refused = refusal(read_init, {**INIT, field: value})
        assert refused.detail == f"{field}: must be one of {words}."


def test_each_field_may_be_as_long_as_documented() -> None:
    longest = {field: "7" * size for field, size in (INIT_FIELDS | VERIFY_FIELDS).items()}
    assert read_init({**INIT, **longest}).credential.reveal() == "7" * 128
    assert read_verify({**VERIFY, **longest}).code.reveal() == "7" * 256


@pytest.mark.parametrize("typed", NO_DIGITS)
def test_what_is_not_of_digits_alone_is_an_illegal_parameter(typed: str) -> None:
    """L11: as on Alipay+."""
    refused = refusal(read_verify, {**VERIFY, "authenticationValue": typed})
    assert refused.reason is Reason.FIELD_INVALID
    assert refused.detail == "authenticationValue: must be a string of 1 to 256 digits."


def test_a_request_is_named_by_merchant_and_id() -> None:
    """S10: the same for a repeat that is signed anew, and no other for other parameters."""
    first = read_init()
    later = CLOCK.now.replace(second=1).isoformat()
    assert read_init(time=later).request == first.request
    other = read_init({**INIT, "authenticationRequestId": "AUTH_REQ_0002"})
    assert other.request.value != first.request.value
    for change in ({"userIdentityValue": "t"}, {"authenticationChannelType": "EMAIL"}):
        changed = read_init({**INIT, **change}).request
        assert changed.value == first.request.value
        assert changed.digest != first.request.digest
    assert len(first.request.value) == len(first.request.digest) == 64
    assert "token" not in repr(first)


def test_a_guess_is_named_by_its_bytes() -> None:
    """S10, A1: a second guess is a second try; its copy is none."""
    later = CLOCK.now.replace(second=1).isoformat()
    first = read_verify().request
    assert read_verify().request == first
    assert read_verify(time=later).request != first
    assert not first.chosen_by_caller


def test_another_merchant_has_names_and_challenges_of_its_own() -> None:
    """L8: even if its ids are the same."""
    clients = {name: {"1": KEYS["mpp"]["public_spki_der_b64"]} for name in (MERCHANT, "M2")}
    wallet = configure(AMS_CLIENTS=clients)
    one, two = read_init(wallet=wallet), read_init(wallet=wallet, client="M2")
    assert one.caller != two.caller
    assert one.request.value != two.request.value


def test_what_is_not_final_is_not_remembered() -> None:
    """S10: and a send at work always is, whatever its code."""
    caches = read_init().request.caches
    assert {reason for reason in Reason if not caches(reason)} == {
        Reason.TRAFFIC_EXCEEDED,
        Reason.OVERLOADED,
        Reason.UNFORESEEN,
    }
    assert caches(None)
    softer = configure(AMS_CODES={"SEND_LIMITED": "REQUEST_TRAFFIC_EXCEED_LIMIT"})
    assert not read_init(wallet=softer).request.caches(Reason.SEND_LIMITED)


def test_a_name_is_kept_for_longer_than_a_code_or_a_request_can_live() -> None:
    """S10: whatever the settings allow; and a repeat waits for less than a caller does."""
    assert read_init().request.ttl == timedelta(days=1)
    assert read_init(wallet=configure(AMS_KEEP=3600)).request.ttl == timedelta(hours=1)
    assert timedelta(hours=1) > max(timedelta(seconds=600), 2 * MAX_FRESHNESS)
    assert read_init().wait == WAIT_FOR_PENDING < timedelta(seconds=5)


SANDBOX_CLIENT = "SANDBOX_5X00000000000000"


@pytest.mark.parametrize("client", [MERCHANT, SANDBOX_CLIENT, "MY_SANDBOX_1", "sandbox_1"])
def test_a_client_of_the_sandbox_calls_the_sandbox_and_nobody_else(client: str) -> None:
    """G13: told only to who has signed as that client."""
    clients = {client: {"1": KEYS["mpp"]["public_spki_der_b64"]}}
    wallet = configure(AMS_CLIENTS=clients)
    home, abroad = (SANDBOX, USUAL) if client == SANDBOX_CLIENT else (USUAL, SANDBOX)
    assert wallet.authenticate(request(client=client, prefix=home)).client == client
    refused = refusal(wallet.authenticate, request(client=client, prefix=abroad))
    assert refused.reason is Reason.ACCESS_DENIED
    assert "SANDBOX_" in refused.detail
    forged = request(client=client, prefix=abroad, key="unrelated")
    assert refusal(wallet.authenticate, forged).reason is Reason.SIGNATURE_INVALID


def test_a_client_of_the_sandbox_is_served_at_both_prefixes_if_that_is_set() -> None:
    """G13: and no other client is."""
    clients = {
        name: {"1": KEYS["mpp"]["public_spki_der_b64"]} for name in (MERCHANT, SANDBOX_CLIENT)
    }
    wallet = configure(AMS_CLIENTS=clients, AMS_SANDBOX_AT_BOTH=True)
    for prefix in (USUAL, SANDBOX):
        assert wallet.authenticate(request(client=SANDBOX_CLIENT, prefix=prefix))
    assert wallet.authenticate(request(prefix=USUAL))
    refused = refusal(wallet.authenticate, request(prefix=SANDBOX))
    assert refused.reason is Reason.ACCESS_DENIED


def test_every_reason_has_a_code_of_the_table() -> None:
    """O5: the map is total, and each reason has the code that is published for it."""
    assert set(CODES) == set(Reason) == set(EXPECTED)
    assert {reason: row.code for reason, row in CODES.items()} == EXPECTED
    assert Ams.codes is CODES
    assert Ams.success is SUCCESS


def test_both_published_tables_are_complete_and_nothing_is_added() -> None:
    """O5: every row, with its status."""
    offered = {
        (row.code, row.status, operation)
        for row in [SUCCESS, *CODES.values()]
        for operation in row.operations
    }
    assert offered == PUBLISHED


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.name)
@pytest.mark.parametrize("asked", ["init", "verify", "nothing that was read"])
@pytest.mark.alike(10)
def test_every_refusal_is_written_with_code_status_and_message(reason: Reason, asked: str) -> None:
    """O5: an init is told its id as far as it was read."""
    commands: dict[str, SendOtp | VerifyOtp] = {"init": read_init(), "verify": read_verify()}
    written = body(commands.get(asked), Outcome(reason=reason))
    row = CODES[reason]
    assert written.pop("result") == {
        "resultCode": EXPECTED[reason],
        "resultStatus": row.status,
        "resultMessage": row.tell(),
    }
    if asked == "init":
        assert written == {"authenticationRequestId": "AUTH_REQ_0001"}
    else:
        assert written == {}


def test_the_code_of_an_answer_is_known_before_it_is_written() -> None:
    """O11: the row of a decision has the code that its answer will tell."""
    for operation in (Operation.SEND, Operation.VERIFY):
        context = RequestContext(request(), operation, WALLET.authenticate(request()))
        for reason in (None, *Reason):
            answer = WALLET.answer(context, Outcome("an id", reason))
            assert WALLET.told_code(operation, reason) == answer.told


def test_all_that_can_be_wrong_with_an_id_is_one_answer() -> None:
    """L8: unknown, foreign, expired, used or superseded: nothing leaks."""
    answers = [
        body(read_verify(), Outcome(reason=reason))
        for reason in Reason
        if reason.name.startswith("CHALLENGE_") or reason is Reason.USED_UNMATCHED
    ]
    assert len(answers) == 5
    assert all(answer == answers[0] for answer in answers)


def test_a_right_code_is_told_by_a_string_and_a_wrong_one_by_none_unless_configured() -> None:
    """The pages say that Booleans are strings, and "false" is true in JavaScript and Python."""
    verify, done, wrong = (
        read_verify(),
        Outcome("id", subject="alice"),
        Outcome(reason=Reason.CODE_UNMATCHED),
    )
    assert body(verify, done)["isPassed"] == "true"
    assert "isPassed" not in body(verify, wrong)
    json_ones = configure(AMS_BOOLEANS="json")
    assert [body(verify, answer, json_ones)["isPassed"] for answer in (done, wrong)] == [
        True,
        False,
    ]


def test_the_send_cap_tells_what_its_code_does_not() -> None:
    """S2: and when it ends."""
    capped = Outcome(reason=Reason.SEND_LIMITED, until=datetime(2026, 1, 1, 12, 30, tzinfo=UTC))
    assert body(read_init(), capped)["result"]["resultMessage"] == (
        "A general business failure occurred. Do not retry. "
        "No OTP can be sent to this user for now. Not before 2026-01-01T12:30:00Z."
    )


def test_an_answer_is_sealed_for_the_place_that_was_called() -> None:
    """G9, G13: an answer of the sandbox is none of the usual place."""
    for prefix in (USUAL, SANDBOX):
        asked = request(prefix=prefix)
        outbound = WALLET.answer(RequestContext(asked), Outcome(reason=Reason.ACCESS_DENIED))
        headers = dict(outbound.headers)
        data = rsa256.canonical(
            "POST", asked.uri, MERCHANT, headers["response-time"], outbound.body
        )
        signature = SignatureHeader.parse(headers["signature"]).signature
        assert rsa256.holds(public_key("mpp"), signature, data)


def test_without_settings_it_lies_where_ams_documents_it() -> None:
    """And a hook may know the keys that no setting lists."""
    assert WALLET.mounts == (Mount(USUAL, USUAL), Mount(SANDBOX, SANDBOX))
    assert WALLET.paths == {
        "/initAuthentication": Operation.SEND,
        "/verifyAuthentication": Operation.VERIFY,
    }
    hooked = Deployment(SIGNER, FRESHNESS, CLOCK, lambda client, version: public_key("mpp"))
    assert configured(Ams, hooked).authenticate(request(client="M9")).client == "M9"


def test_places_and_paths_can_be_others() -> None:
    """G11: and a proxy may rewrite either place."""
    wallet = configure(
        AMS_PREFIX="/p",
        AMS_PUBLIC_PREFIX="/q",
        AMS_SANDBOX_PREFIX="/sp",
        AMS_SANDBOX_PUBLIC_PREFIX="/sq",
        AMS_SEND_PATH="/i",
        AMS_VERIFY_PATH="/v",
    )
    assert wallet.mounts == (Mount("/p", "/q"), Mount("/sp", "/sq"))
    assert wallet.paths == {"/i": Operation.SEND, "/v": Operation.VERIFY}


def test_two_apis_can_not_lie_on_one_path() -> None:
    """F2: the second of them would never be reached."""
    with pytest.raises(ConfigurationError, match="'OTP_MPP_AMS_VERIFY_PATH'"):
        configure(AMS_SEND_PATH="/otp", AMS_VERIFY_PATH="/otp")


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ({"AMS_KEEP": 3599}, "3599 is too small; set it to 3600 to 2592000 seconds"),
        ({"AMS_KEEP": 2592001}, "2592001 is too large; set it to 3600 to 2592000 seconds"),
        ({"AMS_BOOLEANS": "yes"}, "'string' or 'json'"),
        ({"AMS_CLIENTS": {"C": {"1": "rubbish"}}}, "client 'C': key '1'"),
        ({"AMS_SANDBOX_PREFIX": "ams/"}, "slash"),
    ],
)
def test_a_setting_that_can_not_be_used_says_what_would_do(
    values: dict[str, Any], finding: str
) -> None:
    """F2: by its key, and without repeating a key that was given."""
    with pytest.raises(ConfigurationError, match=finding) as caught:
        configure(**values)
    assert "rubbish" not in str(caught.value)
