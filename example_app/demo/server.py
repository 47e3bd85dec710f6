"""Run the example wallet in a process of its own, for as long as a context lasts."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
START_LIMIT = 20.0
STOP_LIMIT = 5.0


class NotServing(Exception):
    """Raised if the wallet does not start; the message has the last lines of its log."""


@contextmanager
def serving(instance: Path) -> Iterator[str]:
    """Serve the wallet of an instance folder on a free port of this machine.

    :returns: the URL at which it answers. The server is stopped on leaving, however that happens.
    :raises NotServing: if it does not come up.
    """
    log = instance / "server.log"
    app = f"example_app:create_app({str(instance)!r})"
    run = ["run", "--host", "127.0.0.1", "--port", "0", "--no-reload", "--no-debugger"]
    with (
        log.open("wb") as sink,
        subprocess.Popen(  # noqa: S603 - no part comes from outside
            [sys.executable, "-m", "flask", "--app", app, *run],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        ) as server,
    ):
        try:
            yield _address(server, log)
        finally:
            _stop(server)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server listens: it logs its URL then."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if found := re.search(r"Running on (http://\S+)", _read(log)):
            return found.group(1)
        if server.poll() is not None:
            raise NotServing(
                f"the wallet stopped with exit status {server.returncode}:\n{_tail(log)}"
            )
        time.sleep(0.05)
    raise NotServing(f"the wallet did not answer within {START_LIMIT:.0f} s:\n{_tail(log)}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        server.kill()


def _read(log: Path) -> str:
    return click.unstyle(log.read_text(errors="replace"))


def _tail(log: Path) -> str:
    return (
        "\n".join(f"  {line}" for line in _read(log).splitlines()[-15:]) or "  (it logged nothing)"
    )
