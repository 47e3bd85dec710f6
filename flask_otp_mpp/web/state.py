"""What an app serves with, and what the host has passed ready made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask_limiter import Limiter

from flask_otp_mpp.core.bulkhead import Bulkhead
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.clock_skew import ClockSkew
from flask_otp_mpp.core.guarded_store import GuardedStore
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.service import OtpService
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.signing.key_operations import KeyOperations
from flask_otp_mpp.signing.keys import Signer
from flask_otp_mpp.web.hooks import Hooks
from flask_otp_mpp.web.support import Support, SupportHooks
from flask_otp_mpp.web.traffic import FlaskTrafficLimiter, LimiterCounts

if TYPE_CHECKING:
    from flask_otp_mpp.audit.trail import AuditTrail


@dataclass(frozen=True, slots=True)
class Components:
    """Hold what the host passed to ``OtpMpp`` ready made."""

    protocols: Sequence[type[WireProtocol]]
    signer: Signer | None
    store: Store | None
    policy: Policy | None
    limiter: Limiter | None
    clock: Clock


@dataclass(frozen=True, slots=True)
class State:
    """Hold everything that one app serves with; nothing of it changes while the app runs.

    :param public_keys: the wallet's own public keys by version; empty if a signer was passed.
    :param audit: records decisions and operator's acts; None if nothing does.
    :param deliveries: bounds the deliveries at work; it, ``guarded_store``, ``limiter`` and
        ``key_operations`` tell metrics how they are.
    :param skew: how far the clocks of callers are from this machine's.
    :param support_hooks: what acts of operators are told to.
    :param debug: whether the app was in debug mode when it was initialised; a command of ``flask``
        sets that of the app again.
    :param components: what the host passed to ``OtpMpp``.
    :param hooks: as the host registered them.
    :param faults: of the configuration; there are some only in a :class:`FaultyState`.
    """

    protocols: tuple[WireProtocol, ...]
    service: OtpService
    store: Store
    policy: Policy
    traffic: FlaskTrafficLimiter
    body_limit: int
    ipv6_prefix: int
    host_limits: bool
    public_keys: Mapping[str, RSAPublicKey]
    skew: ClockSkew
    clock: Clock
    support_hooks: SupportHooks
    debug: bool
    components: Components
    hooks: Hooks
    deliveries: Bulkhead
    guarded_store: GuardedStore
    limiter: LimiterCounts
    key_operations: KeyOperations
    audit: AuditTrail | None = None
    faults: Sequence[tuple[str, str]] = ()

    @property
    def support(self) -> Support:
        """Show, unlock and forget users, for the host's admin pages."""
        return Support(self)
