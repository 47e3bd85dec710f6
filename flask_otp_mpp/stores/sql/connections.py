"""The connections that verbs run on: taken from the engine's pool, and kept for the next verb."""

from __future__ import annotations

import os
import time
import weakref

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from flask_otp_mpp.stores.free_connections import FreeConnections
from flask_otp_mpp.stores.sql.dialect import Database


class Connections:
    """Give a connection to one thread at a time.

    A verb ends its transaction, so the next one can have its connection at once. The pool itself
    would take 25 us for each verb, a tenth of what it costs on SQLite. Half of the pool is never
    kept: it is for others who use the engine.

    :ivar free: how many are free; whoever takes one waits for it.
    """

    def __init__(self, engine: sa.Engine, database: Database) -> None:
        options = database.options
        self._engine = engine
        self.free = FreeConnections(options.pool_size)
        self._kept: list[PoolProxiedConnection] = []
        self._most_kept = 0 if options.pre_ping else options.pool_size // 2
        self._max_age = database.max_age
        self._valid_since = 0.0
        sa.event.listen(engine, "connect", _note_origin)
        # By a reference that does not keep it: whoever drops a store drops its connections at once.
        forget = weakref.WeakMethod(self._forget)
        sa.event.listen(engine, "engine_disposed", lambda _: (usable := forget()) and usable())

    def take(self) -> PoolProxiedConnection:
        """Return a connection, which is to be given back; only within ``with connections.free``."""
        while True:
            try:
                connection = self._kept.pop()
            except IndexError:
                connection = self._engine.raw_connection()
            else:
                if time.monotonic() - connection.info["since"] > self._max_age:
                    connection.close()  # the pool replaces it
                    continue
            if connection.info["since"] >= self._valid_since:
                return connection
            connection.invalidate()
            connection.close()

    def give_back(self, connection: PoolProxiedConnection) -> None:
        """Keep a connection for the next verb, or leave it to the pool; it has no transaction."""
        if connection.is_valid and len(self._kept) < self._most_kept:
            self._kept.append(connection)
        else:
            connection.close()

    def distrust(self) -> None:
        """Replace all connections that are open: a restart that has ended one has ended all."""
        self._valid_since = time.monotonic()

    def _forget(self) -> None:
        """Close what is kept, since the engine was disposed of; leave a parent's process alone."""
        self.distrust()
        kept, self._kept = self._kept, []
        for connection in kept:
            if connection.info["process"] == os.getpid():
                connection.invalidate()


def _note_origin(_driver: object, record: ConnectionPoolEntry) -> None:
    record.info["since"] = time.monotonic()
    record.info["process"] = os.getpid()
