"""Settings of gunicorn for a wallet behind nginx: `gunicorn --config deploy/gunicorn.conf.py`.

What a machine decides comes from its environment: see deploy/wallet.env.example.
"""

from __future__ import annotations

import os

bind = os.environ.get("WALLET_BIND", "127.0.0.1:8000")
worker_class = "gthread"
workers = int(os.environ.get("WALLET_WORKERS", "2"))
threads = int(os.environ.get("WALLET_THREADS", "16"))

# Each worker imports the app for itself. So SIGHUP loads new code, settings and keys, and no
# connection or thread is shared over a fork. The price is the memory that preloading would share.
preload_app = False

# A worker that restarts ends what it has begun. The app answers within 5 s, which is as long as
# callers wait, and may take one more second to store the end of a delivery.
graceful_timeout = 10

# For a worker that hangs as a whole; a thread that hangs is not seen by it.
timeout = 30

# Requests that wait while the workers restart; callers of 5 s would not wait for more.
backlog = 512

# Heartbeats are written here: on a disk that is slow, a worker would seem to hang.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn makes a file of its own there, and unlinks it

control_socket_disable = True  # nothing of the deployment uses it
accesslog = None  # the app writes a line for each request, nginx another
errorlog = "-"

if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker
    from prometheus_client import multiprocess

    def child_exit(_server: Arbiter, worker: Worker) -> None:
        """Forget the gauges of a worker that has ended."""
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call] # it has no types
