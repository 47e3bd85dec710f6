"""The three tables of the SQL store: their definition and revision.

They hold no code, no token and no address. Moments are microseconds since the epoch: the same on
every database, with no time zone to lose. Names are compared byte by byte on every database: 'Ada',
'ada' and 'ada ' are three users.

A stand-alone store keeps its revision in a version table of its own. A host that has Alembic or
Flask-Migrate may take the tables into its own MetaData instead, and migrate them with its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.limits import ClientLimits, CountedSend
from flask_otp_mpp.core.reasons import MAX_DETAIL
from flask_otp_mpp.stores.sql.dialect import DRIVERS, load

REVISION: Final = "0004"
VERSION_TABLE: Final = "otp_mpp_revision"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class Moment(sa.TypeDecorator[datetime]):
    """Keep an aware moment as a whole number of microseconds, exactly."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return _to_micros(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return _from_micros(value)


class ExactText(sa.TypeDecorator[str]):
    """Keep a text so that nothing but the very same text equals it."""

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[str]:
        return dialect.type_descriptor(load(dialect.name).exact_text(self.length))


class Digest(sa.TypeDecorator[bytes]):
    """Keep the digest of a code."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[bytes]:
        return dialect.type_descriptor(load(dialect.name).exact_bytes(32))


class ChannelName(sa.TypeDecorator[Channel]):
    """Keep a channel by its name."""

    impl = sa.String(16)
    cache_ok = True

    def process_bind_param(self, value: Channel | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Channel | None:
        return None if value is None else Channel(value)


class Clients(sa.TypeDecorator[tuple[ClientLimits, ...]]):
    """Keep what is counted for a user at each client, as a short JSON list."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(
        self, value: tuple[ClientLimits, ...] | None, dialect: sa.Dialect
    ) -> str:
        return json.dumps(
            [
                [
                    one.client,
                    one.failures,
                    one.locks,
                    _to_micros(one.locked_until),
                    _to_micros(one.forget_at),
                ]
                for one in value or ()
            ]
        )

    def process_result_value(
        self, value: str | None, dialect: sa.Dialect
    ) -> tuple[ClientLimits, ...]:
        return tuple(
            ClientLimits(client, failures, locks, _from_micros(locked_until), _moment(forget_at))
            for client, failures, locks, locked_until, forget_at in json.loads(value or "[]")
        )


class Sends(sa.TypeDecorator[tuple[CountedSend, ...]]):
    """Keep the sends that a limit looks back to, as a short JSON list."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: tuple[CountedSend, ...] | None, dialect: sa.Dialect) -> str:
        return json.dumps([[one.channel, one.client, _to_micros(one.at)] for one in value or ()])

    def process_result_value(
        self, value: str | None, dialect: sa.Dialect
    ) -> tuple[CountedSend, ...]:
        return tuple(
            CountedSend(Channel(channel), client, _moment(at))
            for channel, client, at in json.loads(value or "[]")
        )


def _to_micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // MICROSECOND


def _from_micros(micros: int | None) -> datetime | None:
    return None if micros is None else _moment(micros)


def _moment(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND


metadata = sa.MetaData()

challenges = sa.Table(
    "otp_mpp_challenges",
    metadata,
    sa.Column("id", ExactText(64), primary_key=True),
    sa.Column("subject", ExactText(128), nullable=False, index=True),
    sa.Column("caller", ExactText(64), nullable=False),
    sa.Column("channel", ChannelName, nullable=False),
    sa.Column("digest", Digest, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
    sa.Column("tries", sa.SmallInteger, nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False),
    sa.Column("used_at", Moment),
    sa.Column("closed_at", Moment),
)

user_limits = sa.Table(
    "otp_mpp_user_limits",
    metadata,
    sa.Column("subject", ExactText(128), primary_key=True),
    sa.Column("failures", sa.SmallInteger, nullable=False),
    sa.Column("clients", Clients, nullable=False),
    sa.Column("sends", Sends, nullable=False),
    sa.Column("keep_until", Moment, nullable=False),
    # A purge looks for the rows without failures.
    sa.Index("ix_otp_mpp_user_limits_failures_keep_until", "failures", "keep_until"),
)

requests = sa.Table(
    "otp_mpp_requests",
    metadata,
    sa.Column("key", ExactText(64), primary_key=True),
    sa.Column("challenge_id", ExactText(64), nullable=False),
    sa.Column("reason", sa.String(32)),
    sa.Column("detail", sa.String(MAX_DETAIL), nullable=False),
    sa.Column("until", Moment),
    sa.Column("keep_until", Moment, nullable=False, index=True),
    # The defaults are for rows, and for writers, of before there were these columns.
    sa.Column("digest", ExactText(64), nullable=False, server_default=""),
    sa.Column("subject", ExactText(128), nullable=False, server_default="", index=True),
)

# As Alembic makes it, so that Alembic can upgrade from here.
versions = sa.Table(
    VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True)
)


def attach(target: sa.MetaData) -> None:
    """Add the tables of the store to a host's MetaData, so that its autogenerate knows them.

    :param target: for example ``db.metadata`` of Flask-SQLAlchemy. Create and upgrade the tables by
        the host's migrations then, and leave ``flask otp-mpp init-db`` alone.
    """
    for name in DRIVERS:
        with suppress(ImportError):  # the host does not use that database
            set_options(load(name).table_options)
    for table in metadata.sorted_tables:
        table.to_metadata(target)


def set_options(options: Mapping[str, Any]) -> None:
    """Tell the tables what a database needs, once it is known that it may be used.

    SQLAlchemy imports its part for that database.
    """
    for table in metadata.sorted_tables:
        table.dialect_kwargs.update(options)


def revision(db: sa.Connection) -> str | None:
    """Return the noted revision; None is noted by a host that migrates the tables itself."""
    if not sa.inspect(db).has_table(VERSION_TABLE):
        return None
    return db.scalar(sa.select(versions.c.version_num))
