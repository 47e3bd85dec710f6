"""Google's three methods over HTTP: every row of its result and error tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, g
from flask.typing import ResponseReturnValue

from flask_otp_mpp import (
    Caller,
    Channel,
    OtpMpp,
    Reason,
    StoreError,
    Subject,
    refuse,
    state_of,
)
from flask_otp_mpp.callers.google_answer import GoogleAnswer
from flask_otp_mpp.callers.google_faults import Tamper
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.testing import FrozenClock
from tests.codes import wrong_code
from tests.wallet import User
from tests.web.google_wallet import (
    ADA,
    BOB,
    REFUSED_NUMBERS,
    UNKNOWN_NUMBER,
    GoogleWallet,
    by_number,
    open_google,
)

NUMBER_OF = {reason: number for number, (reason, detail) in REFUSED_NUMBERS.items() if not detail}


@pytest.fixture
def wallet() -> GoogleWallet:
    return open_google()


def assert_error(answer: GoogleAnswer, status: int, code: str) -> None:
    """Check that an answer is a complete ErrorResponse, and nothing else."""
    assert (answer.status, answer.error) == (status, code)
    assert set(answer.json) == {
        "responseHeader",
        "errorResponseCode",
        "errorDescription",
        "paymentIntegratorErrorIdentifier",
    }
    assert answer.json["paymentIntegratorErrorIdentifier"]


def assert_bare(answer: GoogleAnswer, status: int) -> None:
    """Check that an answer is a status without a body or telling headers."""
    headers = {name.lower() for name, _ in answer.response.headers}
    assert (answer.status, answer.response.body) == (status, b"")
    assert headers - {"retry-after", "allow"} == {"content-length", "cache-control"}


def test_a_code_is_sent_and_verified(wallet: GoogleWallet) -> None:
    """The two samples of the documentation, with the requestId that they share."""
    sent = wallet.google.send(ADA, request_id="0123434-otp-abc")
    stamp = str(int(wallet.clock().timestamp() * 1000))
    assert sent.status == 200
    assert sent.json == {
        "responseHeader": {"responseTimestamp": stamp},
        "paymentIntegratorSendOtpId": sent.json["paymentIntegratorSendOtpId"],
        "result": "SUCCESS",
    }
    verified = wallet.google.verify(
        "0123434-otp-abc", wallet.inbox.code, request_id="0123434-otp-abc"
    )
    assert verified.status == 200
    assert verified.json == {
        "responseHeader": {"responseTimestamp": stamp},
        "paymentIntegratorVerifyOtpId": verified.json["paymentIntegratorVerifyOtpId"],
        "result": "SUCCESS",
    }
    assert len(wallet.inbox) == 1


def test_the_matching_token_has_a_line_of_its_own(wallet: GoogleWallet) -> None:
    """Android looks for it there; the code comes before it."""
    wallet.google.send(ADA, smsMatchingToken="FA+9qCX9VSu")
    body = wallet.inbox.received[-1][1].body
    assert "FA+9qCX9VSu" in body.splitlines()
    assert wallet.inbox.code in body.splitlines()[0]


def test_the_address_comes_from_the_lookup(wallet: GoogleWallet) -> None:
    """S3: the request's number finds the user; the host knows the address."""
    answer = wallet.google.send(associationId="assoc-ada")
    assert answer.result == "SUCCESS"
    user, message = wallet.inbox.received[-1]
    assert (user.id, user.phone) == ("ada", "+91806721ada")
    assert message.channel is Channel.MOBILE
    wallet.clock.forward(seconds=61)
    wallet.google.send("+9108067218010")  # with the national prefix
    assert wallet.inbox.received[-1][0].phone == ADA


def test_an_echo_returns_the_message(wallet: GoogleWallet) -> None:
    """Exactly; without a signal, the store and a code."""
    for word in ("hello", "", 'grüße "大"\n\x00', "a" * 8000):
        answer = wallet.google.echo(word)
        assert answer.status == 200
        assert set(answer.json) == {"responseHeader", "clientMessage"}
        assert answer.json["clientMessage"] == word


# The rows of verifyOtp's results.


