"""Run the example wallet from the files in deploy/: only paths, ports and names are substituted."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Final

from example_app import instance
from flask_otp_mpp.callers import AlipayPlusAnswer, AlipayPlusCaller
from tests.deployment.processes import ROOT, stop
from tests.deployment.test_nginx import running
from tests.services import program

DEPLOY: Final = ROOT / "deploy"
INSTALLED: Final = "/opt/wallet"
# Run a command as systemd runs the service of a socket: the socket is number 3.
ACTIVATE: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[2], sys.argv[2:])
"""


def unit(name: str) -> dict[str, list[str]]:
    """Return the values of a unit by their key."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def here(text: str) -> str:
    """Replace the place of an installation by that of this repository and its environment."""
    return text.replace(f"{INSTALLED}/.venv/bin/", f"{Path(sys.executable).parent}/").replace(
        INSTALLED, str(ROOT)
    )


def named_settings() -> dict[str, str]:
    """Return what wallet.env.example sets."""
    lines = (DEPLOY / "wallet.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@dataclass
class Site:
    """A folder with the wallet's data and secrets, the port of its socket unit, and gunicorn."""

    folder: Path
    threads: int = 4
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    process: subprocess.Popen[bytes] | None = None
    changed: dict[str, str] = field(default_factory=dict)
    """What wallet.env sets beside its example."""

    def __post_init__(self) -> None:
        instance.fill(self.home)
        credentials = self.folder / "credentials"
        credentials.mkdir()
        for name, held in {
            "pepper": "a pepper for this one test, long enough",
            "store_url": f"sqlite:///{self.home / 'otp.db'}",
            "limiter_url": "memory://",
        }.items():
            (credentials / name).touch(0o600)
            (credentials / name).write_text(held)
        self.counts.mkdir()

    @property
    def home(self) -> Path:
        """The folder that WALLET_INSTANCE names."""
        return self.folder / "state" / "otp-mpp"

    @property
    def counts(self) -> Path:
        return self.folder / "otp-mpp"

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a unit, with the directories that systemd would make."""
        places = {
            "%S": f"{self.folder}/state",
            "%t": str(self.folder),
            "%d": f"{self.folder}/credentials",
        }
        of_unit = dict(line.split("=", 1) for line in unit(name)["Environment"])
        for letter, place in places.items():
            of_unit = {key: value.replace(letter, place) for key, value in of_unit.items()}
        inherited = {key: os.environ[key] for key in os.environ if not key.startswith("FLASK_")}
        sizes = {"WALLET_WORKERS": "1", "WALLET_THREADS": str(self.threads)}
        return {**inherited, **of_unit, **named_settings(), **sizes, **self.changed}

    def command(self, name: str) -> list[str]:
        """Return the ExecStart of a unit."""
        return shlex.split(here(unit(name)["ExecStart"][0]))

    def start(self) -> None:
        passed = self.listener.fileno()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", ACTIVATE, str(passed), *self.command("otp-mpp.service")],
                cwd=ROOT,
                env=self.environment("otp-mpp.service"),
                pass_fds=[passed],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process)

    def restart(self) -> None:
        """Do what systemd does: the socket stays open."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Do as ExecReload says."""
        assert unit("otp-mpp.service")["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def workers(self) -> set[int]:
        assert self.process is not None
        pid = self.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def nginx_text(site: Site, port: int) -> str:
    """Return nginx.conf with another port, certificate and address of gunicorn."""
    text = (DEPLOY / "nginx.conf").read_text()
    for shipped, ours in {
        "127.0.0.1:8000": f"127.0.0.1:{site.port}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/wallet.pem": str(site.folder / "tls.pem"),
        "/etc/ssl/wallet.key": str(site.folder / "tls.key"),
    }.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, ours)
    return text


@contextmanager
def proxied(site: Site, port: int) -> Iterator[Path]:
    """Run nginx before the site, and let Python trust its certificate; give its error log."""
    make_certificate(site.folder)
    folder = site.folder / "nginx"
    folder.mkdir()
    with running(folder, port, nginx_text(site, port)):
        yield folder / "error.log"


def make_certificate(folder: Path) -> None:
    asked = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=wallet"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-out", str(folder / "tls.pem"), "-keyout", str(folder / "tls.key")]
    subprocess.run(
        [program("openssl"), *asked.split(), *names, *files], check=True, capture_output=True
    )


@dataclass
class Load:
    """Callers that send, each on its own, until they are stopped."""

    answers: list[AlipayPlusAnswer] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    slowest: float = 0

    def send(self, caller: AlipayPlusCaller, ended: threading.Event) -> None:
        while not ended.wait(0.05):
            began = time.monotonic()
            try:
                self.answers.append(caller.send(f"TRIAL_USER_{secrets.token_hex(8)}"))
            except (OSError, HTTPException) as error:
                self.failures.append(error)
            self.slowest = max(self.slowest, time.monotonic() - began)

    @property
    def outcomes(self) -> set[tuple[str, bool]]:
        return {(answer.code, answer.verified) for answer in self.answers}


@contextmanager
def under_load(caller: AlipayPlusCaller, threads: int = 4) -> Iterator[Load]:
    """Send while the context lasts, and half a second before and after."""
    load, ended = Load(), threading.Event()
    senders = [threading.Thread(target=load.send, args=(caller, ended)) for _ in range(threads)]
    for sender in senders:
        sender.start()
    try:
        time.sleep(0.5)
        yield load
        time.sleep(0.5)
    finally:
        ended.set()
        for sender in senders:
            sender.join(30)
