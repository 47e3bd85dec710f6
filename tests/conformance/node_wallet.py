"""Start the wallet that is written in Node.js, for a test."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.services import program

WALLET: Final = Path(__file__).parent / "node" / "wallet.mjs"
START_SECONDS: Final = 20
STOP_SECONDS: Final = 5
_READY: Final = "listening on "


@contextmanager
def node_wallet(config: Mapping[str, Any]) -> Iterator[str]:
    """Run the wallet in a child process; yield its base URL.

    Without Node.js the test is skipped (see `tests.services.program`).

    :param config: as `node/README.md` describes it.
    :raises RuntimeError: if it does not start; the message holds what it wrote.
    """
    node = program("node")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "wallet.json")
        file.write_text(json.dumps(config), "utf-8")
        errors = Path(folder, "errors")
        with (
            errors.open("w") as stderr,
            subprocess.Popen(
                [node, str(WALLET), "--config", str(file), "--port", "0"],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
        ):
            try:
                yield _wait_until_ready(process, errors)
            finally:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


def _wait_until_ready(process: subprocess.Popen[str], errors: Path) -> str:
    """Return the URL of the line that it prints when it listens."""
    assert process.stdout is not None
    watchdog = threading.Timer(START_SECONDS, process.kill)  # ends the read below
    watchdog.start()
    try:
        line = process.stdout.readline().strip()
    finally:
        watchdog.cancel()
    if not line.startswith(_READY):
        raise RuntimeError(f"the Node.js wallet did not start: {errors.read_text()}")
    return line.removeprefix(_READY)
