"""The three tables of the SQL store, defined once; they hold no code, no token and no address.

Moments are microseconds since the epoch: the same on every database, with no time zone to lose.
Names are compared byte by byte on every database: 'Ada', 'ada' and 'ada ' are three users.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.reasons import MAX_DETAIL

SendTimes: TypeAlias = tuple[tuple[Channel, datetime], ...]

MYSQL: Final = ("mysql", "mariadb")
_INNODB: Final[dict[str, Any]] = {
    f"{name}_{option}": value
    for name in MYSQL
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _to_micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _from_micros(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND


class Moment(sa.TypeDecorator[datetime]):
    """Keep an aware moment as a whole number of microseconds, exactly."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else _to_micros(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else _from_micros(value)


class Exact(sa.TypeDecorator[str]):
    """Keep a text so that nothing but the very same text equals it.

    The collations of MySQL and MariaDB hold 'ada' for 'Ada' or for 'ada ', and no name of an exact
    one is known to both: there it is kept as bytes. PostgreSQL's "C" compares bytes, whatever the
    operating system's rules for sorting become: a primary key must not depend on them.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        if dialect.name in MYSQL:
            return dialect.type_descriptor(sa.VARBINARY(4 * self.length))
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.String(self.length, collation="C"))
        return dialect.type_descriptor(sa.String(self.length))

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> Any:
        return value.encode() if value is not None and dialect.name in MYSQL else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        return bytes(value).decode() if isinstance(value, bytes | bytearray) else value

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return super().bind_processor(dialect) if dialect.name in MYSQL else None

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        return super().result_processor(dialect, coltype) if dialect.name in MYSQL else None


class Named(sa.TypeDecorator[Channel]):
    """Keep a channel by its name."""

    impl = sa.String(16)
    cache_ok = True

    def process_bind_param(self, value: Channel | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Channel | None:
        return None if value is None else Channel(value)


class Sends(sa.TypeDecorator[SendTimes]):
    """Keep the sends that a limit looks back to, as a short JSON list."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: SendTimes | None, dialect: sa.Dialect) -> str:
        return json.dumps([(channel, _to_micros(moment)) for channel, moment in value or ()])

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> SendTimes:
        return tuple(
            (Channel(name), _from_micros(number)) for name, number in json.loads(value or "[]")
        )


_DIGEST: Final = sa.LargeBinary(32).with_variant(sa.VARBINARY(32), *MYSQL)

metadata = sa.MetaData()

challenges = sa.Table(
    "otp_mpp_challenges",
    metadata,
    sa.Column("id", Exact(64), primary_key=True),
    sa.Column("subject", Exact(128), nullable=False, index=True),
    sa.Column("caller", Exact(64), nullable=False),
    sa.Column("channel", Named, nullable=False),
    sa.Column("digest", _DIGEST, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
    sa.Column("tries", sa.SmallInteger, nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False),
    sa.Column("used_at", Moment),
    sa.Column("closed_at", Moment),
)

user_limits = sa.Table(
    "otp_mpp_standings",
    metadata,
    sa.Column("subject", Exact(128), primary_key=True),
    sa.Column("failures", sa.SmallInteger, nullable=False),
    sa.Column("locks", sa.SmallInteger, nullable=False),
    sa.Column("locked_until", Moment),
    sa.Column("forget_at", Moment),
    sa.Column("sends", Sends, nullable=False),
    sa.Column("keep_until", Moment, nullable=False, index=True),
)

requests = sa.Table(
    "otp_mpp_requests",
    metadata,
    sa.Column("key", Exact(64), primary_key=True),
    sa.Column("challenge_id", Exact(64), nullable=False),
    sa.Column("reason", sa.String(32)),
    sa.Column("detail", sa.String(MAX_DETAIL), nullable=False),
    sa.Column("until", Moment),
    sa.Column("keep_until", Moment, nullable=False, index=True),
    # The defaults are for rows, and for writers, of before there were these columns.
    sa.Column("digest", Exact(64), nullable=False, server_default=""),
    sa.Column("subject", Exact(128), nullable=False, server_default=""),
)


def name_engine_of_mysql() -> None:
    """Ask MySQL and MariaDB, whatever their defaults, for transactions and for all of Unicode.

    Not before it is known that they may be used: it brings SQLAlchemy's part for them in.
    """
    for table in metadata.sorted_tables:
        table.dialect_kwargs.update(_INNODB)
