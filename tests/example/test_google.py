"""The example wallet serves Google: by the number of a user, and by associations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from example_app.records import Grant, User, grant_in_force, records
from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.transport import over_wsgi
from flask_otp_mpp.protocols.google.settings import read_accounts

Wallet = Callable[..., Result]
ADA, FRED, NOBODY = "+639175550101", "+639175550102", "+639175550999"


@pytest.fixture
def google(app: Flask, home: Path) -> GoogleCaller:
    keys = {"our_keys": str(home / "google.jwks"), "their_keys": str(home / "wallet.pub.jwks")}
    (account,) = read_accounts({"google": {"envelope": "jose", **keys}})
    return GoogleCaller(over_wsgi(app), account.sealer())


def association_of(app: Flask, user: str) -> str:
    with app.app_context(), records() as session:
        grant = grant_in_force(session, user)
        assert grant is not None
        return grant.id


def newest(app: Flask) -> dict[str, str]:
    return dict(app.test_client().get("/phone.json").get_json()[0])


@pytest.mark.parametrize(
    ("number", "result"),
    [
        (ADA, "SUCCESS"),
        (FRED, "ACCOUNT_CLOSED_FRAUD"),
        (NOBODY, "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"),
        ("+63", "INVALID_PHONE_NUMBER"),
    ],
)
@pytest.mark.alike(4)
def test_a_number_decides_the_answer(google: GoogleCaller, number: str, result: str) -> None:
    answer = google.send(number)
    assert (answer.status, answer.result) == (200, result)


def test_the_code_comes_with_the_token_and_is_right_once(app: Flask, google: GoogleCaller) -> None:
    """S3: it goes to the number as the wallet knows it."""
    sent = google.send(ADA, smsMatchingToken="FA+9qCX9VSu")
    message = newest(app)
    assert message["address"] == "+63 917 555 0101"
    assert "FA+9qCX9VSu" in message["text"].splitlines()
    code = message["text"].split()[0]
    assert google.verify(sent.request_id, code).result == "SUCCESS"
    assert google.verify(sent.request_id, code).result == "OTP_ALREADY_USED"


def test_an_association_is_a_grant_until_it_is_revoked(
    app: Flask, google: GoogleCaller, wallet: Wallet
) -> None:
    association = association_of(app, "nora")
    assert google.send(associationId=association).result == "SUCCESS"
    wallet("revoke", "nora")
    assert google.send(associationId=association).error == "INVALID_IDENTIFIER"
    assert google.send(associationId="nothing").error == "INVALID_IDENTIFIER"


def test_a_user_who_is_frozen_meanwhile_is_not_verified(app: Flask, google: GoogleCaller) -> None:
    """L8: the wallet looks at the user again when the code comes."""
    sent = google.send(ADA)
    with app.app_context(), records() as session, session.begin():
        session.get_one(User, "ada").frozen = True
    answer = google.verify(sent.request_id, newest(app)["text"].split()[0])
    assert answer.error == "PRECONDITION_VIOLATION"


def test_a_grant_that_has_lost_its_user_finds_nobody(app: Flask, google: GoogleCaller) -> None:
    with app.app_context(), records() as session:
        grant = session.query(Grant).filter_by(user_id="gwen").one()
    answer = google.send(associationId=grant.id)
    assert answer.result == "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"
