"""Make what names a user in a request, in each state that the page offers."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from example_app import instance
from example_app.otp import TOKEN_LIFE, access_tokens
from example_app.records import Grant, User, grant_in_force, records
from example_app.trial.console.choices import Choice
from example_app.trial.console.faults import GOOGLE
from flask_otp_mpp.signing import SEND_OTP

CLOSED_NUMBER: Final = "+639175550104"
"""The number of a user who has closed her account: no user has it."""
IMPOSSIBLE_NUMBER: Final = "+63"


def make_credential(choice: Choice) -> str:
    """Return an access token, or for Google a phone number or an association."""
    if choice.protocol == GOOGLE:
        return _of_google(choice)
    return make_token(choice.user, choice.client, choice.credential)


def make_token(user: str, client: str, state: str) -> str:
    """Return an access token of a user for a client, in a state such as ``expired``."""
    if state == "garbage":
        return secrets.token_urlsafe(24)
    if state == "foreign":
        client = _another(client)
    age = TOKEN_LIFE + timedelta(minutes=1) if state == "expired" else timedelta()
    scopes = () if state == "no-scope" else (SEND_OTP,)
    grant = grant_of(user, revoked=state == "revoked")
    return access_tokens(age).mint(grant.id, scopes, client=client)


def grant_of(user: str, *, revoked: bool) -> Grant:
    """Return a grant of a user that is in force, or one that is revoked; make one if need be."""
    with records() as session, session.begin():
        if revoked:
            gone = sa.select(Grant).where(Grant.user_id == user, Grant.revoked.is_(True))
            grant = session.scalars(gone).first()
        else:
            grant = grant_in_force(session, user)
        if grant is None:
            session.add(grant := Grant(user_id=user, revoked=revoked))
    return grant


def _of_google(choice: Choice) -> str:
    match choice.credential:
        case "phone":
            return _number_of(choice.user)
        case "no-number":
            return IMPOSSIBLE_NUMBER
        case "garbage":
            return secrets.token_hex(8)
        case state:
            return grant_of(choice.user, revoked=state == "revoked").id


def _number_of(user_id: str) -> str:
    with records() as session:
        user = session.get(User, user_id)
    number = None if user is None else user.phone
    return CLOSED_NUMBER if number is None else number.replace(" ", "")


def _another(client: str) -> str:
    merchant, other = instance.MERCHANT_ID, instance.OTHER_MERCHANT_ID
    return other if client == merchant else merchant
