"""A Flask extension for wallets that send and verify one-time passwords for others.

It serves the OTP calls of Alipay+, AMS and Google Standard Payments. Public are the names in
``__all__`` here and in four packages below: :mod:`~flask_otp_mpp.callers` (callers for trials),
:mod:`~flask_otp_mpp.testing` (tools for tests, and the test suite for stores),
:mod:`~flask_otp_mpp.stores`, and :mod:`~flask_otp_mpp.signing` (keys and access tokens). Other
modules may change in any release.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.policy import Policy, Resend, SendLimit, UnsafePolicy
from flask_otp_mpp.core.ports import Store, StoreError, StoreUnavailable, UnfitStore
from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.core.users import AccessToken, AssociationId, PhoneNumber, Subject
from flask_otp_mpp.protocols.values import Act, Event, Operation
from flask_otp_mpp.signing.keys import Signer
from flask_otp_mpp.signing.tokens import AccessTokens
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.web.events import (
    operator_acted,
    otp_refused,
    otp_sent,
    otp_verified,
    user_locked,
)
from flask_otp_mpp.web.extension import OtpMpp, state_of
from flask_otp_mpp.web.metrics import init_metrics
from flask_otp_mpp.web.spans import init_tracing

if TYPE_CHECKING:
    from flask_otp_mpp.audit.table import attach_audit_table as attach_audit_table
    from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus as AlipayPlus
    from flask_otp_mpp.protocols.alipay.ams import Ams as Ams
    from flask_otp_mpp.protocols.google.protocol import (
        GoogleStandardPayments as GoogleStandardPayments,
    )
    from flask_otp_mpp.stores import RedisStore as RedisStore
    from flask_otp_mpp.stores import SQLAlchemyStore as SQLAlchemyStore

    __version__: str

__all__ = [
    "AccessToken",
    "AccessTokens",
    "Act",
    "AlipayPlus",
    "Ams",
    "AssociationId",
    "Caller",
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
    "RedisStore",
    "Refused",
    "Resend",
    "SQLAlchemyStore",
    "SendLimit",
    "Signer",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "Subject",
    "UnfitStore",
    "UnsafePolicy",
    "attach_audit_table",
    "init_metrics",
    "init_tracing",
    "operator_acted",
    "otp_refused",
    "otp_sent",
    "otp_verified",
    "refuse",
    "state_of",
    "user_locked",
]


# What only some wallets use is imported on first use; the libraries of some are extras.
_ON_DEMAND = {
    "AlipayPlus": "flask_otp_mpp.protocols.alipay.alipayplus",
    "Ams": "flask_otp_mpp.protocols.alipay.ams",
    "GoogleStandardPayments": "flask_otp_mpp.protocols.google.protocol",
    "RedisStore": "flask_otp_mpp.stores",
    "SQLAlchemyStore": "flask_otp_mpp.stores",
    "attach_audit_table": "flask_otp_mpp.audit.table",
}


def __getattr__(name: str) -> Any:
    """Import on first use what is named in ``_ON_DEMAND``; look up ``__version__``."""
    if name == "__version__":
        return import_module("importlib.metadata").version("flask-otp-mpp")
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ON_DEMAND[name]), name)
