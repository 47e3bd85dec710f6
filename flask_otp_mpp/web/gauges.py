"""Read how an app is, for its metrics: what is at work, what fails, and how old its secrets are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask_otp_mpp.core.circuit_breaker import CircuitBreaker
from flask_otp_mpp.web.exposed_files import named_files
from flask_otp_mpp.web.state import State

# By name: a wallet imports no store that it does not use.
_KINDS: Final = {"SQLAlchemyStore": "sql", "MemoryStore": "memory", "RedisStore": "redis"}


class Gauges:
    """Set the gauges of an app, and count what other parts of the package count themselves.

    :param config: of the app; it names the files of secrets.
    :param child: returns a metric with the values of its labels.
    """

    def __init__(self, state: State, config: Mapping[str, Any], child: Callable[..., Any]) -> None:
        self._state = state
        self._child = child
        self._told: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()
        # By attribute: a wallet without Google does not import its protocol.
        self._pgp = [one for one in state.protocols if hasattr(one, "bulkheads")]
        child("otp_mpp_store_info", _kind(state.store)).set(1)
        # What the process has read; a file that is replaced later is not in use yet.
        for setting, _what, path in named_files(config, None):
            try:
                modified = path.stat().st_mtime
            except (OSError, ValueError):  # a key that is written in the setting itself is no file
                continue
            name = "otp_mpp_secret_file_modified_timestamp_seconds"
            child(name, setting, path.name).set(modified)

    def refresh(self) -> None:
        """Set everything again; while another thread does, nothing is to be done."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._refresh()
        finally:
            self._lock.release()

    def _refresh(self) -> None:
        state, child = self._state, self._child
        limiter = state.limiter.breaker
        breakers = {"store": state.guarded_store.breaker, "limiter": limiter}
        for service, breaker in breakers.items():
            is_open = isinstance(breaker, CircuitBreaker) and breaker.is_open
            child("otp_mpp_circuit_open", service).set(int(is_open))
        self._count(0 if limiter is None else limiter.failed, "otp_mpp_limiter_failures_total")
        operations = state.key_operations
        name = "otp_mpp_private_key_operations_total"
        self._count(operations.signatures, name, "sign")
        self._count(operations.decryptions, name, "decrypt")
        child("otp_mpp_deliveries_at_work").set(state.deliveries.inside)
        child("otp_mpp_delivery_places").set(state.deliveries.places)
        if state.skew.seconds is not None:
            child("otp_mpp_clock_skew_seconds").set(state.skew.seconds)
        for protocol in self._pgp:
            for work in ("opening", "sealing"):
                found = protocol.bulkheads(work)
                name = "otp_mpp_pgp_messages"
                child(name, work, "at_work").set(sum(one.inside for one in found))
                child(name, work, "waiting").set(sum(one.waiting for one in found))

    def _count(self, total: int, *name: str) -> None:
        """Count what has come to a total since the last time."""
        self._child(*name).inc(total - self._told.get(name, 0))
        self._told[name] = total


def _kind(store: object) -> str:
    names = [base.__name__ for base in type(store).__mro__]
    return next((_KINDS[name] for name in names if name in _KINDS), "other")
