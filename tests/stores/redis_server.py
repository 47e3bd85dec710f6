"""Redis servers for the tests: the one that the environment names, or a private one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.stores.redis.store import RedisStore
from tests.servers import free_port
from tests.services import missing

ROOT: Final = Path(__file__).parents[2]
URL: Final = os.environ.get("OTP_MPP_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


@contextmanager
def client(url: str = URL, protocol: int | None = None) -> Iterator[redis.Redis]:
    """Yield a client beside the store's own."""
    made = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), protocol=protocol)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def prefixed(url: str = URL) -> Iterator[str]:
    """Yield a key prefix that is used once; its keys are deleted at the end."""
    with client(url) as aside:
        try:
            aside.ping()
        except redis.RedisError as error:
            missing(f"no Redis answers at OTP_MPP_TEST_REDIS_URL: {type(error).__name__}")
        prefix = f"otp_mpp_test:{uuid.uuid4().hex}:"
        try:
            yield prefix
        finally:
            for key in aside.scan_iter(f"{prefix}*", count=1000):
                aside.delete(key)


@contextmanager
def opened_store(clock: Clock | None = None, url: str = URL) -> Iterator[RedisStore]:
    """Yield an empty store on the server that the environment names."""
    with prefixed(url) as prefix:
        store = RedisStore(url, clock, prefix)
        try:
            yield store
        finally:
            store.close()


def documented_rule() -> list[str]:
    """Return the words of the ACL rule that the documentation names, with the password secret."""
    page = (ROOT / "docs/stores/redis.md").read_text()
    found = re.search(r"^ACL SETUSER otp (.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].replace(">password", ">secret").split()


class PrivateRedis:
    """A Redis server for one test, on the loopback interface, which writes nothing to disk."""

    first: tuple[str, ...] = ()
    """What comes before all options: a file of settings."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options, self.port = folder, options, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            missing("neither redis-server nor valkey-server is installed")
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        self.process = subprocess.Popen(
            [program, *self.first, *where, "--save", "", "--appendonly", "no", *self.options],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        with client(self.url) as aside:
            while not self._answers(aside):
                ended = self.process.poll()
                assert ended is None, f"{program} ended with {ended}"
                assert time.monotonic() < deadline, f"{program} does not answer"
                time.sleep(0.02)

    def _answers(self, aside: redis.Redis) -> bool:
        try:
            return bool(aside.ping())
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False

    def stop(self) -> None:
        """Kill it, as a power cut would."""
        if hasattr(self, "process"):
            self.process.kill()
            self.process.wait(10)


@contextmanager
def private_redis(folder: Path, *options: str) -> Iterator[PrivateRedis]:
    """Run a private server, and kill it at the end."""
    server = PrivateRedis(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
