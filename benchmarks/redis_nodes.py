"""Redis servers that fail over: a primary with replicas and Sentinels, and a cluster.

All are on the loopback interface, keep nothing on disk, and are killed at the end.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.processes import free_port

SERVICE: Final = "wallet"
SENTINELS: Final = 3
PRIMARIES: Final = 3
SLOTS: Final = 16384
DOWN_AFTER: Final = 1000
"""Milliseconds of silence after which Sentinels and nodes of a cluster take a server for dead."""
_PATIENCE: Final = 30
_TICK: Final = 0.05


def program() -> str | None:
    """Return the path of the server's program."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


def free_ports(number: int) -> list[int]:
    """Return ports that are not in use, all of them different."""
    ports: set[int] = set()
    while len(ports) < number:
        ports.add(free_port())
    return list(ports)


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Wait until something is so; an error of Redis means that it is not yet so.

    :raises TimeoutError: if it is not so after half a minute.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(redis.RedisError):
            if is_so():
                return
        time.sleep(_TICK)
    raise TimeoutError(what)


class Node:
    """A server in a process of its own."""

    def __init__(self, port: int, folder: Path, arguments: Sequence[str]) -> None:
        self.port, self.folder, self.arguments = port, folder, arguments
        never = Retry(NoBackoff(), 0)
        self.aside = redis.Redis(port=port, retry=never, socket_timeout=2, decode_responses=True)
        self.start()

    def start(self) -> None:
        name = program()
        if name is None:
            raise FileNotFoundError("neither redis-server nor valkey-server is installed")
        self.process = subprocess.Popen(  # noqa: S603 - paths and ports of our own
            [name, *self.arguments, "--port", str(self.port), "--bind", "127.0.0.1",
             "--dir", str(self.folder), "--save", "", "--appendonly", "no",
             "--repl-diskless-sync-delay", "0"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self.aside.ping, f"the server at port {self.port} does not start")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        self.kill()
        self.aside.close()

    def ask(self, *words: str | int) -> Any:
        return self.aside.execute_command(*words)  # type: ignore[no-untyped-call]

    @property
    def is_primary(self) -> bool:
        return str(self.aside.info("replication")["role"]) == "master"

    @property
    def is_replicating(self) -> bool:
        return str(self.aside.info("replication").get("master_link_status")) == "up"

    @property
    def replicas(self) -> int:
        return int(self.aside.info("replication")["connected_slaves"])


class Nodes(ABC):
    """Servers of which one, or each third, is a primary.

    :ivar url: by which a store finds them.
    """

    url: str
    nodes: list[Node]

    @abstractmethod
    def fail_over(self) -> None:
        """Make a replica the primary as an operator does, while all are up; return at once."""

    def pause_writes(self, seconds: int) -> None:
        """Let the primary do no writes for some time, as an operator does before a failover."""
        self.primary().ask("CLIENT", "PAUSE", seconds * 1000, "WRITE")

    @abstractmethod
    def primary(self) -> Node:
        """Return the primary, of a cluster the first one."""

    @abstractmethod
    def wait_for_another(self, old: Node) -> None:
        """Wait until another server has taken the place of one."""

    def kill_primary(self) -> Node:
        """Kill the primary; return it."""
        killed = self.primary()
        killed.kill()
        return killed


class Watched(Nodes):
    """A primary with replicas, watched by three Sentinels."""

    def __init__(self, sentinels: list[Node], nodes: list[Node]) -> None:
        self.sentinels, self.nodes = sentinels, nodes
        where = ",".join(f"127.0.0.1:{one.port}" for one in sentinels)
        self.url = f"redis+sentinel://{where}/{SERVICE}"

    def fail_over(self) -> None:
        self.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)

    def primary(self) -> Node:
        _, port = self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(node for node in self.nodes if node.port == int(port))

    def wait_for_another(self, old: Node) -> None:
        wait_until(lambda: self.primary() is not old, "Sentinel names no other primary")

    def wait_for_replicas(self, number: int) -> None:
        """Wait until the primary has so many replicas, and all Sentinels know them."""
        wait_until(lambda: self.primary().replicas == number, "the primary has too few replicas")
        for one in self.sentinels:
            wait_until(partial(self._knows, one, number), "a Sentinel knows too little")

    @staticmethod
    def _knows(sentinel: Node, replicas: int) -> bool:
        state: Any = sentinel.aside.sentinel_master(SERVICE)
        return (
            int(state["num-slaves"]) >= replicas
            and int(state["num-other-sentinels"]) == SENTINELS - 1
        )


