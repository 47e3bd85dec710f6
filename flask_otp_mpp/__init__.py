"""Everything that a wallet needs stands here; what is not here is not promised."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, Store, StoreError, UnfitStore
from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.core.users import AccessToken, AssociationId, PhoneNumber, Subject
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.base import Event, Operation
from flask_otp_mpp.signing.keys import Signer
from flask_otp_mpp.signing.tokens import AccessTokens
from flask_otp_mpp.stores import MemoryStore, SQLAlchemyStore
from flask_otp_mpp.web.events import otp_refused, otp_sent, otp_verified, user_locked
from flask_otp_mpp.web.extension import OtpMpp, state_of

if TYPE_CHECKING:
    from flask_otp_mpp.protocols.google.protocol import (
        GoogleStandardPayments as GoogleStandardPayments,
    )
    from flask_otp_mpp.stores.redis.store import RedisStore as RedisStore

__all__ = [
    "AccessToken",
    "AccessTokens",
    "AlipayPlus",
    "Ams",
    "AssociationId",
    "Channel",
    "Clock",
    "ConfigurationError",
    "Event",
    "GoogleStandardPayments",
    "MemoryStore",
    "Message",
    "Operation",
    "OtpMpp",
    "PhoneNumber",
    "Policy",
    "Reason",
    "Refused",
    "SQLAlchemyStore",
    "Signer",
    "Store",
    "StoreError",
    "Subject",
    "UnfitStore",
    "otp_refused",
    "otp_sent",
    "otp_verified",
    "refuse",
    "state_of",
    "user_locked",
]


# Not everybody serves or uses these: where they are, and the extra with what they need.
_ON_DEMAND = {
    "GoogleStandardPayments": ("flask_otp_mpp.protocols.google.protocol", "google"),
    "RedisStore": ("flask_otp_mpp.stores.redis.store", "redis"),
}


def __getattr__(name: str) -> Any:
    """Bring in what is imported only if it is asked for."""
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _ON_DEMAND[name]
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} needs a library that is not installed: {error}; "
            f"pip install 'flask-otp-mpp[{extra}]'",
            name=error.name,
        ) from None
