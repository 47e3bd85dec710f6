"""The example wallet serves a merchant; a user may be closed between send and verify."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from example_app import instance
from example_app.demo.server import serving
from example_app.records import User, records
from flask_otp_mpp.callers.ams import AmsCaller
from flask_otp_mpp.callers.transport import Transport, over_http, over_wsgi
from flask_otp_mpp.signing.keys import load_private_key, load_public_key

Wallet = Callable[..., Result]


def playing(transport: Transport, home: Path) -> AmsCaller:
    return AmsCaller(
        transport,
        client_id=instance.MERCHANT_ID,
        key=load_private_key(str(home / "merchant.pem")),
        server_keys={"1": load_public_key(str(home / "wallet.pub"))},
    )


@pytest.fixture
def merchant(app: Flask, home: Path) -> AmsCaller:
    return playing(over_wsgi(app), home)


def token_of(wallet: Wallet, *words: str) -> str:
    return wallet("token", *words, "--client", instance.MERCHANT_ID).stdout.strip()


def newest_code(app: Flask) -> str:
    return str(app.test_client().get("/phone.json").get_json()[0]["text"]).split()[0]


def freeze(app: Flask, user: str) -> None:
    with app.app_context(), records() as session, session.begin():
        session.get_one(User, user).frozen = True


def close(app: Flask, user: str) -> None:
    with app.app_context(), records() as session, session.begin():
        session.delete(session.get_one(User, user))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["ada"], "SUCCESS"),
        (["fred"], "USER_STATUS_ABNORMAL"),
        (["gwen"], "USER_NOT_EXIST"),
        (["ada", "--expired"], "INVALID_ACCESS_TOKEN"),
        (["ada", "--no-scope"], "INVALID_ACCESS_TOKEN"),
    ],
    ids=" ".join,
)
@pytest.mark.alike(4)
def test_a_user_and_their_token_decide_the_answer(
    merchant: AmsCaller, wallet: Wallet, words: list[str], code: str
) -> None:
    answer = merchant.init(token_of(wallet, *words), "one")
    assert (answer.code, answer.verified, answer.request_id) == (code, True, "one")


def test_the_code_on_the_phone_is_the_right_one_once(
    app: Flask, merchant: AmsCaller, wallet: Wallet
) -> None:
    merchant.init(token_of(wallet, "ada"), "one")
    code = newest_code(app)
    assert merchant.verify("one", code).passed is True
    assert merchant.verify("one", code).code == "AUTHENTICATION_REQUEST_ID_INVALID"


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (lambda app, wallet: wallet("revoke", "ada"), "INVALID_ACCESS_TOKEN"),
        (lambda app, wallet: freeze(app, "ada"), "USER_STATUS_ABNORMAL"),
        (lambda app, wallet: close(app, "ada"), "USER_NOT_EXIST"),
    ],
    ids=["revoked", "frozen", "closed"],
)
def test_what_happened_to_a_user_meanwhile_decides_as_well(
    happens: Callable[[Flask, Wallet], object],
    code: str,
    app: Flask,
    merchant: AmsCaller,
    wallet: Wallet,
) -> None:
    """L8: a merchant sends no token with the code; the wallet looks at the user it was sent to."""
    merchant.init(token_of(wallet, "ada"), "one")
    happens(app, wallet)
    answer = merchant.verify("one", newest_code(app))
    assert (answer.code, answer.passed) == (code, None)


@pytest.mark.slow
def test_a_restarted_wallet_knows_what_it_has_sent(home: Path, app: Flask, wallet: Wallet) -> None:
    """S10: another process answers the repeat, sends nothing, and takes the code."""
    token = token_of(wallet, "ada")
    answers = []
    for _ in range(2):
        with serving(home) as url:
            answers.append(playing(over_http(url), home).init(token, "one"))
    assert [answer.code for answer in answers] == ["SUCCESS", "SUCCESS"]
    assert answers[0].response.body == answers[1].response.body
    assert len(app.test_client().get("/phone.json").get_json()) == 1
    with serving(home) as url:
        verified = playing(over_http(url), home).verify("one", newest_code(app))
    assert verified.code == "SUCCESS"
