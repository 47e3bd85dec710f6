"""The tables of a SQL store: created, upgraded, and checked before they are used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql import changes, check
from flask_otp_mpp.stores.sql.engine import connect


class SQLTables:
    """The database of a store, without what its verbs do there; the arguments are the store's."""

    def __init__(self, url: str, clock: Clock | None, options: StoreOptions) -> None:
        self.engine, self.database = connect(url, options)
        self._clock: Clock | None = utc_now if clock is None else clock
        if self._clock is utc_now and self.database.time is not None:
            self._clock = None

    def create_tables(self) -> str:
        """Create the tables that are missing, and note their revision.

        :returns: what was done and where, in one line.
        :raises StoreError: if the database refuses.
        """
        return self.change_tables(changes.create)

    def upgrade_tables(self) -> str:
        """Bring the tables to the newest revision.

        :returns: what was done and where, in one line.
        :raises ModuleNotFoundError: if Alembic is not installed (extra ``migrations``).
        :raises StoreError: if the database refuses.
        """
        return self.change_tables(changes.upgrade)

    def check(self) -> str:
        """Check whether this store can work: is the database there, new enough, and prepared.

        :returns: what was found, in one line.
        :raises UnfitStore: with what was found instead, and what to do.
        :raises StoreError: if the database does not answer.
        """
        return check.check(self.engine, self.database, self._clock)

    @property
    def files(self) -> Sequence[Path]:
        """The files of a SQLite database; a server's are none of ours."""
        url = self.engine.url
        suffixes = ("", "-wal", "-shm") if url.get_backend_name() == "sqlite" else ()
        return [Path(f"{url.database}{suffix}") for suffix in suffixes]

    def change_tables(self, work: Callable[[sa.Connection], str]) -> str:
        """Do work on the tables while no other process does; return where and what was done.

        :raises StoreError: if the database refuses.
        """
        url = self.engine.url
        try:
            self.database.create(url)
            return f"{check.place(url)}: {changes.change(url, self.database.options, work)}"
        except SQLAlchemyError as error:
            failure = error
        raise check.fault(failure, url, self.database)
