"""How many requests the server of this process handles at a time, where that can be known."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any


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