def test_a_wrong_code_does_not_match(wallet: GoogleWallet) -> None:
    sent, code = wallet.sent()
    wrong = wallet.google.verify(sent, wrong_code(code))
    assert (wrong.status, wrong.result) == (200, "OTP_NOT_MATCHED")
    assert wrong.json["paymentIntegratorVerifyOtpId"]
    for guess in ("abc", code + "0", f" {code}", code.translate(str.maketrans("0123", "٠١٢٣"))):
        if guess != code:
            assert wallet.google.verify(sent, guess).result == "OTP_NOT_MATCHED"
    assert wallet.google.verify(sent, "1" * 33).error == "INVALID_FIELD_VALUE"


def test_a_used_code_is_reported_as_used(wallet: GoogleWallet) -> None:
    """With a new requestId, for the right code and for a wrong one."""
    sent, code = wallet.sent()
    assert wallet.google.verify(sent, code).result == "SUCCESS"
    assert wallet.google.verify(sent, code).result == "OTP_ALREADY_USED"
    assert wallet.google.verify(sent, "000000").result == "OTP_NOT_MATCHED"


def test_an_expired_code_does_not_match(wallet: GoogleWallet) -> None:
    sent, code = wallet.sent()
    wallet.clock.forward(seconds=301)
    answer = wallet.google.verify(sent, code)
    assert (answer.status, answer.result) == (200, "OTP_NOT_MATCHED")


def test_used_up_tries_fail_the_right_code_too(wallet: GoogleWallet) -> None:
    sent, code = wallet.sent()
    for _ in range(5):
        assert wallet.google.verify(sent, "x").result == "OTP_NOT_MATCHED"
    assert wallet.google.verify(sent, code).result == "OTP_NOT_MATCHED"


def test_a_code_closed_by_a_new_send_does_not_match(wallet: GoogleWallet) -> None:
    old, code = wallet.sent()
    new, newer = wallet.sent()
    assert wallet.google.verify(old, code).result == "OTP_NOT_MATCHED"
    assert wallet.google.verify(new, newer).result == "SUCCESS"


def test_a_lock_is_not_disclosed(wallet: GoogleWallet) -> None:
    """Google has no result for a lock, so the right code does not match; a send is refused."""
    for wrong in (5, 4, 1):
        sent, code = wallet.sent()
        for _ in range(wrong):
            assert wallet.google.verify(sent, "x").result == "OTP_NOT_MATCHED"
    assert wallet.google.verify(sent, code).result == "OTP_NOT_MATCHED"  # with tries left
    wallet.clock.forward(seconds=61)
    assert_error(wallet.google.send(ADA), 400, "PRECONDITION_VIOLATION")
    assert len(wallet.inbox) == 3


def test_an_unknown_send_is_an_invalid_identifier(wallet: GoogleWallet) -> None:
    """Never sent, answered without a code, and an unknown requestId are answered alike."""
    refused = wallet.google.send(UNKNOWN_NUMBER)
    wallet.sent()
    capped = wallet.google.send(ADA)
    assert_error(capped, 400, "PRECONDITION_VIOLATION")
    for sent in ("never", refused.request_id, capped.request_id):
        answer = wallet.google.verify(sent, wallet.inbox.code)
        assert_error(answer, 404, "INVALID_IDENTIFIER")
        assert answer.description == "sendOtpRequestId"


def test_another_accounts_send_is_an_invalid_identifier() -> None:
    """One account can neither verify another's code nor count its tries."""
    accounts = {
        "one": {"envelope": "plain"},
        "two": {"envelope": "plain", "paths": ["/two/v1", "/integrator-base-path/e-wallets-v1"]},
    }
    wallet = open_google(accounts=accounts)
    one = wallet.google
    two = wallet.calling(prefix="/google/two/v1")
    wallets = wallet.calling(prefix="/google/integrator-base-path/e-wallets-v1")
    sent, code = wallet.sent()
    for other in (two, wallets):
        for _ in range(6):
            answer = other.verify(sent, code)
            assert_error(answer, 404, "INVALID_IDENTIFIER")
    assert one.verify(sent, code).result == "SUCCESS"
    wallet.clock.forward(seconds=61)
    again = two.send(ADA, request_id=sent)  # a requestId belongs to its account
    assert again.result == "SUCCESS"
    assert len(wallet.inbox) == 2
    assert wallets.verify(sent, wallet.inbox.code).result == "SUCCESS"  # both paths are one account


# The rows of sendOtp's results.


