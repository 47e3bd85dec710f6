"""The stores: in memory, in a SQL database, in Redis; and what a store of your own needs.

A store keeps challenges, what is counted for users, and the answers to recent requests. Public are
the names in ``__all__``; modules below this package are not. What belongs to SQL or Redis is
imported when it is first used: SQLAlchemy is large, and redis-py is an extra.

For your own store implement :class:`~flask_otp_mpp.Store`, decide by the functions of ``rules``,
and test it by :class:`~flask_otp_mpp.testing.StoreContract`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.ports import Store, StoreError, StoreUnavailable, UnfitStore
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.core.user_record import ChallengeRecord, UserRecord
from flask_otp_mpp.stores.memory import MemoryStore
from flask_otp_mpp.stores.options import DEFAULT, StoreOptions

if TYPE_CHECKING:
    from flask_otp_mpp.stores.redis.store import RedisStore as RedisStore
    from flask_otp_mpp.stores.sql.schema import attach_tables as attach_tables
    from flask_otp_mpp.stores.sql.schema import include_object as include_object
    from flask_otp_mpp.stores.sql.store import SQLAlchemyStore as SQLAlchemyStore

__all__ = [
    "Attempt",
    "Challenge",
    "ChallengeRecord",
    "Draft",
    "IdempotencyKey",
    "MemoryStore",
    "Outcome",
    "RedisStore",
    "SQLAlchemyStore",
    "Store",
    "StoreError",
    "StoreOptions",
    "StoreUnavailable",
    "StoredAnswer",
    "UnfitStore",
    "UserLimits",
    "UserRecord",
    "attach_tables",
    "from_url",
    "include_object",
    "rules",
]

_OF_SQL: Final = {
    "SQLAlchemyStore": "flask_otp_mpp.stores.sql.store",
    "attach_tables": "flask_otp_mpp.stores.sql.schema",
    "include_object": "flask_otp_mpp.stores.sql.schema",
}
# Also redis+sentinel and redis+cluster, as the library limits spells them.
_REDIS: Final = ("redis://", "rediss://", "redis+", "valkey://", "valkeys://", "valkey+")


def from_url(url: str, clock: Clock = utc_now, options: StoreOptions = DEFAULT) -> Store:
    """Make the store that a URL names.

    :param url: ``memory://``; ``redis://``, ``rediss://``, ``redis+sentinel://`` or
        ``redis+cluster://``, or the same with ``valkey``; or a SQLAlchemy URL of SQLite,
        PostgreSQL (psycopg), MySQL or MariaDB (PyMySQL).
    :param clock: the one clock by which the store decides; by default the server's, or on SQLite
        and in memory the machine's.
    :param options: bounds for its connections; the query of the URL takes precedence.
    :raises ValueError: if the URL names no store, or one that could not be atomic, such as a SQLite
        database in memory; the message holds no password.
    """
    if url == "memory://":
        return MemoryStore(clock)
    if url.startswith(_REDIS):
        return _redis_store(url, clock, options)
    from flask_otp_mpp.stores.sql.store import SQLAlchemyStore  # noqa: PLC0415 - it is large

    return SQLAlchemyStore(url, clock, options)


def _redis_store(url: str, clock: Clock, options: StoreOptions) -> Store:
    try:
        import redis  # noqa: F401, PLC0415 - only a host that uses Redis needs it
    except ModuleNotFoundError:
        raise ValueError(
            "needs redis-py, which is not installed: pip install 'flask-otp-mpp[redis]'"
        ) from None
    from flask_otp_mpp.stores.redis.store import RedisStore  # noqa: PLC0415

    return RedisStore(url, clock, options=options)


def __getattr__(name: str) -> Any:
    """Import on first use what belongs to SQL or Redis."""
    if name in _OF_SQL:
        return getattr(import_module(_OF_SQL[name]), name)
    if name != "RedisStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from flask_otp_mpp.stores.redis.store import RedisStore  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"RedisStore needs a library that is not installed: {error}; "
            "pip install 'flask-otp-mpp[redis]'",
            name=error.name,
        ) from None
    return RedisStore
