"""A store is chosen by its URL, or handed over ready made."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.core.ports import Clock, Store, utc_now
from flask_otp_mpp.stores.memory import MemoryStore
from flask_otp_mpp.stores.options import DEFAULT, StoreOptions
from flask_otp_mpp.stores.sql.store import SQLAlchemyStore

__all__ = ["MemoryStore", "SQLAlchemyStore", "StoreOptions", "from_url"]

_REDIS: Final = ("redis://", "rediss://", "valkey://", "valkeys://")


def from_url(url: str, clock: Clock = utc_now, options: StoreOptions = DEFAULT) -> Store:
    """Make the store that a URL names.

    :param url: ``memory://``; ``redis://``, ``rediss://`` or ``valkey://``; or a SQLAlchemy URL of
        SQLite, PostgreSQL (psycopg), MySQL or MariaDB (PyMySQL).
    :param terms: bounds for its connections; what the URL's query says takes precedence.
    :raises ValueError: if the URL names no store, or one that could not keep its promises; the
        message holds no password.
    """
    if url == "memory://":
        return MemoryStore(clock)
    if url.startswith(_REDIS):
        return _redis_store(url, clock, options)
    return SQLAlchemyStore(url, clock, options)


def _redis_store(url: str, clock: Clock, options: StoreOptions) -> Store:
    try:
        import redis  # noqa: F401, PLC0415 - only those who use it need to have it
    except ModuleNotFoundError:
        raise ValueError(
            "needs redis-py, which is not installed: pip install 'flask-otp-mpp[redis]'"
        ) from None
    from flask_otp_mpp.stores.redis.store import RedisStore  # noqa: PLC0415

    return RedisStore(url, clock, options=options)
