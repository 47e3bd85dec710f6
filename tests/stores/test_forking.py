"""A store that was used before its process forked works in parent and child alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
import sqlalchemy as sa
from flask_otp_mpp import SQLAlchemyStore

store = SQLAlchemyStore(sys.argv[1])
store.create_tables()
opened = []
sa.event.listen(store.engine, "connect", lambda *_: opened.append(os.getpid()))
store.unlock("bob")
before = len(opened)
child = os.fork()
store.unlock("ada")
if child == 0:
    os._exit(opened.count(os.getpid()))
_, status = os.waitpid(child, 0)
print(before, len(opened), os.waitstatus_to_exitcode(status))
"""


@pytest.mark.slow
def test_a_forked_worker_inherits_no_connection(tmp_path: Path) -> None:
    """F9: as with gunicorn's --preload; the parent keeps its own."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"sqlite:///{tmp_path / 'otp.db'}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["1", "1", "1"]  # the child has opened one of its own


WAITING = """
import os, sys, threading, time
from flask_otp_mpp import Policy, SQLAlchemyStore
from flask_otp_mpp.testing.contract.builders import draft

store = SQLAlchemyStore(sys.argv[1])
store.create_tables()
queue = store.database.write_queue
with queue:
    waits = threading.Thread(target=store.reserve, args=(draft("bob"), Policy()))
    waits.start()
    while not queue.waiting:
        time.sleep(0.01)
    child = os.fork()
    if child == 0:
        store.unlock("ada")
        os._exit(len(store.look_up("bob").challenges))
    _, status = os.waitpid(child, 0)
waits.join()
print(os.waitstatus_to_exitcode(status), len(store.look_up("bob").challenges))
"""


@pytest.mark.slow
def test_a_forked_worker_does_nothing_that_threads_of_its_parent_wait_for(tmp_path: Path) -> None:
    """S1, F9: it would be done twice."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WAITING, f"sqlite:///{tmp_path / 'otp.db'}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.split() == ["0", "1"]
