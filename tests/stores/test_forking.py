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
