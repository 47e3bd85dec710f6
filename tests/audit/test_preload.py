"""The workers of gunicorn with ``--preload`` are forked from a process that has written a chain."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

import pytest

from flask_otp_mpp.audit.record import Kind
from flask_otp_mpp.core.secret import Secret
from tests.audit.trails import findings, opened
from tests.deployment.processes import deployed, gunicorn
from tests.servers import free_port
from tests.wallet import PEPPER

WORKERS: Final = 2
CONFIG: Final = """
from flask_otp_mpp import state_of

def when_ready(server):
    with server.app.wsgi().app_context():
        state_of().support.unlock("nobody")
"""
_SECONDS: Final = 20


@pytest.mark.slow
def test_each_worker_of_a_preloaded_app_writes_chains_of_its_own(tmp_path: Path) -> None:
    """O11: none goes on with a chain of another process, and all verify."""
    port = free_port()
    (tmp_path / "gunicorn.py").write_text(CONFIG)
    more = ["-c", str(tmp_path / "gunicorn.py"), "-w", str(WORKERS), "--threads", "2"]
    command = gunicorn(port, "--preload", *more)
    url = f"sqlite:///{tmp_path / 'otp.db'}"
    with (
        opened(url, Secret(PEPPER.encode())) as trail,
        deployed(tmp_path, command, port, OTP_MPP_AUDIT="store") as server,
    ):
        end = time.monotonic() + _SECONDS
        written: dict[str, int] = {}

        def call(name: int) -> None:
            assert server.caller().send(f"tok-user{name}").code == "SUCCESS"

        sent = 0
        while len(set(written.values())) <= WORKERS and time.monotonic() < end:
            threads = [threading.Thread(target=call, args=(sent + one,)) for one in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            sent += len(threads)
            rows = list(trail.table.by_chain())
            written = {row.chain: row.fields["pid"] for row in rows if row.kind == Kind.ANCHOR}
        assert set(written.values()) == {server.process.pid, *server.workers()}
        assert sum(row.kind == Kind.DECISION for row in rows) == sent
        assert {row.chain for row in rows} == written.keys()
        assert findings(trail) == []
