"""Limit requests by address and by client, with the storage and strategy of Flask-Limiter.

Stored refusals are counted in the same way.

Its decorators are not used: they run before the blueprint, cost more, and can't check a limit
between the signature and the work.
"""

from __future__ import annotations

import logging
import re
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

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.core.secret import clear_frames
from flask_otp_mpp.core.settings import Faults, key_of
from flask_otp_mpp.web.traffic_settings import OnLimiterFailure, TrafficSettings

logger = logging.getLogger("flask_otp_mpp")
FULL_SECONDS: Final = 60
"""How long a process stores no refusal of a client whose quota it found used up."""
CLEARING_SECONDS: Final = 1
"""How often a memory storage deletes expired counts; an expired count is never used."""
_SCHEME: Final = re.compile("[a-z][a-z0-9+]*://")
_NOT_INSTALLED: Final = re.compile("'([a-z0-9._-]+)' prerequisite not available")
_OPTIONS: Final = "RATELIMIT_STORAGE_OPTIONS"
_HOST_KEYS: Final = ("RATELIMIT_ENABLED", "RATELIMIT_STORAGE_URI", _OPTIONS)
# A request asks the storage two or three times, and its caller waits 5 s. By default the client
# waits longer; its older versions wait for ever.
_REDIS_TIMEOUTS: Final = {"socket_timeout": 1, "socket_connect_timeout": 1}


def open_limiter(
    config: Mapping[str, Any], settings: TrafficSettings, faults: Faults
) -> Limiter | None:
    """Make the Limiter that is configured; what is wrong with it is added to the faults."""
    try:
        return own_limiter(config, settings.limiter_storage, settings.limiter_strategy)
    except Exception as error:  # noqa: BLE001 - each kind of storage has exceptions of its own
        uri = settings.limiter_storage or str(config.get("RATELIMIT_STORAGE_URI"))
        key = key_of(TrafficSettings, "limiter_storage")
        faults.append((key, f"can't be used by Flask-Limiter: {_without_uri(uri, error)}"))
        return None


def _without_uri(uri: str, error: Exception) -> str:
    """Return what is wrong with a storage, and nothing of its URI but the scheme.

    Flask-Limiter and its clients quote the URI, or what they take for its port or host: part of a
    password that holds a slash, for example.
    """
    scheme = _SCHEME.match(uri)
    shown = f"{scheme[0]}…" if scheme else "what is no URI"
    if missing := _NOT_INSTALLED.match(str(error)):
        return f"found {shown}, which needs {missing[1]!r}; install that"
    return (
        f"found {shown} ({type(error).__name__}); check scheme, host, port and options, write a "
        "character such as / or @ in a password as %2F or %40, and see that the server is there"
    )


def own_limiter(config: Mapping[str, Any], storage: str | None, strategy: str) -> Limiter:
    """Make a Limiter that does not change the host's app.

    It is registered on a separate Flask app: on the host's it would hook into all of the host's
    requests and use the host's RATELIMIT_DEFAULT. RATELIMIT_ENABLED of the host applies, and so do
    its RATELIMIT_STORAGE_URI and RATELIMIT_STORAGE_OPTIONS unless ``storage`` is given. Redis has
    one second for an answer, unless those options or the URI set a timeout.

    :param config: the host's configuration.
    :param storage: the URI of the storage; None for the host's, or else memory.
    :param strategy: the name of a Flask-Limiter strategy, such as ``fixed-window``.
    """
    app = Flask("flask_otp_mpp.limiter", static_folder=None)
    if storage is None:
        app.config.update({key: config[key] for key in _HOST_KEYS if key in config})
    elif "RATELIMIT_ENABLED" in config:
        app.config["RATELIMIT_ENABLED"] = config["RATELIMIT_ENABLED"]
    app.config.setdefault("RATELIMIT_STORAGE_URI", storage or "memory://")
    if str(app.config["RATELIMIT_STORAGE_URI"]).startswith(("redis", "valkey")):
        app.config[_OPTIONS] = {**_REDIS_TIMEOUTS, **app.config.get(_OPTIONS, {})}
    limiter = Limiter(get_remote_address, strategy=strategy)
    limiter.init_app(app)
    return limiter


class _ClearingPause(threading.Timer):
    """A timer that only seems to run, so that a memory storage does not start its own.

    The storage's own timer starts a thread a hundred times a second, which goes through all counts
    while requests are handled: the more addresses, the longer.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, lambda: None)  # never started
        self._end = time.monotonic() + seconds

    def is_alive(self) -> bool:
        return time.monotonic() < self._end


class LimiterCounts:
    """Count by the storage and the strategy of a Limiter.

    :param limiter: the one of :func:`own_limiter`, or the host's.
    :param key_prefix: of the keys in the storage; it keeps apart apps that share one.
    """

    def __init__(self, limiter: Limiter, key_prefix: str = "") -> None:
        self._limiter = limiter
        self._key_prefix = f"{key_prefix}:otp_mpp" if key_prefix else "otp_mpp"
        self._lock: AbstractContextManager[Any] | None = None

    def hit(self, limits: Sequence[RateLimitItem], scope: str, name: str) -> bool:
        """Count once; tell whether all limits still hold. A Limiter that is off counts nothing."""
        if not limits or not self._limiter.enabled:
            return True
        strategy = self._limiter.limiter
        storage = strategy.storage
        if self._lock is None:
            # MemoryStorage restarts its timer without a lock: two threads at once would raise.
            memory = isinstance(storage, MemoryStorage)
            self._lock = threading.Lock() if memory else nullcontext()
        # Each strategy stores another type under a key, so its name is part of the key.
        prefix = f"{self._key_prefix}:{type(strategy).__name__}"
        with self._lock:
            hits = [strategy.hit(limit, prefix, scope, name) for limit in limits]
            if isinstance(storage, MemoryStorage) and not isinstance(storage.timer, _ClearingPause):
                storage.timer = _ClearingPause(CLEARING_SECONDS)
        return all(hits)


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
            within = self._counts.hit(self._limits, f"refused {caller.protocol}", caller.client)
        except Exception as error:  # noqa: BLE001 - any storage of the host; the answer is decided
            name = type(error).__name__
            logger.warning("refusals are not counted, nor stored: the storage failed (%s)", name)
            within = False
        if not within:
            end = time.monotonic() + FULL_SECONDS
            self._full_until[caller.protocol, caller.client] = end
