"""The hooks of the example wallet: they find a user, and deliver a message.

This is all that a wallet writes to serve OTP. The package does the rest: signatures, codes, limits
and answers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache
from smtplib import SMTP, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from flask import current_app
from sqlalchemy import Row

from example_app.providers import mail_server, send_text
from example_app.records import BY_GRANT, BY_ID, BY_PHONE, Account, find
from flask_otp_mpp import (
    AccessTokens,
    AlipayPlus,
    Ams,
    AssociationId,
    Caller,
    Channel,
    GoogleStandardPayments,
    Message,
    OtpMpp,
    PhoneNumber,
    Reason,
    Subject,
    refuse,
)

TOKEN_LIFE = timedelta(days=30)
MAIL_FROM = Address("Example Wallet", "codes", "wallet.example")
MAIL_TIMEOUT = 1.0  # seconds, for each of the seven steps of a conversation

otp = OtpMpp(AlipayPlus, Ams, GoogleStandardPayments)


def access_tokens(age: timedelta = timedelta()) -> AccessTokens:
    """Return the object that makes and reads access tokens; a token holds the id of a grant.

    :param age: the age that a new token already has, for trials of expiry.
    """
    return _access_tokens(current_app.config["ACCESS_TOKEN_SECRET"], age)


@cache  # it is made once, not in each request
def _access_tokens(secret: str, age: timedelta) -> AccessTokens:
    return AccessTokens(secret, TOKEN_LIFE, clock=lambda: datetime.now(UTC) - age)


@otp.user_loader
def user_of(access_token: str, caller: Caller) -> Account | None:
    """Find the user of a token; token, scope, expiry and user are checked in Alipay+'s order."""
    return _granting(access_tokens().load(access_token, caller))


@otp.user_loader(AssociationId)
def user_associated(association: str, caller: Caller) -> Account | None:
    """Find the user whose account Google has associated; here an association is a grant too.

    This wallet has one account of Google; with several, store with which one a user is associated,
    and compare that with ``caller.client``.
    """
    return _granting(association)


@otp.user_loader(PhoneNumber)
def user_called(number: str, caller: Caller) -> Account:
    """Find the user by the phone number typed at Google; the code goes to the stored number."""
    return _in_good_standing(find(BY_PHONE, number))


@otp.user_loader(Subject)
def user_meanwhile(user_id: str, caller: Caller) -> Account:
    """Check a user again before a code is verified, for callers that send no credential then."""
    user = find(BY_ID, user_id)
    if user is not None and not user.granted:
        refuse(Reason.TOKEN_INVALID)
    return _in_good_standing(user)


def _granting(grant_id: str) -> Account | None:
    user = find(BY_GRANT, grant_id)
    # None is answered as an invalid token, or identifier.
    return None if user is None else _in_good_standing(user)


def _in_good_standing(user: Row[Any] | None) -> Account:
    if user is None or user.id is None:
        refuse(Reason.USER_MISSING)
    if user.frozen:
        refuse(Reason.USER_ABNORMAL)
    return Account(user.id, user.phone, user.email)


@otp.user_identity
def id_of(user: Account) -> str:
    """Return the id of the user, which says nothing to a reader of logs."""
    return user.id


@otp.sender(Channel.MOBILE)
def text(user: Account, message: Message) -> None:
    """Send a text; a real wallet calls its SMS provider here."""
    if user.phone is None:
        refuse(Reason.CHANNEL_UNAVAILABLE)
    send_text(user.phone, message.body)


@otp.sender(Channel.EMAIL)
def mail(user: Account, message: Message) -> None:
    """Hand an e-mail to the mail server.

    What the server refuses for good (5xx) was not delivered. After any other error that is unknown:
    it is raised, and the package answers so.
    """
    if user.email is None:
        refuse(Reason.CHANNEL_UNAVAILABLE)
    letter = EmailMessage()
    letter["From"] = MAIL_FROM
    letter["To"] = user.email
    letter["Subject"] = "Your code"
    letter["Date"] = datetime.now(UTC)
    letter["Auto-Submitted"] = "auto-generated"  # no holiday notice is sent back
    letter.set_content(message.body)
    try:
        # With a name of our own smtplib does not ask the network for one, which has no time-out.
        with SMTP(mail_server(), local_hostname=MAIL_FROM.domain, timeout=MAIL_TIMEOUT) as server:
            server.send_message(letter)
    except (SMTPRecipientsRefused, SMTPResponseException) as refusal:
        if _is_final(refusal):
            refuse(Reason.DELIVERY_REFUSED)
        raise


def _is_final(refusal: SMTPRecipientsRefused | SMTPResponseException) -> bool:
    if isinstance(refusal, SMTPResponseException):
        return refusal.smtp_code >= 500
    return all(code >= 500 for code, _ in refusal.recipients.values())
