"""Run a wallet under gunicorn, with points at which its worker is killed; gunicorn replaces it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.transport import Call
from tests.deployment.processes import ROOT, Deployed, stop, wait_for
from tests.faults.kill_points import KillPoints
from tests.faults.wallet_app import VARIABLE
from tests.servers import free_port
from tests.wallet import settings

_REPLACEMENT_SECONDS: Final = 30


@dataclass
class KillableServer(Deployed):
    """A deployed wallet whose worker can be killed at a chosen point of a request."""

    @property
    def kill_points(self) -> KillPoints:
        return KillPoints(self.folder / "kill_point")

    def kill_during(self, caller: AlipayPlusCaller, call: Call, point: str) -> None:
        """Deliver a call during which the worker is killed; return when there is another worker."""
        old = self.workers()
        self.kill_points.arm(point)
        try:
            answer: AlipayPlusAnswer | None = caller.deliver(call)
        except OSError:  # http.client tells a connection without an answer as one of these
            answer = None
        assert answer is None
        assert not self.kill_points.armed, f"the request did not reach {point}"
        end = time.monotonic() + _REPLACEMENT_SECONDS
        while time.monotonic() < end and (not self.workers() or self.workers() & old):
            time.sleep(0.01)
        assert int(self.page("/pid")) not in old


@contextmanager
def running(folder: Path, store: str, *arguments: str, **changed: Any) -> Iterator[KillableServer]:
    """Run a wallet under gunicorn until the test is over.

    :param store: the URL of a store that has its tables.
    :param changed: settings by their key.
    """
    folder.mkdir(exist_ok=True)
    port, log, outbox, config = (
        free_port(), folder / "server.log", folder / "outbox", folder / "app.json",
    )  # fmt: skip
    outbox.touch()
    files = {"OUTBOX": str(outbox), "KILL_POINT": str(folder / "kill_point")}
    config.write_text(json.dumps({**settings(store, **changed), **files}))
    command = [
        sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--preload",
        "--worker-tmp-dir", "/dev/shm", "--log-level", "warning", *arguments,
        "tests.faults.wallet_app:app",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, VARIABLE: str(config), "XDG_RUNTIME_DIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            server = KillableServer(port, folder, process)
            wait_for(server, log)
            yield server
        finally:
            stop(process)
