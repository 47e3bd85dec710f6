"""Limit requests by address and by client, with the storage and strategy of Flask-Limiter.

Stored refusals are counted in the same way.

Its decorators are not used: they run before the blueprint, cost more, and can't check a limit
between the signature and the work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from flask_limiter import Limiter
from limits import RateLimitItem
from limits.storage import MemoryStorage

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.circuit_breaker import CircuitBreaker
from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.core.secret import clear_frames
from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web.traffic_settings import OnLimiterFailure, TrafficSettings

logger = logging.getLogger("flask_otp_mpp")
FULL_SECONDS: Final = 60
"""How long a process stores no refusal of a client whose quota it found used up."""


class LimiterCounts:
    """Count by the storage and the strategy of a Limiter.

    :param limiter: the one of :func:`~flask_otp_mpp.web.limiter.own_limiter`, or the host's.
    :param key_prefix: of the keys in the storage, before that of the Limiter; it keeps apart apps
        that share a storage.
    :param threads: how many threads may wait for a storage that is silent.
    """

    def __init__(self, limiter: Limiter, key_prefix: str = "", threads: int = 16) -> None:
        self._limiter = limiter
        self._key_prefix = key_prefix
        self._threads = threads
        self._guard: AbstractContextManager[Any] | None = None
        self._key = ""

    @property
    def breaker(self) -> CircuitBreaker | None:
        """What leaves the storage alone while it fails; None before a count, and in memory."""
        return self._guard if isinstance(self._guard, CircuitBreaker) else None

    @property
    def in_memory(self) -> bool:
        """Tell whether each process counts for itself."""
        return self._limiter.enabled and isinstance(self._limiter.storage, MemoryStorage)

    def hit(self, limits: Sequence[RateLimitItem], scope: str, name: str) -> bool:
        """Count once; tell whether all limits still hold. A Limiter that is off counts nothing."""
        if not limits or not self._limiter.enabled:
            return True
        strategy = self._limiter.limiter
        if self._guard is None:
            self._key = self._make_key()
            self._guard = self._make_guard()
        key = f"{self._key}/{scope}/{name}"
        with self._guard:
            hits = [strategy.hit(limit, key) for limit in limits]
        return all(hits)

    def _make_key(self) -> str:
        # Flask-Limiter tells nobody the key_prefix that its Limiter was given.
        prefix = self._key_prefix or self._limiter._key_prefix  # noqa: SLF001
        # Each strategy stores another type under a key, so its name is part of the key.
        return f"{prefix}{':' * bool(prefix)}otp_mpp:{type(self._limiter.limiter).__name__}"

    def _make_guard(self) -> AbstractContextManager[Any]:
        if isinstance(self._limiter.storage, MemoryStorage):
            # It restarts its timer without a lock: two threads at once would raise.
            return threading.Lock()
        service = "the storage of the traffic limits"
        return CircuitBreaker(service, self._threads, Exception, ConnectionError)


class FlaskTrafficLimiter:
    """Count requests by address and by client, and refuse those above a limit.

    :param address_limits: limits of each address.
    :param client_limits: limits of each client of a protocol.
    :param on_failure: whether requests pass or fail while the storage does not answer.
    """

    def __init__(
        self,
        counts: LimiterCounts,
        address_limits: Sequence[RateLimitItem],
        client_limits: Sequence[RateLimitItem],
        on_failure: OnLimiterFailure,
    ) -> None:
        self._counts = counts
        self._address_limits = address_limits
        self._client_limits = client_limits
        self._on_failure = on_failure
        self._warned = False

    def see_processes(self, *, several: bool) -> None:
        """Warn, once, if each of several processes counts for itself.

        :param several: whether the server has several.
        """
        counting = self._address_limits or self._client_limits
        if not several or not counting or self._warned or not self._counts.in_memory:
            return
        self._warned = True
        logger.warning(
            "traffic is counted in memory by each of the server's processes: each of them allows "
            "as much as a limit says; name a storage that they share, such as "
            "redis://host:6379, in %r",
            key_of(TrafficSettings, "limiter_storage"),
        )

    def check_address(self, address: str) -> None:
        self._hit(self._address_limits, "address", address)

    def check_client(self, protocol: str, client: str) -> None:
        self._hit(self._client_limits, protocol, client)

    def _hit(self, limits: Sequence[RateLimitItem], scope: str, name: str) -> None:
        try:
            within = self._counts.hit(limits, scope, name)
        except Exception as error:
            clear_frames(error)  # a client's hold the password of the storage
            if self._on_failure is OnLimiterFailure.CLOSED:
                raise
            logger.warning("traffic is not limited: the storage failed (%s)", type(error).__name__)
            return
        if not within:
            refuse(Reason.TRAFFIC_EXCEEDED)


class FlaskRefusalQuota:
    """Count the refusals that were stored for each client of a protocol.

    A request that is granted costs nothing. A process that finds a quota used up stores no further
    refusal of that client for a minute, and then asks again, by storing one more.

    :param limits: of each client; if there are none, there is always room.
    """

    def __init__(self, counts: LimiterCounts, limits: Sequence[RateLimitItem]) -> None:
        self._counts = counts
        self._limits = limits
        self._full_until: dict[tuple[str, str], float] = {}

    def has_room(self, caller: Caller) -> bool:
        return time.monotonic() >= self._full_until.get((caller.protocol, caller.client), 0)

    def count(self, caller: Caller) -> None:
        """Count a refusal. A storage that does not answer counts as a quota that is used up."""
        try:
            within = self._counts.hit(self._limits, f"refused:{caller.protocol}", caller.client)
        except Exception as error:  # noqa: BLE001 - any storage of the host; the answer is decided
            name = type(error).__name__
            logger.warning("refusals are not counted, nor stored: the storage failed (%s)", name)
            within = False
        if not within:
            end = time.monotonic() + FULL_SECONDS
            self._full_until[caller.protocol, caller.client] = end