@pytest.mark.parametrize(
    ("number", "result"),
    [
        (UNKNOWN_NUMBER, "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"),
        ("+15", "INVALID_PHONE_NUMBER"),
        ("no number", "INVALID_PHONE_NUMBER"),
        (NUMBER_OF[Reason.CHANNEL_UNAVAILABLE], "INVALID_PHONE_NUMBER"),
        (NUMBER_OF[Reason.USER_ABNORMAL], "ACCOUNT_CLOSED_FRAUD"),
    ],
)
def test_a_lookup_ends_in_a_result(wallet: GoogleWallet, number: str, result: str) -> None:
    """HTTP 200: the request was handled."""
    answer = wallet.google.send(number)
    assert (answer.status, answer.result) == (200, result)
    assert set(answer.json) == {"responseHeader", "result"}
    assert len(wallet.inbox) == 0


def test_a_hook_can_return_another_agreed_result() -> None:
    """Only one that the settings list; any other is answered by the result of the reason."""
    by_detail = {detail: number for number, (_, detail) in REFUSED_NUMBERS.items() if detail}
    agreed = open_google(OTP_MPP_GOOGLE_SEND_RESULTS=["ACCOUNT_ON_HOLD"]).google
    assert agreed.send(by_detail["ACCOUNT_ON_HOLD"]).result == "ACCOUNT_ON_HOLD"
    assert agreed.send(by_detail["NEVER_AGREED"]).result == "ACCOUNT_CLOSED_FRAUD"
    usual = open_google().google
    assert usual.send(by_detail["ACCOUNT_ON_HOLD"]).result == "ACCOUNT_CLOSED_FRAUD"
    assert usual.send(by_detail["ACCOUNT_CLOSED_FRAUD"]).result == "ACCOUNT_CLOSED_FRAUD"


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        (Reason.ACCESS_DENIED, 403, "FORBIDDEN"),
        (Reason.PROCESS_FAILED, 400, "PRECONDITION_VIOLATION"),
        (Reason.DELIVERY_REFUSED, 400, "PRECONDITION_VIOLATION"),
        (Reason.CODE_UNMATCHED, 400, "PRECONDITION_VIOLATION"),
    ],
)
def test_a_hook_refuses_by_an_error(
    wallet: GoogleWallet, reason: Reason, status: int, code: str
) -> None:
    """The last reason has no result in sendOtp's list, so it is an error."""
    assert_error(wallet.google.send(NUMBER_OF[reason]), status, code)


def test_an_association_that_is_unknown_is_an_invalid_identifier(wallet: GoogleWallet) -> None:
    answer = wallet.google.send(associationId="nothing")
    assert_error(answer, 404, "INVALID_IDENTIFIER")
    assert answer.description == "associationId"
    gone = wallet.google.send(associationId="assoc-gone")
    assert gone.result == "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"


def test_the_send_limit_is_a_violated_precondition(wallet: GoogleWallet) -> None:
    """The description says until when; the answer is not stored."""
    wallet.sent()
    capped = wallet.google.send(ADA, request_id="capped")
    assert_error(capped, 400, "PRECONDITION_VIOLATION")
    assert "Not before 2026-01-01T00:01:46Z." in capped.description
    wallet.clock.forward(seconds=61)
    assert wallet.google.send(ADA, request_id="capped").result == "SUCCESS"


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        (Reason.USER_ABNORMAL, 400, "PRECONDITION_VIOLATION"),
        (Reason.USER_MISSING, 400, "PRECONDITION_VIOLATION"),
        (Reason.TOKEN_INVALID, 400, "PRECONDITION_VIOLATION"),
        (Reason.ACCESS_DENIED, 403, "FORBIDDEN"),
    ],
)
def test_a_user_who_is_blocked_meanwhile_is_not_verified(
    reason: Reason, status: int, code: str
) -> None:
    """By the optional hook for a Subject; verifyOtp has no result for it."""

    def prepare(app: Flask, otp: OtpMpp) -> None:
        otp.user_loader(Subject)(lambda subject, caller: refuse(reason))

    wallet = open_google(prepare=prepare)
    sent, code_sent = wallet.sent()
    assert_error(wallet.google.verify(sent, code_sent), status, code)


# The rows of the error table that come before the work.


