"""On which terms a store uses its server is said in one place, for SQL and for Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Bound what a store takes of its server, and what it puts up with.

    Whatever is waited for must end before the caller does, after about five seconds.

    :param pool_size: connections that a process keeps.
    :param pool_overflow: further connections while many requests come at once.
    :param connect_timeout: seconds that a new connection may take.
    :param statement_timeout: seconds that one statement or script may take, or waits for another
        transaction's row.
    :param pre_ping: whether a connection to a SQL server is tried before each use. Without it one
        that was lost is found out by the verb, which is then run again on another.
    :param evicting: whether a Redis that may evict counts is put up with.
    """

    pool_size: int = 5
    pool_overflow: int = 10
    connect_timeout: int = 2
    statement_timeout: int = 2
    pre_ping: bool = False
    evicting: bool = False

    @property
    def silence_timeout(self) -> int:
        """Seconds after which a server that says nothing is held for lost: longer than for rows."""
        return self.statement_timeout + 1

    @property
    def connections(self) -> int:
        """Connections that a process has at most."""
        return self.pool_size + self.pool_overflow


DEFAULT: Final = StoreOptions()
POOL_SECONDS: Final = 1
"""How long a free connection to a server is waited for."""
