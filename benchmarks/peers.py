"""The peers: implementations of the two calls of Alipay+ that are compared.

==========  =====================================================================================
wallet      the package in the example wallet, which keeps users and messages by ORM in SQLite
lean        the package in a host that does no more than the floor does
floor       bare Flask by hand, as durable, without other guarantees: the least a request costs
naive       Flask-SQLAlchemy's session, Flask-Limiter's decorator, keys loaded once
naive-sdk   the same, with keys parsed in every request by pycryptodome
==========  =====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization

from benchmarks import floor_stores, host_users, wallet
from benchmarks.empty_stores import empty_store
from benchmarks.wire import Caller
from example_app import instance
from flask_otp_mpp import SQLAlchemyStore

NAMES: Final = ("wallet", "lean", "floor", "naive", "naive-sdk")
CODE: Final = "123456"
"""The code that the floor and the naive peers send to every user."""


class Users(Protocol):
    """The users of a peer: new ones are added, and read the codes that they were sent."""

    def add(self, count: int) -> list[str]: ...
    def codes(self, tokens: Iterable[str]) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """One implementation that is compared.

    :param factory: makes its app, as ``module:function``.
    :param settings: the environment variables with its store, keys and files.
    :param users: its users.
    :param caller: signs requests and verifies answers.
    """

    name: str
    factory: str
    settings: dict[str, str]
    users: Users
    caller: Caller


@contextmanager
def opened(names: Sequence[str], store: str, home: Path) -> Iterator[list[Peer]]:
    """Prepare peers, each with an empty store; those that can't use the store are left out."""
    with ExitStack() as stack:
        stack.callback(host_users.close_engines)
        peers = []
        for name in names:
            if name.startswith("naive") and store not in ("sqlite", "postgresql"):
                continue
            folder = home / f"{name}-{store}"
            folder.mkdir()
            url = stack.enter_context(empty_store(store, folder))
            wallet.prepare(folder, url)
            _write_more_keys(folder)
            peers.append(load(name, url, folder))
        yield peers


def load(name: str, url: str, folder: Path) -> Peer:
    """Load a peer whose folder is prepared, maybe by another process."""
    settings = {
        "BENCH_STORE": url,
        "BENCH_KEYS": str(folder),
        "BENCH_CLIENT": instance.CLIENT_ID,
        "BENCH_OUTBOX": str(folder / "outbox"),
        "BENCH_CRYPTO": "sdk" if name == "naive-sdk" else "once",
    }
    users: Users
    if name in ("wallet", "lean"):
        if url.startswith(("sqlite", "postgresql")):
            store = SQLAlchemyStore(url)
            store.create_tables()
            store.engine.dispose()
    else:
        settings["BENCH_CODE"] = CODE
    if name == "wallet":
        users = wallet.WalletUsers(folder)
    elif name == "lean":
        users = _HostUsers(url, host_users.metadata, host_users.users, folder / "outbox")
    elif name == "floor":
        users = _HostUsers(url, floor_stores.codes.metadata, host_users.users)
    else:
        from benchmarks import naive  # noqa: PLC0415 - only this peer needs Flask-SQLAlchemy

        users = _HostUsers(url, naive.Base.metadata, sa.inspect(naive.User).local_table)
    module = name.partition("-")[0]
    return Peer(name, f"benchmarks.{module}:create_app", settings, users, Caller.of(folder))


class _HostUsers:
    """Users in a table or in Redis; they read their codes in a file, or all have the same."""

    def __init__(
        self, url: str, metadata: sa.MetaData, table: sa.FromClause, outbox: Path | None = None
    ) -> None:
        self._made = 0
        self._outbox = outbox
        self._engine: sa.Engine | None = None
        self._redis: Any = None
        if outbox is not None:
            outbox.touch()
        if url.startswith("redis"):
            import redis  # noqa: PLC0415 - only needed to measure Redis

            self._redis = redis.Redis.from_url(url)
        elif url != "memory://":
            assert isinstance(table, sa.Table)
            self._table = table
            self._engine = sa.create_engine(url, poolclass=sa.NullPool)
            metadata.create_all(self._engine)

    def add(self, count: int) -> list[str]:
        rows = host_users.rows(self._made + 1, count)
        self._made += count
        if self._engine is not None:
            with self._engine.begin() as db:
                db.execute(sa.insert(self._table), rows)
        elif self._redis is not None:
            with self._redis.pipeline(transaction=False) as pipeline:
                for row in rows:
                    pipeline.hset(f"u:{row['token']}", mapping={"id": row["id"], "status": 1})
                pipeline.execute()
        return [row["token"] for row in rows]

    def codes(self, tokens: Iterable[str]) -> dict[str, str]:
        if self._outbox is None:
            return dict.fromkeys(tokens, CODE)
        sent = dict(map(json.loads, self._outbox.read_text().splitlines()))
        return {token: sent[token] for token in tokens if token in sent}


def _write_more_keys(folder: Path) -> None:
    """Write the same keys in the formats that the floor and the naive peers read."""
    caller = Caller.of(folder)
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat
    own = serialization.load_pem_private_key((folder / "wallet.pem").read_bytes(), None)
    nothing = serialization.NoEncryption()
    pkcs1 = own.private_bytes(pem, private.TraditionalOpenSSL, nothing)
    (folder / "wallet.pkcs1.pem").write_bytes(pkcs1)
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "caller.pub.pem").write_bytes(caller.key.public_key().public_bytes(pem, public))