@pytest.mark.parametrize(
    ("tamper", "status", "code"),
    [
        ("json", 400, "INVALID_DECRYPTED_REQUEST"),
        ("duplicate", 400, "INVALID_DECRYPTED_REQUEST"),
        ("version", 400, "INVALID_API_VERSION"),
        ("stale", 400, "REQUEST_TIMESTAMP_OUT_OF_RANGE"),
        ("early", 400, "REQUEST_TIMESTAMP_OUT_OF_RANGE"),
        ("no-header", 400, "MISSING_REQUIRED_FIELD"),
        ("no-time", 400, "MISSING_REQUIRED_FIELD"),
        ("no-id", 400, "MISSING_REQUIRED_FIELD"),
        ("id", 400, "INVALID_FIELD_VALUE"),
    ],
)
@pytest.mark.parametrize("method", ["send", "verify", "echo"])
@pytest.mark.alike(5)
def test_an_invalid_message_gets_an_error_that_names_the_fault(
    wallet: GoogleWallet, method: str, tamper: Tamper, status: int, code: str
) -> None:
    call: dict[str, Callable[..., GoogleAnswer]] = {
        "send": lambda **how: wallet.google.send(ADA, **how),
        "verify": lambda **how: wallet.google.verify("sent", "123456", **how),
        "echo": wallet.google.echo,
    }
    assert_error(call[method](tamper=tamper), status, code)
    assert len(wallet.inbox) == 0


def test_the_freshness_window_is_a_setting() -> None:
    wallet = open_google(OTP_MPP_GOOGLE_FRESHNESS=10)
    call = wallet.google.prepare("echo", {"clientMessage": "hello"})
    wallet.clock.forward(seconds=10)
    assert wallet.google.deliver(*call).status == 200
    wallet.clock.forward(seconds=1)
    assert wallet.google.deliver(*call).error == "REQUEST_TIMESTAMP_OUT_OF_RANGE"


def test_an_unknown_path_or_method_gets_no_body(wallet: GoogleWallet) -> None:
    """The caller is not authenticated, so nothing is encrypted."""
    for method in ("sendotp", "", "sendOtp/", "other/echo", "/echo"):
        assert_bare(wallet.google.call(method, {}), 404)
    bare = wallet.google.echo(tamper="method")
    assert_bare(bare, 405)
    assert ("allow", "POST") in bare.response.headers


def test_a_too_long_body_gets_no_body() -> None:
    wallet = open_google(OTP_MPP_BODY_LIMIT=1024)
    assert_bare(wallet.google.echo("a" * 1024), 413)


def test_too_much_traffic_is_refused_with_a_time_to_wait() -> None:
    """By address before decryption, by account after it: 503 with Retry-After."""
    for limit in ("ADDRESS", "CLIENT"):
        few: dict[str, Any] = {f"OTP_MPP_{limit}_LIMIT": "2 per minute"}
        wallet = open_google(**few)
        answers = [wallet.google.echo() for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 503]
        assert_bare(answers[-1], 503)
        assert ("retry-after", "5") in answers[-1].response.headers


@pytest.mark.parametrize(("seconds", "retry_after"), [(90, "90"), (-5, "1")])
def test_the_end_of_a_hosts_limit_is_in_the_answer(seconds: int, retry_after: str) -> None:
    """As a hook names it; for an end in the past it is one second."""
    end = FrozenClock()() + timedelta(seconds=seconds)

    def load(number: str, caller: Caller) -> User | None:
        refuse(Reason.TRAFFIC_EXCEEDED, until=end)

    answer = open_google(loader=load).google.send(ADA)
    assert_bare(answer, 503)
    assert ("retry-after", retry_after) in answer.response.headers


def test_a_failure_gets_no_body_and_is_not_stored() -> None:
    """A store, a hook or a signer that fails: 503, and the same request may come again."""
    broken: list[bool] = [True]

    def load(number: str, caller: Caller) -> User | None:
        if broken:
            raise OSError("down")
        return by_number(number, caller)

    wallet = open_google(loader=load)
    assert_bare(wallet.google.send(ADA, request_id="one"), 503)
    broken.clear()
    assert wallet.google.send(ADA, request_id="one").result == "SUCCESS"
    assert len(wallet.inbox) == 1


