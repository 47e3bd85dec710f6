"""All that a wallet writes to serve OTP is here: who a token stands for, and how a user is reached.

Signatures, codes, tries, limits and answers are the package's business.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import current_app

from example_app.records import Grant, PhoneMessage, User, grant_in_force, records
from flask_otp_mpp import (
    AccessTokens,
    AlipayPlus,
    Ams,
    Channel,
    Message,
    OtpMpp,
    Reason,
    Subject,
    refuse,
)

TOKEN_LIFE = timedelta(days=30)

otp = OtpMpp(AlipayPlus, Ams)


def access_tokens(age: timedelta = timedelta()) -> AccessTokens:
    """Return what signs and reads access tokens; a token carries the id of a grant.

    :param age: how old a token already is when it is minted; for trials of expiry.
    """
    secret = current_app.config["ACCESS_TOKEN_SECRET"]
    return AccessTokens(secret, TOKEN_LIFE, clock=lambda: datetime.now(UTC) - age)


@otp.user_loader
def user_of(access_token: str) -> User | None:
    """Find the user; token, scope, expiry and user are checked in the order Alipay+ asks for."""
    grant_id = access_tokens().load(access_token)
    with records() as session:
        grant = session.get(Grant, grant_id)
        if grant is None or grant.revoked:
            return None  # is answered as an invalid token
        user = session.get(User, grant.user_id)
    return _in_good_standing(user)


@otp.user_loader(Subject)
def user_meanwhile(user_id: str) -> User:
    """Judge a user to whom a code was sent again: a merchant sends no token with the code."""
    with records() as session:
        user = session.get(User, user_id)
        if user is not None and grant_in_force(session, user_id) is None:
            refuse(Reason.TOKEN_INVALID)
    return _in_good_standing(user)


def _in_good_standing(user: User | None) -> User:
    if user is None:
        refuse(Reason.USER_MISSING)
    if user.frozen:
        refuse(Reason.USER_ABNORMAL)
    return user


@otp.user_identity
def id_of(user: User) -> str:
    """Name the user to the package: by an id that tells nothing to who reads a log."""
    return user.id


@otp.sender(Channel.MOBILE)
def text(user: User, message: Message) -> None:
    """Send a text; a real wallet calls its SMS provider here."""
    _deliver(message, user.phone)


@otp.sender(Channel.EMAIL)
def mail(user: User, message: Message) -> None:
    """Send an e-mail; a real wallet calls its mail provider here."""
    _deliver(message, user.email)


def _deliver(message: Message, address: str | None) -> None:
    if address is None:
        refuse(Reason.CHANNEL_UNAVAILABLE)
    received = PhoneMessage(
        channel=message.channel,
        address=address,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        text=message.body,
    )
    with records() as session, session.begin():
        session.add(received)
