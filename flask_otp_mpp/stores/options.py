"""Options of a store's connections, for SQL databases and Redis alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask_otp_mpp.core.readers import FLAG, choice, whole, whole_seconds
from flask_otp_mpp.core.settings import setting


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Pool size, timeouts and checks of the connections to a store's server.

    All timeouts together must end before the caller's, which is about five seconds. Each field is
    also a key of the configuration, with bounds.

    :param allow_eviction: whether a Redis server that may evict keys is accepted with a warning.
    :param pool_size: connections that a process opens, when it needs them, and keeps.
    :param connect_timeout: seconds that opening a connection may take.
    :param statement_timeout: seconds that one statement or script may take, or wait for a row that
        another transaction has locked.
    :param pre_ping: whether a connection to a SQL server is tested before each use. Without it, a
        lost connection is found by the first statement, and the method runs again on another one.
    """

    allow_eviction: bool = setting(
        "STORE_EVICTION",
        choice({"refuse": False, "warn": True}),
        "The same for a Redis whose eviction policy may drop keys, and with them counted failures.",
        default="refuse",
    )
    pool_size: int = setting(
        "STORE_POOL_SIZE",
        whole(1, 100),
        "How many connections to its store a process opens, when it needs them, and keeps. As many "
        "as its threads are enough.",
        default=16,
    )
    connect_timeout: int = setting(
        "STORE_CONNECT_TIMEOUT",
        whole_seconds(1, 10),
        "How long a new connection to a store's server may take.",
        default=2,
    )
    statement_timeout: int = setting(
        "STORE_STATEMENT_TIMEOUT",
        whole_seconds(1, 10),
        "How long one statement or script of a store may take, or waits for another's row. The "
        "wait for a silent server or a locked SQLite file is a second longer.",
        default=2,
    )
    pre_ping: bool = setting(
        "STORE_PRE_PING",
        FLAG,
        "Whether a connection to a SQL server is tested before each use, by one more round trip. "
        "Without it a lost one costs no answer either: the method is run again.",
        default=False,
    )

    @property
    def silence_timeout(self) -> int:
        """Seconds without a byte from the server after which a connection is treated as lost.

        Longer than ``statement_timeout``, so that a server can report its own timeout first.
        """
        return self.statement_timeout + 1


DEFAULT: Final = StoreOptions()
POOL_SECONDS: Final = 2
"""How many seconds a request waits for a free connection of the pool, at most."""
