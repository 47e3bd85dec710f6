"""A wallet with faults runs under gunicorn, which replaces a worker that was killed."""

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
from tests.faults.trap import Trap
from tests.faults.wallet_app import VARIABLE
from tests.servers import free_port
from tests.wallet import settings

_SUCCESSOR_SECONDS: Final = 10


@dataclass
class Mortal(Deployed):
    """A deployed wallet whose worker can be told where to die."""

    @property
    def trap(self) -> Trap:
        return Trap(self.folder / "trap")

    def dies_over(self, caller: AlipayPlusCaller, call: Call, point: str) -> None:
        """Deliver a call over which the worker dies; return when there is a successor."""
        old = self.workers()
        self.trap.arm(point)
        try:
            answer: AlipayPlusAnswer | None = caller.deliver(call)
        except OSError:  # http.client tells a connection without an answer as one of these
            answer = None
        assert answer is None
        assert not self.trap.armed, f"nobody came by {point}"
        end = time.monotonic() + _SUCCESSOR_SECONDS
        while time.monotonic() < end and (not self.workers() or self.workers() & old):
            time.sleep(0.01)
        assert int(self.page("/pid")) not in old


@contextmanager
def running(folder: Path, store: str, *arguments: str, **changed: Any) -> Iterator[Mortal]:
    """Run a wallet under gunicorn until the test is over.

    :param store: the URL of a place that has its tables.
    :param changed: settings by their key.
    """
    folder.mkdir(exist_ok=True)
    port, log, outbox, config = (
        free_port(), folder / "server.log", folder / "outbox", folder / "app.json",
    )  # fmt: skip
    outbox.touch()
    places = {"OUTBOX": str(outbox), "TRAP": str(folder / "trap")}
    config.write_text(json.dumps({**settings(store, **changed), **places}))
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
            server = Mortal(port, folder, process)
            wait_for(server, log)
            yield server
        finally:
            stop(process)
