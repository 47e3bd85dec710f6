"""Cheap checks come before expensive ones; every refusal is answered and reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flask_otp_mpp import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.message import Composer
from flask_otp_mpp.core.reasons import Outcome, Reason, Refused, refuse
from flask_otp_mpp.core.service import ById, OtpService, SendOtp, VerifyOtp
from flask_otp_mpp.protocols.base import handle, reject
from flask_otp_mpp.protocols.values import Event, Inbound
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.client_keys import ClientKeys
from flask_otp_mpp.signing.rsa256 import SignatureHeader
from tests.core.builders import Harness
from tests.protocols.caller import CLIENT, CLIENT_KEYS, COMMON, inbound, protocol
from tests.vectors import public_key

ANSWER = {**COMMON, "verifyRequestId": "request", "otpCode": "660000"}
UNTIL = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALLER = Caller("alipayplus", CLIENT, COMMON["acquirerId"], COMMON["pspId"])


class Recorder:
    """Traffic limits, keys and service at once; records what is called, in order."""

    def __init__(self, refusing: str = "", fault: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.commands: list[SendOtp | VerifyOtp] = []
        self.refusing = refusing
        self.fault = fault or Refused(Reason.TRAFFIC_EXCEEDED)

    def ask(self, whom: str) -> None:
        self.asked.append(whom)
        if whom == self.refusing:
            raise self.fault

    def check_address(self, address: str) -> None:
        raise AssertionError(f"{address} is counted before a request is handled")

    def check_client(self, name: str, client: str) -> None:
        assert (name, client) == ("alipayplus", CLIENT)
        self.ask("client")

    def send(self, command: SendOtp) -> Outcome:
        self.commands.append(command)
        self.ask("send")
        return Outcome("the-id", subject="alice")

    def verify(self, command: VerifyOtp) -> Outcome:
        self.commands.append(command)
        self.ask("verify")
        assert isinstance(command.target, ById)
        return Outcome(command.target.challenge_id, subject="alice", repeated=True)


class Service(OtpService):
    """A service that passes commands on to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def send(self, command: SendOtp) -> Outcome:
        return self._recorder.send(command)

    def verify(self, command: VerifyOtp) -> Outcome:
        return self._recorder.verify(command)


def serve(request: Inbound, recorder: Recorder) -> tuple[str, Event]:
    """Return the code of the answer, whose signature must hold, and the event."""

    def key(client: str, version: str | None) -> Any:
        recorder.ask("key")
        return ClientKeys(CLIENT_KEYS).find(client, version)

    wallet = protocol(key)
    outbound, event = handle(wallet, request, Service(recorder), recorder)
    headers = dict(outbound.headers)
    signature = SignatureHeader.parse(headers["signature"]).signature
    data = rsa256.canonical(
        request.method, request.uri, headers["client-id"], headers["response-time"], outbound.body
    )
    assert rsa256.holds(public_key("mpp"), signature, data)
    return json.loads(outbound.body)["result"]["resultCode"], event


def test_a_send_passes_every_check_in_order() -> None:
    recorder = Recorder()
    code, event = serve(inbound(), recorder)
    assert code == "SUCCESS"
    assert recorder.asked == ["key", "client", "send"]
    assert event == Event(
        "alipayplus",
        event.operation,
        CALLER,
        challenge_id="the-id",
        subject="alice",
        channel=Channel.MOBILE,
        code="SUCCESS",
    )
    assert event.operation == "send"
    (command,) = recorder.commands
    assert isinstance(command, SendOtp)
    assert command.channel is Channel.MOBILE


def test_a_verification_passes_every_check_in_order() -> None:
    recorder = Recorder()
    code, event = serve(inbound(ANSWER, path="/verifyOTP"), recorder)
    assert code == "SUCCESS"
    assert recorder.asked == ["key", "client", "verify"]
    assert (event.operation, event.challenge_id, event.repeated) == ("verify", "request", True)


@pytest.mark.parametrize(
    ("request_", "asked", "reason"),
    [
        (inbound(path="/other", method="GET"), [], Reason.PATH_UNKNOWN),
        (inbound(method="GET"), [], Reason.METHOD_UNSUPPORTED),
        (
            inbound(headers={"content-type": "text/plain"}),
            [],
            Reason.MEDIA_TYPE_UNSUPPORTED,
        ),
        (inbound(headers={"client-id": None}), [], Reason.CLIENT_UNKNOWN),
        (inbound(b"{", client="NOBODY"), ["key"], Reason.CLIENT_UNKNOWN),
        (inbound(b"{", key="mpp"), ["key"], Reason.SIGNATURE_INVALID),
        (inbound(b"{", time="2020-01-01T00:00:00Z"), ["key"], Reason.REQUEST_STALE),
        (inbound(b"{"), ["key"], Reason.BODY_UNREADABLE),
        (inbound({}), ["key"], Reason.FIELD_MISSING),
        (inbound({**COMMON, "pspId": "x"}), ["key"], Reason.PSP_UNKNOWN),
    ],
)
def test_a_request_goes_no_further_than_its_first_fault(
    request_: Inbound, asked: list[str], reason: Reason
) -> None:
    """G1, R4: nobody pays from a client's limit, and no hook is called, before the fields hold."""
    recorder = Recorder()
    code, event = serve(request_, recorder)
    assert recorder.asked == asked
    assert event.reason is reason
    assert code == protocol().codes[reason].code
    assert (event.challenge_id, event.subject, event.repeated) == ("", "", False)


