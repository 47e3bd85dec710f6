"""Each kind of user and of token gets the code of Alipay+'s table."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller

Wallet = Callable[..., Result]


def token_of(wallet: Wallet, *words: str) -> str:
    result = wallet("token", *words)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def newest(app: Flask) -> dict[str, str]:
    messages: list[dict[str, str]] = app.test_client().get("/phone.json").get_json()
    return messages[0]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["ada"], "SUCCESS"),
        (["nora"], "SUCCESS"),
        (["fred"], "USER_STATUS_ABNORMAL"),
        (["gwen"], "USER_NOT_EXIST"),
        (["ada", "--expired"], "EXPIRED_ACCESS_TOKEN"),
        (["ada", "--no-scope"], "INVALID_TOKEN"),
        (["ada", "--no-scope", "--expired"], "INVALID_TOKEN"),
        (["fred", "--expired"], "EXPIRED_ACCESS_TOKEN"),
    ],
    ids=" ".join,
)
@pytest.mark.alike(4)
def test_a_user_and_their_token_decide_the_answer(
    alipayplus: AlipayPlusCaller, wallet: Wallet, words: list[str], code: str
) -> None:
    answer = alipayplus.send(token_of(wallet, *words))
    assert answer.code == code
    assert answer.verified


def test_the_wallet_runs_in_the_acceptance_mode(alipayplus: AlipayPlusCaller, app: Flask) -> None:
    """O5: its callers are of the sandbox; nobody's phone gets a message."""
    sent = alipayplus.send("TRIAL_USER_1")
    assert alipayplus.verify("TRIAL_USER_1", sent.verify_request_id, "123456").code == "SUCCESS"
    assert alipayplus.send("TRIAL_DELIVERY_REFUSED").code == "PROCESS_FAIL"
    assert app.test_client().get("/phone.json").get_json() == []


def test_a_token_that_nobody_signed_is_invalid(alipayplus: AlipayPlusCaller) -> None:
    assert alipayplus.send("nonsense").code == "INVALID_TOKEN"


def test_a_revoked_grant_makes_its_tokens_invalid(
    alipayplus: AlipayPlusCaller, wallet: Wallet
) -> None:
    token = token_of(wallet, "ada")
    assert wallet("revoke", "ada").exit_code == 0
    assert alipayplus.send(token).code == "INVALID_TOKEN"


def test_a_new_grant_does_not_revive_the_old_tokens(
    alipayplus: AlipayPlusCaller, wallet: Wallet
) -> None:
    old = token_of(wallet, "ada")
    wallet("revoke", "ada")
    new = token_of(wallet, "ada")
    assert alipayplus.send(old).code == "INVALID_TOKEN"
    assert alipayplus.send(new).code == "SUCCESS"


def test_a_text_reaches_the_number_of_its_user(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet
) -> None:
    alipayplus.send(token_of(wallet, "ada"))
    message = newest(app)
    assert message["channel"] == "MOBILE"
    assert message["address"] == "+63 917 555 0101"


def test_an_email_reaches_the_address_of_its_user(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet
) -> None:
    alipayplus.send(token_of(wallet, "ada"), verifyType="EMAIL")
    message = newest(app)
    assert message["channel"] == "EMAIL"
    assert message["address"] == "ada@mail.example"


def test_a_user_without_an_email_address_gets_no_email(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet
) -> None:
    answer = alipayplus.send(token_of(wallet, "nora"), verifyType="EMAIL")
    assert answer.code == "PARAM_ILLEGAL"
    assert app.test_client().get("/phone.json").get_json() == []


def test_the_code_on_the_phone_is_the_right_one_once(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet
) -> None:
    token = token_of(wallet, "ada")
    request_id = alipayplus.send(token).verify_request_id
    found = re.search(r"\d{6}", newest(app)["text"])
    assert found is not None
    assert alipayplus.verify(token, request_id, found.group()).code == "SUCCESS"
    assert alipayplus.verify(token, request_id, found.group()).code == "VERIFY_REQUEST_ID_INVALID"


def test_one_users_code_is_worth_nothing_for_another(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet
) -> None:
    request_id = alipayplus.send(token_of(wallet, "ada")).verify_request_id
    code = newest(app)["text"].split()[0]
    answer = alipayplus.verify(token_of(wallet, "nora"), request_id, code)
    assert answer.code == "VERIFY_REQUEST_ID_INVALID"
