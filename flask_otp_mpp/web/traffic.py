"""Traffic is limited by Flask-Limiter's storage and strategy, asked where the door wants it.

Not by its decorators: those run before our door, cost more, and could not put a limit between the
signature and the work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem
from limits.storage import MemoryStorage

from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.web.settings import OnLimiterFailure

logger = logging.getLogger("flask_otp_mpp")
CLEARING_SECONDS: Final = 1
"""How often a storage in memory is cleared of what has expired; nothing expired is ever counted."""
_OPTIONS: Final = "RATELIMIT_STORAGE_OPTIONS"
_HOST_KEYS: Final = ("RATELIMIT_ENABLED", "RATELIMIT_STORAGE_URI", _OPTIONS)
# A request asks up to twice, and its caller waits 5 s. By itself the client waits longer, or on
# older versions for ever.
_PATIENCE: Final = {"socket_timeout": 1, "socket_connect_timeout": 1}


def own_limiter(config: Mapping[str, Any], storage: str | None, strategy: str) -> Limiter:
    """Make a Limiter for one app that leaves that app alone.

    It lives on an app of its own: on the host's it would hook each of the host's requests, and
    take the host's RATELIMIT_DEFAULT for its own. The host's storage and switch hold here too,
    unless a storage is named. Redis is not waited for longer than a second, unless the storage's
    options or its URI say otherwise.

    :param config: the host's configuration.
    """
    shell = Flask("flask_otp_mpp.limiter")
    if storage is None:
        shell.config.update({key: config[key] for key in _HOST_KEYS if key in config})
    elif "RATELIMIT_ENABLED" in config:
        shell.config["RATELIMIT_ENABLED"] = config["RATELIMIT_ENABLED"]
    shell.config.setdefault("RATELIMIT_STORAGE_URI", storage or "memory://")
    if str(shell.config["RATELIMIT_STORAGE_URI"]).startswith(("redis", "valkey")):
        shell.config[_OPTIONS] = {**_PATIENCE, **shell.config.get(_OPTIONS, {})}
    limiter = Limiter(get_remote_address, strategy=strategy)
    limiter.init_app(shell)
    return limiter


class _Rest(threading.Timer):
    """Seem to run for some seconds, so that a storage in memory clears no more often than that.

    By itself it starts a thread a hundred times a second, which looks through all that it holds:
    while a request works, and the longer the more addresses there are.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, lambda: None)  # it is never started
        self._end = time.monotonic() + seconds

    def is_alive(self) -> bool:
        return time.monotonic() < self._end


class FlaskTrafficLimiter:
    """Count requests by address and by client, and refuse those above a limit.

    :param limiter: ours, or the host's own, whose storage and strategy then count.
    :param on_failure: what to do when the storage does not answer.
    """

    def __init__(
        self,
        limiter: Limiter,
        address_limits: Sequence[RateLimitItem],
        client_limits: Sequence[RateLimitItem],
        on_failure: OnLimiterFailure,
    ) -> None:
        self._limiter = limiter
        self._address_limits = address_limits
        self._client_limits = client_limits
        self._on_failure = on_failure
        self._lock: AbstractContextManager[Any] | None = None

    def check_address(self, address: str) -> None:
        self._hit(self._address_limits, "address", address)

    def check_client(self, protocol: str, client: str) -> None:
        self._hit(self._client_limits, protocol, client)

    def _hit(self, limits: Sequence[RateLimitItem], scope: str, name: str) -> None:
        if not limits or not self._limiter.enabled:
            return
        try:
            within = self._count(limits, scope, name)
        except Exception as error:
            if self._on_failure is OnLimiterFailure.CLOSED:
                raise
            logger.warning("traffic is not limited: the storage failed (%s)", type(error).__name__)
            return
        if not within:
            refuse(Reason.TRAFFIC_EXCEEDED)

    def _count(self, limits: Sequence[RateLimitItem], scope: str, name: str) -> bool:
        strategy = self._limiter.limiter
        storage = strategy.storage
        if self._lock is None:
            # MemoryStorage restarts its timer without a lock: two threads at once raise there.
            memory = isinstance(storage, MemoryStorage)
            self._lock = threading.Lock() if memory else nullcontext()
        # Strategies keep different types under one key: the strategy's name keeps them apart.
        prefix = f"otp_mpp:{type(strategy).__name__}"
        with self._lock:
            hits = [strategy.hit(limit, prefix, scope, name) for limit in limits]
            if isinstance(storage, MemoryStorage) and not isinstance(storage.timer, _Rest):
                storage.timer = _Rest(CLEARING_SECONDS)
        return all(hits)
