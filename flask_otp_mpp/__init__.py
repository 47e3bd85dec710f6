"""Everything that a wallet needs stands here; what is not here is not promised."""

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.config import ConfigurationError
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, Store, StoreError
from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.protocols.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.base import Event, Operation
from flask_otp_mpp.signing.keys import Signer
from flask_otp_mpp.signing.tokens import AccessTokens
from flask_otp_mpp.stores import MemoryStore, SQLAlchemyStore
from flask_otp_mpp.web.extension import OtpMpp, state_of
from flask_otp_mpp.web.signals import otp_refused, otp_sent, otp_verified, user_locked

__all__ = [
    "AccessTokens",
    "AlipayPlus",
    "Channel",
    "Clock",
    "ConfigurationError",
    "Event",
    "MemoryStore",
    "Message",
    "Operation",
    "OtpMpp",
    "Policy",
    "Reason",
    "Refused",
    "SQLAlchemyStore",
    "Signer",
    "Store",
    "StoreError",
    "otp_refused",
    "otp_sent",
    "otp_verified",
    "refuse",
    "state_of",
    "user_locked",
]
