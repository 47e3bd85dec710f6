"""Web servers in child processes, and their processor time and memory from /proc."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
START_SECONDS: Final = 30
STOP_SECONDS: Final = 10
WORKERS: Final = 2
THREADS: Final = 4
_TICK: Final = os.sysconf("SC_CLK_TCK")


def gunicorn(factory: str, port: int, threads: int) -> list[str]:
    """Return the command of gunicorn with one worker of several threads."""
    return [
        sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "error",
        "--no-control-socket",
        "--workers", "1", "--worker-class", "gthread", "--threads", str(threads),
        f"{factory}()",
    ]  # fmt: skip


def granian(factory: str, port: int, threads: int) -> list[str]:
    """Return the command of granian with one worker of several threads."""
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1",
        "--port", str(port), "--log-level", "error", "--workers", "1",
        "--blocking-threads", str(threads), "--factory", factory,
    ]  # fmt: skip


def cores() -> int:
    """Return the number of the machine's processors."""
    return len(Path("/proc/cpuinfo").read_text().split("processor\t:")) - 1


SERVERS: Final = {"gunicorn": gunicorn, "granian": granian}


@dataclass(frozen=True, slots=True)
class Server:
    """The running servers of one app, with all their child processes.

    :param ports: of the servers.
    :param pids: of their first processes.
    """

    ports: tuple[int, ...]
    pids: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes since their start."""
        spent = 0
        for pid in self._tree():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                spent += int(fields[11]) + int(fields[12])
        return spent / _TICK

    def memory_mib(self) -> float:
        """Return the resident memory of the largest process, which is a worker."""
        largest = 0
        for pid in self._tree():
            with suppress(OSError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                held = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
                largest = max([largest, *held])
        return largest / 1024

    def _tree(self) -> list[int]:
        found = [*self.pids]
        for pid in found:  # grows in the loop
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    found += [int(child) for child in children.read_text().split()]
        return found


@contextmanager
def serving(
    factory: str,
    environment: Mapping[str, str],
    home: Path,
    *,
    workers: int = WORKERS,
    threads: int = THREADS,
    server: str = "gunicorn",
) -> Iterator[Server]:
    """Serve an app until the block is left, by a server with a port of its own for each worker.

    One server with two workers would make figures random: the worker that wakes first may accept
    all connections that are opened at once, and the other one then has nothing to do.

    :param home: the folder for their logs.
    :raises RuntimeError: with the end of its log, if one does not start.
    """
    ports, pids = [], []
    with ExitStack() as stack:
        for _ in range(workers):
            port = free_port()
            command = SERVERS[server](factory, port, threads)
            one = _running(command, port, environment, home / f"{port}.log")
            pids.append(stack.enter_context(one))
            ports.append(port)
        yield Server(tuple(ports), tuple(pids))


@contextmanager
def _running(
    command: Sequence[str], port: int, environment: Mapping[str, str], log: Path
) -> Iterator[int]:
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - no outside input
            list(command),
            cwd=ROOT,
            env={**os.environ, **environment, "XDG_RUNTIME_DIR": str(log.parent)},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        wait_for(process, port, log, b"GET / HTTP/1.0\r\n\r\n")
        yield process.pid
    except OSError as error:
        if process.poll() is None:
            raise
        raise RuntimeError(f"the server stopped:\n{_tail(log)}") from error
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path, probe: bytes) -> None:
    """Wait until the port answers a probe.

    :raises RuntimeError: with the end of the process' log, if that takes too long.
    """
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(probe)
            if connection.recv(1):
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def free_port() -> int:
    """Return a port that nothing uses, and that no outgoing connection is given meanwhile.

    Linux gives those ports from 32768 on. A Redis in a cluster also takes the port 10,000 above.
    """
    while True:
        port = random.randrange(10_000, 22_000)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
