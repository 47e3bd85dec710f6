"""The tutorial works from an empty folder: its files, its commands, and what they print."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import metadata
from pathlib import Path

import pytest

from tests.deployment.test_nginx import running
from tests.public import private_imports
from tests.servers import free_port
from tests.services import program
from tests.stores.redis_server import private_redis
from tests.tutorial import ROOT, blocks_of, commands_of, matches, run, run_command, write_file

PAGE = (ROOT / "docs/tutorial.md").read_text()
INSTALLED = re.compile(r"flask-otp-mpp\[([\w,]+)\]")


@pytest.mark.slow
@pytest.mark.server
def test_the_tutorial_leads_from_an_empty_folder_to_a_wallet_behind_nginx(tmp_path: Path) -> None:
    """O4: only what needs the network or the rights of root is left out, and done by the test."""
    for name in ("nginx", "openssl", "curl"):
        program(name)
    folder, servers = tmp_path / "wallet", tmp_path / "servers"
    folder.mkdir()
    servers.mkdir()
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}  # where gunicorn puts a socket of its own
    compared = 0
    with ExitStack() as stack:
        redis = stack.enter_context(private_redis(servers))
        app, front = free_port(), free_port()
        page = (
            PAGE.replace("127.0.0.1:6379", f"127.0.0.1:{redis.port}")
            .replace("127.0.0.1:8000", f"127.0.0.1:{app}")
            .replace("127.0.0.1:8080", f"127.0.0.1:{front}")
        )
        told = {"ID": "", "CODE": ""}
        for block in blocks_of(page):
            if block.kind in {"py", "nginx"}:
                write_file(folder, block.text)
            elif block.kind == "sh" and "pip install" not in block.text:
                mine = "".join(
                    line for line in block.text.splitlines(True) if not line.startswith("sudo ")
                )
                run(folder, mine, environment)
                if "gunicorn" in mine:
                    stack.enter_context(stopping(folder / "gunicorn.pid", app))
                    conf = (folder / "wallet.conf").read_text()
                    stack.enter_context(running(servers, front, conf))
            elif block.kind == "console":
                for command, shown in commands_of(block.text):
                    for placeholder, value in told.items():
                        command = re.sub(rf" {placeholder}\b", f" {value}", command)
                    printed = run_command(folder, command, environment)
                    assert matches(shown, printed), f"{command}\n{printed}"
                    compared += 1
                    told |= found_in(printed)
    assert compared == sum(len(list(commands_of(b.text))) for b in blocks_of(PAGE)) > 10


def found_in(printed: str) -> dict[str, str]:
    """Return the id and the code that a reader reads in an output."""
    found = {
        "ID": re.search(r'"verifyRequestId":"(\w+)"', printed),
        "CODE": re.search(r"(\d+) is your", printed),
    }
    return {name: match[1] for name, match in found.items() if match is not None}


@contextmanager
def stopping(pid_file: Path, port: int) -> Iterator[None]:
    """Wait until the server that has written this file answers; stop it at the end."""
    wait_until(lambda: pid_file.is_file() and pid_file.read_text().strip() != "")
    pid = int(pid_file.read_text())
    try:
        wait_until(lambda: answers(port))
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not pid_file.exists())


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "the server neither starts nor stops"
        time.sleep(0.05)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_the_tutorial_installs_extras_that_exist() -> None:
    """O4: the test above has them installed already."""
    named = {extra for extras in INSTALLED.findall(PAGE) for extra in extras.split(",")}
    assert named
    assert named <= set(metadata("flask-otp-mpp").get_all("Provides-Extra") or [])


def test_the_tutorial_imports_public_names_only() -> None:
    """O4: what a reader copies must not break in the next release."""
    files = [block.text for block in blocks_of(PAGE) if block.kind == "py"]
    assert files
    assert [found for text in files for found in private_imports(text)] == []
