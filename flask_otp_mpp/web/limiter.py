"""The Limiter that counts traffic: its storage with time-outs, its strategy, and what is wrong.

Storage and strategy are made by the two calls by which Flask-Limiter makes them, from the same
settings of the host, and held by a Limiter that is on no app.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from threading import Timer
from time import time
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlsplit

from flask_limiter import Limiter
from flask_limiter.constants import ConfigVars
from flask_limiter.util import get_remote_address
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import STRATEGIES, RateLimiter

from flask_otp_mpp.core.settings import Faults, key_of
from flask_otp_mpp.web.traffic_settings import TrafficSettings

_MEMORY: Final = "memory://"
_ASYNC: Final = "async+"
_SCHEME: Final = re.compile("[a-z][a-z0-9+]*://")
_NOT_INSTALLED: Final = re.compile("'([a-z0-9._-]+)' prerequisite not available")
# A request asks the storage two or three times, and its caller waits 5 s. By default the clients
# of the storages wait longer, or for ever.
_REDIS: Final = {"socket_timeout": 1, "socket_connect_timeout": 1}
_SENTINEL: Final = {**_REDIS, "sentinel_kwargs": {**_REDIS, "retry": None}}
_TIMEOUTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "redis+sentinel": _SENTINEL,
    "valkey+sentinel": _SENTINEL,
    "redis": _REDIS,
    "valkey": _REDIS,
    "memcached": {"timeout": 1, "connect_timeout": 1},
    "mongodb": {"timeoutMS": 1000},
}
"""Arguments of a storage by the beginning of its scheme."""


class CountingLimiter(Limiter):
    """A Limiter without an app: it counts what it is asked to, and hooks into no request.

    On the host's app a second Limiter would hook into all of the host's requests, and apply the
    host's RATELIMIT_DEFAULT once more.
    """

    def __init__(self, strategy: RateLimiter) -> None:
        super().__init__(get_remote_address)
        self._counting = strategy

    @property
    def storage(self) -> Storage:
        return self._counting.storage

    @property
    def limiter(self) -> RateLimiter:
        return self._counting


class TrafficMemory(MemoryStorage):
    """Counts in memory, whose expired ones are deleted by those who count.

    The storage of limits starts a thread a hundred times a second, which goes through all counts
    while requests are handled: the more addresses, the longer. Here each count looks at two others.

    One thread counts at a time, which :class:`~flask_otp_mpp.web.traffic.LimiterCounts` sees to.
    """

    _rest: Iterator[str] = iter(())

    def __init__(self) -> None:
        super().__init__(_MEMORY)
        self.timer.cancel()
        self.timer = _NoTimer(0, lambda: None)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        self._delete_expired()
        now = time()
        if self.expirations.get(key, 0) <= now:
            self.expirations[key] = now + expiry
            self.storage[key] = 0
        self.storage[key] += amount
        return self.storage[key]

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        self._delete_expired()
        return super().acquire_entry(key, limit, expiry, amount)

    def _delete_expired(self) -> None:
        looked_at = list(islice(self._rest, 2))
        if not looked_at:
            self._rest = iter([*self.expirations, *self.events])
        for key in looked_at:
            events = self.events.get(key)
            end = events[0].expiry if events else self.expirations.get(key, 0)
            if end <= time():
                self.clear(key)


class _NoTimer(Timer):
    """Let the storage believe that its timer runs, so that it starts none."""

    def is_alive(self) -> bool:
        return True


def open_limiter(
    config: Mapping[str, Any], settings: TrafficSettings, faults: Faults
) -> Limiter | None:
    """Make the Limiter that is configured; what is wrong with it is added to the faults."""
    key = key_of(TrafficSettings, "limiter_storage")
    uri = settings.limiter_storage or str(config.get(ConfigVars.STORAGE_URI) or _MEMORY)
    try:
        if not uri.startswith(_ASYNC):
            return own_limiter(config, settings.limiter_storage, settings.limiter_strategy)
        finding = f"found {_shown(uri)}, whose counts only asyncio can wait for; omit {_ASYNC!r}"
    except NotImplementedError:
        key = key_of(TrafficSettings, "limiter_strategy")
        finding = (
            f"{settings.limiter_strategy!r} can't be counted in {_shown(uri)}; use 'fixed-window', "
            "or another storage"
        )
    except Exception as error:  # noqa: BLE001 - each kind of storage has exceptions of its own
        finding = f"can't be used by Flask-Limiter: {_without_uri(uri, error)}"
    faults.append((key, finding))
    return None


def own_limiter(config: Mapping[str, Any], storage: str | None, strategy: str) -> Limiter:
    """Make a Limiter that does not change the host's app.

    RATELIMIT_ENABLED of the host applies, and so do its RATELIMIT_STORAGE_URI and
    RATELIMIT_STORAGE_OPTIONS unless ``storage`` is given. A storage has one second for an answer,
    unless those options or the URI set a timeout.

    :param config: the host's configuration.
    :param storage: the URI of the storage; None for the host's, or else memory.
    :param strategy: the name of a Flask-Limiter strategy, such as ``fixed-window``.
    :raises NotImplementedError: if the storage can't count by the strategy.
    """
    if not config.get(ConfigVars.ENABLED, True):
        return Limiter(get_remote_address, enabled=False)
    options: Mapping[str, Any] = {}
    if storage is None:
        storage = str(config.get(ConfigVars.STORAGE_URI) or _MEMORY)
        options = config.get(ConfigVars.STORAGE_OPTIONS) or {}
    return CountingLimiter(STRATEGIES[strategy](_open_storage(storage, options)))


def _open_storage(uri: str, options: Mapping[str, Any]) -> Storage:
    if uri == _MEMORY:
        return TrafficMemory()
    return cast(Storage, storage_from_string(uri, **{**_timeouts(uri), **options}))


def _timeouts(uri: str) -> dict[str, Any]:
    """Return the time-outs that a URI does not set itself."""
    url = urlsplit(uri)
    found = next((_TIMEOUTS[start] for start in _TIMEOUTS if url.scheme.startswith(start)), {})
    own = {name.lower() for name, _ in parse_qsl(url.query)}
    return {name: value for name, value in found.items() if name.lower() not in own}


def _without_uri(uri: str, error: Exception) -> str:
    """Return what is wrong with a storage, and nothing of its URI but the scheme.

    Flask-Limiter and its clients quote the URI, or what they take for its port or host: part of a
    password that holds a slash, for example.
    """
    if missing := _NOT_INSTALLED.match(str(error)):
        return f"found {_shown(uri)}, which needs {missing[1]!r}; install that"
    return (
        f"found {_shown(uri)} ({type(error).__name__}); check scheme, host, port and options, "
        "write a character such as / or @ in a password as %2F or %40, and see that the server is "
        "there"
    )


def _shown(uri: str) -> str:
    scheme = _SCHEME.match(uri)
    return f"{scheme[0]}…" if scheme else "what is no URI"
