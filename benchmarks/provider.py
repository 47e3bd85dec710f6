"""The peer ``lean`` with a sender that takes as long as a provider of messages."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping

from flask import Flask

from benchmarks import lean
from benchmarks.queueing import log_normal

P95: str = "BENCH_PROVIDER_P95"
"""The environment variable with the seconds within which 95 of 100 messages are delivered."""


def create_app(settings: Mapping[str, str] = os.environ) -> Flask:
    """Make the app."""
    latency = log_normal(float(settings[P95]))
    chance = random.Random(os.getpid())  # noqa: S311 - no secret
    return lean.create_app(settings, lambda: time.sleep(latency(chance, 0)))
