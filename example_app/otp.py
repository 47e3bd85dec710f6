"""The hooks of the example wallet: they find a user, and deliver a message.

This is all that a wallet writes to serve OTP. The package does the rest: signatures, codes, limits
and answers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from smtplib import SMTP, SMTPRecipientsRefused, SMTPResponseException

from flask import current_app

from example_app.providers import mail_server, send_text
from example_app.records import Grant, User, by_phone, grant_in_force, records
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
    secret = current_app.config["ACCESS_TOKEN_SECRET"]
    return AccessTokens(secret, TOKEN_LIFE, clock=lambda: datetime.now(UTC) - age)


@otp.user_loader
def user_of(access_token: str, caller: Caller) -> User | None:
    """Find the user of a token; token, scope, expiry and user are checked in Alipay+'s order."""
    return _granting(access_tokens().load(access_token, caller))


@otp.user_loader(AssociationId)
def user_associated(association: str, caller: Caller) -> User | None:
    """Find the user whose account Google has associated; here an association is a grant too.

    This wallet has one account of Google; with several, store with which one a user is associated,
    and compare that with ``caller.client``.
    """
    return _granting(association)


@otp.user_loader(PhoneNumber)
def user_called(number: str, caller: Caller) -> User:
    """Find the user by the phone number typed at Google; the code goes to the stored number."""
    with records() as session:
        user = by_phone(session, number)
    return _in_good_standing(user)


@otp.user_loader(Subject)
def user_meanwhile(user_id: str, caller: Caller) -> User:
    """Check a user again before a code is verified, for callers that send no credential then."""
    with records() as session:
        user = session.get(User, user_id)
        if user is not None and grant_in_force(session, user_id) is None:
            refuse(Reason.TOKEN_INVALID)
    return _in_good_standing(user)


def _granting(grant_id: str) -> User | None:
    with records() as session:
        grant = session.get(Grant, grant_id)
        if grant is None or grant.revoked:
            return None  # is answered as an invalid token, or identifier
        user = session.get(User, grant.user_id)
    return _in_good_standing(user)


def _in_good_standing(user: User | None) -> User:
    if user is None:
        refuse(Reason.USER_MISSING)
    if user.frozen:
        refuse(Reason.USER_ABNORMAL)
    return user


@otp.user_identity
def id_of(user: User) -> str:
    """Return the id of the user, which says nothing to a reader of logs."""
    return user.id


@otp.sender(Channel.MOBILE)
def text(user: User, message: Message) -> None:
    """Send a text; a real wallet calls its SMS provider here."""
    if user.phone is None:
        refuse(Reason.CHANNEL_UNAVAILABLE)
    send_text(user.phone, message.body)


@otp.sender(Channel.EMAIL)
def mail(user: User, message: Message) -> None:
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
