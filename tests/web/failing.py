"""A gateway and a user lookup that fail for users whose names spell trouble."""

from __future__ import annotations

from flask_otp_mpp import Message, Reason, refuse
from tests.wallet import User, Wallet, load_user


class SmsGateway:
    """Deliver into the wallet's inbox, unless the user has a name that spells trouble."""

    def __init__(self) -> None:
        self.wallet: Wallet

    def __call__(self, user: User, message: Message) -> None:
        if user.id == "blocked":
            refuse(Reason.DELIVERY_REFUSED)
        if user.id == "timeout":
            raise TimeoutError("the gateway did not answer")
        if user.id == "homeless":
            refuse(Reason.CHANNEL_UNAVAILABLE)
        self.wallet.inbox(user, message)


def crash_on_odd_tokens(token: str) -> User | None:
    """Fail like a database that is away for one user."""
    if token == "tok-crash":
        raise ConnectionError("the user database is away")
    return load_user(token)
