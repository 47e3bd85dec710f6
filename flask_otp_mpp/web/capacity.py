"""How many threads of this process may hang: what the server has, and what the host has set."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from flask_otp_mpp.web.traffic_settings import TrafficSettings

_DELIVERIES: Final = 4
_WAITING_FOR_SERVICE: Final = 16
_WAITING_REPEATS: Final = 2


@dataclass(frozen=True, slots=True)
class Capacity:
    """Bound what a process waits for at a time, so that its threads are left for other requests.

    :param deliveries: messages that are delivered.
    :param repeats: repeats that wait for the request that they repeat.
    :param for_service: requests that wait for a store, or the storage of limits, that is silent.
    """

    deliveries: int
    repeats: int
    for_service: int


def capacity_of(settings: TrafficSettings) -> Capacity:
    """Return what this process may wait for; called while the server loads the app."""
    half = half_of_threads()
    deliveries = settings.deliveries or half or _DELIVERIES
    repeats = settings.waiting_repeats
    return Capacity(
        deliveries,
        min(_WAITING_REPEATS, deliveries // 2) if repeats is None else repeats,
        half or max(deliveries, _WAITING_FOR_SERVICE),
    )


def half_of_threads() -> int | None:
    """Return half of the requests that the server handles at a time, at least 1.

    Called while the server loads the app.

    :returns: None if the server does not tell.
    """
    threads = _of_gunicorn() or _of_mod_wsgi() or _of_uwsgi()
    return None if threads is None else max(1, threads // 2)


def _of_gunicorn() -> int | None:
    """Find gunicorn's configuration where it calls what loads the app: it has no public place."""
    frame: FrameType | None = sys._getframe() if "gunicorn" in sys.modules else None  # noqa: SLF001
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("gunicorn."):
            config: Any = getattr(frame.f_locals.get("self"), "cfg", None)
            if config is not None:
                greenlets = config.worker_class_str in ("gevent", "eventlet")
                return int(config.worker_connections if greenlets else config.threads)
        frame = frame.f_back
    return None


def _of_mod_wsgi() -> int | None:
    threads: int | None = getattr(sys.modules.get("mod_wsgi"), "threads_per_process", None)
    return threads


def _of_uwsgi() -> int | None:
    options = getattr(sys.modules.get("uwsgi"), "opt", {})
    threads = options.get("threads", options.get(b"threads"))
    return None if threads is None else int(threads)