def guard(replicas: int) -> list[str]:
    """Return options by which a primary writes only while so many replicas follow it closely."""
    return ["--min-replicas-to-write", str(replicas), "--min-replicas-max-lag", "1"]


@contextmanager
def watched(folder: Path, replicas: int = 1, options: Sequence[str] = ()) -> Iterator[Watched]:
    """Run a primary with replicas and three Sentinels."""
    first, *others = free_ports(1 + replicas + SENTINELS)
    with ExitStack() as stack:
        made = [_node(stack, first, folder, options)]
        for port in others[:replicas]:
            replica = (*options, "--replicaof", "127.0.0.1", str(first))
            made.append(_node(stack, port, folder, replica))
        sentinels = []
        for port in others[replicas:]:
            config = folder / f"sentinel-{port}.conf"
            config.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {first} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER}\n"
                f"sentinel failover-timeout {SERVICE} 10000\n"
            )
            sentinels.append(_node(stack, port, folder, (str(config), "--sentinel")))
        nodes = Watched(sentinels, made)
        nodes.wait_for_replicas(replicas)
        yield nodes


class Cluster(Nodes):
    """Three primaries with a replica each."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        where = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        self.url = f"redis+cluster://{where}"

    def form(self) -> None:
        """Make a cluster of empty servers."""
        for number, node in enumerate(self.nodes, start=1):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number)
            if number > 1:
                bus = self.nodes[0].aside.config_get("cluster-port")["cluster-port"]
                node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, str(bus))
        for number, node in enumerate(self.nodes[:PRIMARIES]):
            first, end = (SLOTS * part // PRIMARIES for part in (number, number + 1))
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for node in self.nodes:
            wait_until(partial(self._is_known, node), "the nodes do not meet")
        for replica, of in zip(self.nodes[PRIMARIES:], self.nodes, strict=False):
            name = of.ask("CLUSTER", "MYID")
            wait_until(
                partial(replica.ask, "CLUSTER", "REPLICATE", name),
                "a node does not become a replica",
            )
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Wait until each primary has its replica, and all agree on it."""
        for node in self.nodes:
            wait_until(partial(self._is_whole, node), "the cluster does not become whole")

    @staticmethod
    def _is_whole(node: Node) -> bool:
        paired = node.is_replicating or (node.is_primary and node.replicas == 1)
        return paired and "cluster_state:ok" in str(node.ask("CLUSTER", "INFO"))

    def _is_known(self, node: Node) -> bool:
        return f"cluster_known_nodes:{len(self.nodes)}" in str(node.ask("CLUSTER", "INFO"))

    def fail_over(self) -> None:
        for node in self.nodes:
            if not node.is_primary:
                node.ask("CLUSTER", "FAILOVER")

    def primary(self) -> Node:
        return next(node for node in self.nodes if node.is_primary)

    def wait_for_another(self, old: Node) -> None:
        others = [node for node in self.nodes if node is not old]
        wait_until(
            lambda: sum(node.is_primary for node in others) == PRIMARIES,
            "no replica becomes a primary",
        )


@contextmanager
def cluster(folder: Path, options: Sequence[str] = ()) -> Iterator[Cluster]:
    """Run three primaries with a replica each."""
    ports = free_ports(4 * PRIMARIES)
    with ExitStack() as stack:
        made = []
        for port, bus in zip(ports[::2], ports[1::2], strict=True):
            how = (
                *options, "--cluster-enabled", "yes", "--cluster-port", str(bus),
                "--cluster-config-file", f"nodes-{port}.conf",
                "--cluster-node-timeout", str(DOWN_AFTER),
                "--cluster-allow-replica-migration", "no",
            )  # fmt: skip
            made.append(_node(stack, port, folder, how))
        nodes = Cluster(made)
        nodes.form()
        yield nodes


def _node(stack: ExitStack, port: int, folder: Path, arguments: Sequence[str]) -> Node:
    node = Node(port, folder, arguments)
    stack.callback(node.close)
    return node