def test_a_gpg_process_that_fails_is_a_503(
    wallet: GoogleWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither 400 nor 401: the caller may try again."""
    monkeypatch.setattr(wallet.sealers[0], "open", lambda body: refuse(Reason.UNFORESEEN))
    assert_bare(wallet.google.echo(), 503)


def test_a_failing_store_is_a_503(wallet: GoogleWallet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever method fails; and nothing is sent twice."""

    def down(*_: object) -> None:
        raise StoreError("down")

    sent, code = wallet.sent()
    store = state_of(wallet.app).store
    for verb in ("get_answer", "spend"):
        with monkeypatch.context() as broken:
            broken.setattr(store, verb, down)
            assert_bare(wallet.google.verify(sent, code, request_id="one"), 503)
    assert wallet.google.verify(sent, code, request_id="one").result == "SUCCESS"
    wallet.clock.forward(seconds=61)
    for verb in ("get_answer", "reserve"):
        with monkeypatch.context() as broken:
            broken.setattr(store, verb, down)
            assert_bare(wallet.google.send(ADA, request_id="two"), 503)
    assert len(wallet.inbox) == 1
    assert wallet.google.send(ADA, request_id="two").result == "SUCCESS"


def test_a_failing_provider_is_called_again_by_the_next_request() -> None:
    """503 is not stored: the same request sends another code, within the user's limits."""
    tries: list[str] = []

    def sender(user: Any, message: Any) -> None:
        tries.append(message.code)
        if len(tries) == 1:
            raise TimeoutError("no answer")

    wallet = open_google(sender=sender)
    assert_bare(wallet.google.send(ADA, request_id="one"), 503)
    assert_error(wallet.google.verify("one", tries[0]), 404, "INVALID_IDENTIFIER")
    assert_error(wallet.google.send(ADA, request_id="one"), 400, "PRECONDITION_VIOLATION")
    assert len(tries) == 1
    wallet.clock.forward(seconds=61)
    assert wallet.google.send(ADA, request_id="one").result == "SUCCESS"
    assert len(tries) == 2
    assert wallet.google.verify("one", tries[1]).result == "SUCCESS"


def test_a_sender_that_refuses_for_a_bad_address_is_a_result() -> None:
    """The provider knows that no SMS can reach the number; the result is stored."""
    calls: list[str] = []

    def sender(user: Any, message: Any) -> None:
        calls.append(user.id)
        refuse(Reason.CHANNEL_UNAVAILABLE)

    wallet = open_google(sender=sender)
    for _ in range(3):
        assert wallet.google.send(ADA, request_id="one").result == "INVALID_PHONE_NUMBER"
    assert calls == ["ada"]
    assert wallet.google.verify("one", "123456").result == "OTP_NOT_MATCHED"


def test_hooks_of_the_host_can_not_change_an_answer() -> None:
    """What a host's hook answers or refuses on the account's paths is a bare status."""

    def prepare(app: Flask, otp: OtpMpp) -> None:
        @app.before_request
        def guard() -> ResponseReturnValue | None:
            if "deny" in g:
                return "no", 403
            return None

        @app.before_request
        def refusing() -> None:
            if "miss" in g:
                refuse(Reason.USER_MISSING)

        app.before_request_funcs[None].reverse()

    wallet = open_google(prepare=prepare)

    def setting(name: str) -> Callable[[], None]:
        return lambda: setattr(g, name, True)

    before = wallet.app.before_request_funcs[None]
    before.insert(0, setting("deny"))
    assert_bare(wallet.google.echo(), 403)
    before[0] = setting("miss")
    assert_bare(wallet.google.echo(), 400)


def test_a_user_of_two_accounts_has_limits_in_each(wallet: GoogleWallet) -> None:
    assert wallet.google.send(ADA).result == "SUCCESS"
    assert wallet.google.send(BOB).result == "SUCCESS"
    assert {user.id for user, _ in wallet.inbox.received} == {"ada", "bob"}


def test_the_path_is_a_setting() -> None:
    """Any prefix or none, and several paths for an account."""
    wallet = open_google(
        OTP_MPP_GOOGLE_PREFIX="",
        accounts={"gpay": {"envelope": "plain", "paths": ["/v1", "/base/e-wallets-v1"]}},
    )
    assert wallet.calling(prefix="/v1").echo().status == 200
    assert wallet.calling(prefix="/base/e-wallets-v1").echo().status == 200
    (protocol,) = state_of(wallet.app).protocols
    assert isinstance(protocol, GoogleStandardPayments)
    assert [mount.prefix for mount in protocol.mounts] == ["/v1", "/base/e-wallets-v1"]
    assert json.dumps(sorted(protocol.paths)) == '["/echo", "/sendOtp", "/verifyOtp"]'
