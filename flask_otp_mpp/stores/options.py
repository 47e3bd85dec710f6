"""Options of a store's connections, for SQL databases and Redis alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Pool size, timeouts and checks of the connections to a store's server.

    All timeouts together must end before the caller's, which is about five seconds.

    :param pool_size: connections that a process keeps open.
    :param pool_overflow: more connections that it may open while many requests run at once.
    :param connect_timeout: seconds that opening a connection may take.
    :param statement_timeout: seconds that one statement or script may take, or wait for a row that
        another transaction has locked.
    :param pre_ping: whether a connection to a SQL server is tested before each use. Without it, a
        lost connection is found by the first statement, and the method runs again on another one.
    :param allow_eviction: whether a Redis server that may evict keys is accepted with a warning.
    """

    pool_size: int = 5
    pool_overflow: int = 10
    connect_timeout: int = 2
    statement_timeout: int = 2
    pre_ping: bool = False
    allow_eviction: bool = False

    @property
    def silence_timeout(self) -> int:
        """Seconds without a byte from the server after which a connection is treated as lost.

        Longer than ``statement_timeout``, so that a server can report its own timeout first.
        """
        return self.statement_timeout + 1

    @property
    def connections(self) -> int:
        """The most connections that a process opens."""
        return self.pool_size + self.pool_overflow


DEFAULT: Final = StoreOptions()
POOL_SECONDS: Final = 1
"""How many seconds a request waits for a free connection of the pool."""
