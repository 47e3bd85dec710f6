"""Members of an account that change what is answered to Google, and what the host is asked."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from flask_otp_mpp import Caller
from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.google_answer import GoogleAnswer
from flask_otp_mpp.callers.google_faults import Tamper
from flask_otp_mpp.callers.transport import over_wsgi
from flask_otp_mpp.protocols.google.sealer import SealFault
from flask_otp_mpp.protocols.google.settings import read_accounts
from tests.protocols.google import sides
from tests.wallet import User
from tests.web.google_wallet import ADA, GoogleWallet, by_number, open_google
from tests.web.test_google import assert_bare

AT_ONCE: Final = 15
"""The errors that are sealed for unproven callers after a pause: ten at served paths, five else."""


def opened(**members: Any) -> tuple[GoogleWallet, GoogleCaller]:
    wallet = open_google(accounts={"gpay": sides.jose_wallet(**members)})
    transport = over_wsgi(wallet.app)
    google = GoogleCaller.from_account(transport, sides.jose_google(), clock=wallet.clock)
    return wallet, google


def is_sealed_error(answer: GoogleAnswer, status: int, code: str) -> None:
    assert (answer.status, answer.error, answer.verified) == (status, code, True)
    wanted = {"responseHeader", "errorDescription", "paymentIntegratorErrorIdentifier"}
    assert set(answer.json) - {"errorResponseCode"} == wanted
    assert answer.description


@pytest.mark.parametrize(
    ("tamper", "status", "code"),
    [
        ("encryption", 400, "INVALID_PAYLOAD_ENCRYPTION"),
        ("signature", 401, "INVALID_PAYLOAD_SIGNATURE"),
        ("method", 405, ""),
        ("json", 400, "INVALID_DECRYPTED_REQUEST"),
    ],
)
def test_an_error_is_a_sealed_error_response_where_an_account_says_so(
    tamper: Tamper, status: int, code: str
) -> None:
    """G9: "the response body must be of type ErrorResponse", sealed to Google's own key."""
    _, google = opened(errors="sealed")
    is_sealed_error(google.echo(tamper=tamper), status, code)
    _, google = opened()
    answer = google.echo(tamper=tamper)
    if tamper == "json":  # the caller is proven, and Google has a code for it
        is_sealed_error(answer, status, code)
    else:
        assert_bare(answer, status)


def test_what_has_no_code_is_sealed_too() -> None:
    """G9: an unknown path, a traffic limit, and a wallet that is down; with the usual headers."""
    _, google = opened(errors="sealed")
    is_sealed_error(google.call("none", {}), 404, "")
    is_sealed_error(google.send("+918067218105"), 400, "PRECONDITION_VIOLATION")

    def broken(number: str, caller: Caller) -> User:
        raise ConnectionError("down")

    accounts = {"gpay": sides.jose_wallet(errors="sealed")}
    down = open_google(accounts=accounts, loader=broken)
    answer = down.calling(sides.jose_google()).send(ADA)
    is_sealed_error(answer, 503, "")
    assert "Reference" in answer.description
    assert ("retry-after", "5") in answer.response.headers
    limited = open_google(accounts=accounts, OTP_MPP_CLIENT_LIMIT="1 per hour")
    google = limited.calling(sides.jose_google())
    assert google.echo().status == 200
    is_sealed_error(google.echo(), 503, "")


def test_strangers_cost_a_few_sealed_errors_and_then_none() -> None:
    """X2: whatever they send; who is proven is answered as before."""
    _, google = opened(errors="sealed")
    calls: list[Callable[[], GoogleAnswer]] = [
        lambda: google.echo(tamper="encryption"),
        lambda: google.echo(tamper="method"),
        lambda: google.call("none", {}),
    ]
    bodies = Counter(bool(call().response.body) for _ in range(30) for call in calls)
    assert AT_ONCE <= bodies[True] <= AT_ONCE + 10  # some more with each second that it takes
    assert bodies[False] >= 60
    is_sealed_error(google.echo(tamper="json"), 400, "INVALID_DECRYPTED_REQUEST")


def test_an_error_that_can_not_be_sealed_has_no_body(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """G9: its status still tells what happened."""
    wallet, google = opened(errors="sealed")

    def broken(payload: bytes) -> bytes:
        raise SealFault("all keys have expired")

    (sealer,) = wallet.sealers
    monkeypatch.setattr(sealer, "seal", broken)
    assert_bare(google.echo(tamper="json"), 400)
    assert ("flask_otp_mpp", logging.WARNING) in {one[:2] for one in caplog.record_tuples}
    assert "all keys have expired" in caplog.text


ODD: Final = ["+15", "no number", "+1 (403) 555-1111", "8067218010"]


@pytest.mark.parametrize("number", ODD)
def test_the_host_is_asked_for_every_number_where_an_account_says_so(number: str) -> None:
    """S3: as it was sent; the library's tables age, and a host knows its numbers."""
    asked: list[str] = []

    def load(number: str, caller: Caller) -> User | None:
        asked.append(number)
        return User("ada", ADA, "ada@users.example") if number == "no number" else None

    wallet = open_google(accounts={"g": {"envelope": "plain", "phones": "host"}}, loader=load)
    expected = "SUCCESS" if number == "no number" else "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"
    assert wallet.google.send(number).result == expected
    assert asked == [number]
    checked = open_google(loader=load)
    assert checked.google.send(number).result == "INVALID_PHONE_NUMBER"
    assert asked == [number]


def test_a_number_that_can_exist_is_normal_for_the_host_in_either_way() -> None:
    """S3: there is one spelling of it."""
    wallet = open_google(accounts={"g": {"envelope": "plain", "phones": "host"}}, loader=by_number)
    assert wallet.google.send(ADA).result == "SUCCESS"


@pytest.mark.parametrize("member", ["errors", "phones"])
def test_another_value_is_refused_at_start_up(member: str) -> None:
    """F2: with the values that there are."""
    with pytest.raises(ValueError, match=f"'{member}' found a text; set it to '"):
        read_accounts({"a": sides.jose_wallet(**{member: "x"})})
