"""The tutorial works from an empty folder: its files, its commands, and what they print."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import metadata
from pathlib import Path
from typing import Final

import pytest

from tests.deployment.test_nginx import running
from tests.public import private_imports
from tests.servers import free_port
from tests.services import program
from tests.stores.redis_server import private_redis
from tests.tutorial import (
    ROOT,
    blocks_of,
    commands_of,
    matches,
    run_command,
    run_script,
    write_file,
)

PAGE: Final = (ROOT / "docs/tutorial.md").read_text()
INSTALLED: Final = re.compile(r"flask-otp-mpp\[([\w,]+)\]")


@pytest.mark.slow
@pytest.mark.server
def test_the_tutorial_leads_from_an_empty_folder_to_a_wallet_behind_nginx(tmp_path: Path) -> None:
    """O4: what needs the package index or the rights of root is done by the test."""
    for name in ("nginx", "openssl", "curl"):
        program(name)
    folder, servers = tmp_path / "wallet", tmp_path / "servers"
    folder.mkdir()
    servers.mkdir()
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}  # where gunicorn puts a socket of its own
    app, front = free_port(), free_port()
    read: dict[str, str] = {}
    compared = 0
    with ExitStack() as stack:
        redis = stack.enter_context(private_redis(servers))
        ports = {"6379": redis.port, "8000": app, "8080": front}
        for block in blocks_of(with_ports(PAGE, ports)):
            if block.kind in {"py", "nginx"}:
                write_file(folder, block.text)
            elif block.kind == "console":
                for command, shown in commands_of(block.text):
                    printed = run_command(folder, filled_in(command, read), environment)
                    assert matches(shown, printed), f"{command}\n{printed}"
                    read |= found_in(printed)
                    compared += 1
            elif "pip install" not in block.text:
                run_script(folder, without_root(block.text), environment)
            if "sudo nginx" in block.text:
                stack.enter_context(stopping(folder / "gunicorn.pid", app))
                conf = (folder / "wallet.conf").read_text()
                stack.enter_context(running(servers, front, conf))
    assert compared == PAGE.count("\n$ ") > 10


def with_ports(page: str, ports: Mapping[str, int]) -> str:
    """Return the page with other ports than those that a reader has free."""
    for usual, free in ports.items():
        page = page.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{free}")
    return page


def without_root(script: str) -> str:
    return "".join(line for line in script.splitlines(True) if not line.startswith("sudo "))


def filled_in(command: str, read: Mapping[str, str]) -> str:
    """Put what was read into the places that the page names for it."""
    return re.sub(r"\b(?:ID|CODE)\b", lambda place: read[place[0]], command)


def found_in(printed: str) -> dict[str, str]:
    """Return the id and the code that a reader reads in an output."""
    found = {
        "ID": re.search(r'"verifyRequestId":"(\w+)"', printed),
        "CODE": re.search(r"(\d+) is your", printed),
    }
    return {name: match[1] for name, match in found.items() if match is not None}


@contextmanager
def stopping(pid_file: Path, port: int) -> Iterator[None]:
    """Wait until the server that writes this file answers; stop it at the end."""
    wait_until(lambda: pid_file.is_file() and pid_file.read_text().strip() != "")
    pid = int(pid_file.read_text())
    try:
        wait_until(lambda: answers(port))
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not pid_file.exists())


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "the server neither starts nor stops"
        time.sleep(0.05)


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


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a … c\n", "a b c\n", True),
        ("…\nc\n", "a\nb\nc\n", True),
        ("…\nc\n", "c\n", True),
        ("a … c\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_an_output_is_compared_with_what_the_page_shows(
    shown: str, printed: str, same: bool
) -> None:
    """O4: dots in the middle of a line stand for no line end."""
    assert matches(shown, printed) is same
