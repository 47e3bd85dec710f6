"""How many requests a server handles at a time is known from what it says of itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config

from flask_otp_mpp.core.settings import read_group
from flask_otp_mpp.web.capacity import Capacity, capacity_of, half_of_threads
from flask_otp_mpp.web.traffic_settings import TrafficSettings


class Gunicorn(BaseApplication):  # type: ignore[misc]
    """Load an app as gunicorn does; it is no server yet."""

    def __init__(self, load: Callable[[], Any], **settings: Any) -> None:
        self._load, self._settings = load, settings
        super().__init__()

    def load_config(self) -> None:
        assert isinstance(self.cfg, Config)
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._load()


@pytest.mark.parametrize(
    ("settings", "half"),
    [
        ({}, 1),
        ({"threads": 1}, 1),
        ({"threads": 4}, 2),
        ({"worker_class": "gthread", "threads": 16}, 8),
        ({"worker_class": "gevent"}, 500),
        ({"worker_class": "gevent", "worker_connections": 40, "threads": 3}, 20),
    ],
)
def test_gunicorn_tells_its_threads(settings: dict[str, Any], half: int) -> None:
    """O7: by its configuration, or how many connections a worker of greenlets takes."""
    assert Gunicorn(half_of_threads, **settings).wsgi() == half


@pytest.mark.parametrize(
    ("module", "contents", "half"),
    [
        ("mod_wsgi", {"threads_per_process": 15}, 7),
        ("uwsgi", {"opt": {"threads": b"8"}}, 4),
        ("uwsgi", {"opt": {b"threads": 8}}, 4),
        ("uwsgi", {"opt": {}}, None),
        ("another", {}, None),
    ],
)
def test_servers_with_a_module_tell_theirs(
    monkeypatch: pytest.MonkeyPatch, module: str, contents: dict[str, Any], half: int | None
) -> None:
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(**contents))
    assert half_of_threads() == half


@pytest.mark.parametrize(
    ("threads", "settings", "expected"),
    [
        (None, {}, Capacity(4, 2, 16)),
        (1, {}, Capacity(1, 0, 1)),
        (4, {}, Capacity(2, 1, 2)),
        (16, {}, Capacity(8, 2, 8)),
        (16, {"deliveries": 3}, Capacity(3, 1, 8)),
        (None, {"deliveries": 40, "waiting_repeats": 9}, Capacity(40, 9, 40)),
    ],
)
def test_half_of_the_threads_may_hang(
    threads: int | None, settings: dict[str, Any], expected: Capacity
) -> None:
    """O7: unless the host has set how many."""

    def load() -> Capacity:
        return capacity_of(replace(read_group(TrafficSettings, {}, []), **settings))

    found = load() if threads is None else Gunicorn(load, threads=threads).wsgi()
    assert found == expected