def test_traffic_of_a_client_is_limited_before_the_service_works() -> None:
    """R4: only what the client has signed and filled in rightly is counted for it."""
    recorder = Recorder("client")
    code, event = serve(inbound(), recorder)
    assert code == "REQUEST_TRAFFIC_EXCEED_LIMIT"
    assert recorder.asked == ["key", "client"]
    assert (event.operation, event.caller) == ("send", CALLER)


def test_an_event_names_a_client_only_when_its_signature_held() -> None:
    """P1, G1: what was merely claimed is reported of nobody."""
    assert serve(inbound(key="mpp"), Recorder())[1].caller is None
    assert serve(inbound({}), Recorder())[1].caller == Caller("alipayplus", CLIENT)


def test_a_refusal_by_the_service_is_answered_and_reported_with_its_end() -> None:
    """A5: a lock is told in message and event."""
    recorder = Recorder("verify", Refused(Reason.USER_LOCKED, until=UNTIL))
    code, event = serve(inbound(ANSWER, path="/verifyOTP"), recorder)
    assert code == "OTP_VERIFY_TIMES_EXCEED_LIMIT"
    assert (event.reason, event.until, event.caller) == (Reason.USER_LOCKED, UNTIL, CALLER)


def test_what_is_unforeseen_is_left_to_whoever_reports_it() -> None:
    """A crash is no refusal: it is not answered here, so that it is not swallowed here."""
    with pytest.raises(ZeroDivisionError):
        serve(inbound(), Recorder("send", ZeroDivisionError()))


def test_a_rejected_request_gets_a_signed_answer_too() -> None:
    """G9: a request that never came to the checks is answered like any other."""
    request = inbound()
    outbound, event = reject(protocol(), request, Outcome(reason=Reason.BODY_TOO_LARGE))
    assert json.loads(outbound.body)["result"]["resultCode"] == "PARAM_ILLEGAL"
    assert "signature" in dict(outbound.headers)
    assert event == Event("alipayplus", reason=Reason.BODY_TOO_LARGE, code="PARAM_ILLEGAL")


@pytest.mark.parametrize(
    ("signed", "called"), [("/sendOTP", "/verifyOTP"), ("/verifyOTP", "/sendOTP")]
)
def test_a_request_that_was_signed_for_one_api_is_refused_by_the_other(
    signed: str, called: str
) -> None:
    """G13: the signature covers the path, so it can't be carried over."""
    genuine = inbound(ANSWER, path=signed)
    carried = replace(genuine, path=called, uri=genuine.uri.replace(signed, called))
    recorder = Recorder()
    code, _ = serve(carried, recorder)
    assert code == "INVALID_SIGNATURE"
    assert recorder.commands == []


def test_the_whole_way_from_a_signed_request_to_the_right_code() -> None:
    """S3: the code goes to whom the host names, whatever else the body says."""
    harness = Harness(load_user={"token": "alice"}.get)
    recorder = Recorder()
    payload = {**COMMON, "phone": "+49 170 0000000", "email": "mallory@example.com"}
    outbound, _ = handle(protocol(), inbound(payload), harness.service, recorder)
    challenge_id = json.loads(outbound.body)["verifyRequestId"]
    ((user, message),) = harness.inbox.received
    assert user == "alice"
    assert message == Composer("Wallet").compose(
        message.secret_code, Channel.MOBILE, message.life, CALLER
    )
    codes = [harness.wrong(), message.code]
    expected = ["OTP_VERIFY_UNMATCHED", "SUCCESS"]
    found = []
    for code in codes:
        answer = {**COMMON, "verifyRequestId": challenge_id, "otpCode": code}
        request = inbound(answer, path="/verifyOTP")
        outbound, _ = handle(protocol(), request, harness.service, recorder)
        found.append(json.loads(outbound.body)["result"]["resultCode"])
    assert found == expected


def test_another_acquirer_can_not_answer_a_challenge() -> None:
    """L8: client, acquirer and wallet are those that asked, or the id is unknown."""
    harness = Harness(load_user={"token": "alice"}.get)
    outbound, _ = handle(protocol(), inbound(), harness.service, Recorder())
    challenge_id = json.loads(outbound.body)["verifyRequestId"]
    changes: list[Callable[[dict[str, str]], dict[str, str]]] = [
        lambda body: {**body, "acquirerId": "other"},
        lambda body: {**body, "pspId": "psp2"},
    ]
    wallet = protocol(psp_ids=frozenset({"psp", "psp2"}))
    answer = {**COMMON, "verifyRequestId": challenge_id, "otpCode": harness.inbox.code}
    for change in changes:
        request = inbound(change(answer), path="/verifyOTP")
        _, event = handle(wallet, request, harness.service, Recorder())
        assert event.reason is Reason.CHALLENGE_UNKNOWN
    _, event = handle(wallet, inbound(answer, path="/verifyOTP"), harness.service, Recorder())
    assert event.reason is None


def test_a_host_may_refuse_from_its_hooks() -> None:
    harness = Harness(load_user=lambda _: refuse(Reason.USER_ABNORMAL, "frozen"))
    outbound, event = handle(protocol(), inbound(), harness.service, Recorder())
    result = json.loads(outbound.body)["result"]
    assert result["resultCode"] == "USER_STATUS_ABNORMAL"
    assert result["resultMessage"] == "The user status is abnormal. frozen"
    assert event.reason is Reason.USER_ABNORMAL
