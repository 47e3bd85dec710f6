"""An SMS gateway and a user lookup that fail for certain users."""

from __future__ import annotations

from flask_otp_mpp import Caller, Message, Reason, refuse
from tests.wallet import User, Wallet, load_user


class SmsGateway:
    """Deliver into the wallet's inbox, or fail in the way that the user's id names."""

    def __init__(self) -> None:
        self.wallet: Wallet

    def __call__(self, user: User, message: Message) -> None:
        if user.id == "blocked":
            refuse(Reason.DELIVERY_REFUSED)
        if user.id == "timeout":
            raise TimeoutError("the gateway did not answer")
        if user.id == "unreachable":
            refuse(Reason.CHANNEL_UNAVAILABLE)
        self.wallet.inbox(user, message)


def fail_on_certain_tokens(token: str, caller: Caller) -> User | None:
    """Raise for one token, as a database that is not reachable would."""
    if token == "tok-crash":
        raise ConnectionError("the user database is away")
    return load_user(token, caller)
