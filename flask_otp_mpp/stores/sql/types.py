"""The types of the columns: what a value is in Python, and as what each database keeps it.

They give SQLAlchemy the functions that convert: by its own wrappers each value takes three calls.
Texts are compared byte by byte on every database: 'Ada', 'ada' and 'ada ' are three users.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.limits import ClientLimits, CountedSend

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_MYSQL: Final = ("mysql", "mariadb")


class Utf8(sa.VARBINARY):
    """A text of MySQL or MariaDB, kept as bytes."""

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return lambda value: None if value is None else value.encode()

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        return lambda value: None if value is None else bytes(value).decode()


def _exact_text(length: int, binary: type[sa.VARBINARY] = sa.VARBINARY) -> sa.String:
    """Return the type of a text that nothing but the very same text equals.

    The collations of MySQL and MariaDB take 'ada' for 'Ada' or for 'ada ', and no name of an exact
    one is known to both. On PostgreSQL a primary key must not depend on the operating system's
    rules for sorting.
    """
    return (
        sa.String(length)
        .with_variant(binary(4 * length), *_MYSQL)
        .with_variant(sa.String(length, collation="C"), "postgresql")
    )


class Moment(sa.TypeDecorator[datetime]):
    """Keep an aware moment as a whole number of microseconds, exactly."""

    impl = sa.BigInteger
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return _to_micros

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        return _from_micros


class ExactText(sa.TypeDecorator[str]):
    """Keep a text so that nothing but the very same text equals it."""

    impl: sa.types.TypeEngine[Any] | type[sa.types.TypeEngine[Any]] = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.impl = _exact_text(length)
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return _exact_text(self.length, Utf8)


class Digest(sa.TypeDecorator[bytes]):
    """Keep the digest of a code."""

    impl = sa.LargeBinary(32).with_variant(sa.VARBINARY(32), *_MYSQL)
    cache_ok = True


class ChannelName(sa.TypeDecorator[Channel]):
    """Keep a channel by its name."""

    impl = sa.String(16)
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return lambda channel: None if channel is None else channel.value

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        return lambda name: None if name is None else Channel(name)


class Clients(sa.TypeDecorator[tuple[ClientLimits, ...]]):
    """Keep what is counted for a user at each client, as a short JSON list."""

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return _from_clients

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        return _to_clients


class Sends(sa.TypeDecorator[tuple[CountedSend, ...]]):
    """Keep the sends that a limit looks back to, as a short JSON list."""

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return _from_sends

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        return _to_sends


def _from_clients(clients: tuple[ClientLimits, ...]) -> str:
    return json.dumps(
        [
            [
                one.client,
                one.failures,
                one.locks,
                _to_micros(one.locked_until),
                _to_micros(one.forget_at),
            ]
            for one in clients
        ]
    )


def _to_clients(text: str | None) -> tuple[ClientLimits, ...]:
    return tuple(
        ClientLimits(client, failures, locks, _from_micros(locked_until), _moment(forget_at))
        for client, failures, locks, locked_until, forget_at in json.loads(text or "[]")
    )


def _from_sends(sends: tuple[CountedSend, ...]) -> str:
    return json.dumps([[one.channel, one.client, _to_micros(one.at)] for one in sends])


def _to_sends(text: str | None) -> tuple[CountedSend, ...]:
    return tuple(
        CountedSend(Channel(channel), client, _moment(at))
        for channel, client, at in json.loads(text or "[]")
    )


def _to_micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // MICROSECOND


def _from_micros(micros: int | None) -> datetime | None:
    return None if micros is None else _moment(micros)


def _moment(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND


def plain(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """Return a column's type in SQLAlchemy's own words, which a migration can be written in."""
    return kind.impl_instance if isinstance(kind, sa.TypeDecorator) else kind
