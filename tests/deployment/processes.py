"""Start a server on a free port, wait for it, and stop it after the test."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.transport import Transport, over_http
from tests.servers import free_port
from tests.wallet import ACQUIRER, CLIENT, PSP, key, make_tables, settings

ROOT: Final = Path(__file__).parents[2]
MODULE: Final = "tests.deployment.wallet_app:app"
START_SECONDS: Final = 60
REQUEST_SECONDS: Final = 30
STOP_SECONDS: Final = 5


def gunicorn(port: int, *more: str) -> list[str]:
    """Return the command of gunicorn."""
    bind = ["-b", f"127.0.0.1:{port}", "--worker-tmp-dir", "/dev/shm"]
    return [sys.executable, "-m", "gunicorn", *bind, "--log-level", "warning", *more, MODULE]


@dataclass
class Deployed:
    """A wallet that runs in processes of its own."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    name: str = ""

    def caller(self, transport: Transport | None = None, **changed: Any) -> AlipayPlusCaller:
        who: dict[str, Any] = {
            "client_id": CLIENT,
            "key": key("alipay+"),
            "server_keys": {"1": key("wallet").public_key()},
            "psp_id": PSP,
            "acquirer_id": ACQUIRER,
        }
        reach = transport or over_http(f"http://127.0.0.1:{self.port}", REQUEST_SECONDS)
        return AlipayPlusCaller(reach, **{**who, **changed})

    def outbox(self, user: str) -> list[str]:
        """Return the codes that went to a user."""
        lines = (self.folder / "outbox").read_text().splitlines()
        return [item["code"] for item in map(json.loads, lines) if item["user"] == user]

    def page(self, path: str) -> str:
        """Get a page of the host."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def workers(self) -> set[int]:
        """Return the processes that the server has forked."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return {int(child) for child in children.split()}


@contextmanager
def deployed(folder: Path, command: Sequence[str], port: int, **changed: Any) -> Iterator[Deployed]:
    """Run a server until the test is over.

    :param command: what to run, with the port in it.
    :param changed: settings of its wallet, by their key.
    """
    log = folder / "server.log"
    (folder / "outbox").touch()
    url = f"sqlite:///{folder / 'otp.db'}"
    make_tables(url)
    config = folder / "app.json"
    config.write_text(json.dumps({**settings(url, **changed), "OUTBOX": str(folder / "outbox")}))
    environment = {
        **os.environ,
        "OTP_MPP_TEST_APP": str(config),
        "XDG_RUNTIME_DIR": str(folder),  # where gunicorn puts a socket of its own
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            server = Deployed(port, folder, process)
            wait_for(server, log)
            yield server
        finally:
            stop(process)


def run(folder: Path, *arguments: str, **changed: Any) -> Any:
    """Run gunicorn with these arguments on a free port; ``changed`` are settings of its wallet."""
    port = free_port()
    return deployed(folder, gunicorn(port, *arguments), port, **changed)


def wait_for(server: Deployed, log: Path, page: str = "/pid") -> None:
    """Wait until the host answers; show the log if it does not."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.process.poll() is None:
        try:
            if server.page(page):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and whatever it has forked: politely first."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)
