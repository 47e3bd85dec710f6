"""What is over is deleted in small steps, between which others get on with their work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.stores.sql.tables import challenges, requests, user_limits

Step: TypeAlias = Callable[[sa.Connection], int]

# All that write to a SQLite file wait for one another: a step there takes some milliseconds.
_MOST: Final = {"sqlite": 200}


def steps(backend: str, policy: Policy, now: datetime, batch: int) -> tuple[int, list[Step]]:
    """Return what deletes rows of each table, to be repeated while it deletes as many as it may.

    :returns: how many that is, and for each table what does it in a transaction and counts.
    """
    most = min(batch, _MOST.get(backend, batch))
    delete = {"sqlite": _by_number, "postgresql": _by_place}.get(backend, _by_key)
    return most, [
        delete(key, horizon, most)
        for key, horizon in (
            (challenges.c.id, challenges.c.expires_at <= now - policy.retention),
            (requests.c.key, requests.c.keep_until <= now),
            (user_limits.c.subject, user_limits.c.keep_until <= now),
        )
    ]


# The horizon is asked again on deleting: a row may have been renewed since it was found.


def _by_number(key: sa.Column[str], horizon: sa.ColumnElement[bool], most: int) -> Step:
    number: sa.ColumnElement[int] = sa.literal_column("rowid")
    found = sa.select(number).select_from(key.table).where(horizon).limit(most)
    return _all(sa.delete(key.table).where(number.in_(found), horizon))


def _by_place(key: sa.Column[str], horizon: sa.ColumnElement[bool], most: int) -> Step:
    """Delete by where rows lie, which needs no index; leave those that somebody works on."""
    place: sa.ColumnElement[Any] = sa.literal_column("ctid")
    found = sa.select(place).select_from(key.table).where(horizon).limit(most)
    places = sa.func.array(found.with_for_update(skip_locked=True).scalar_subquery())
    return _all(sa.delete(key.table).where(place == sa.func.any(places), horizon))


def _by_key(key: sa.Column[str], horizon: sa.ColumnElement[bool], most: int) -> Step:
    """Delete by a list of keys: MySQL takes no limit in a subquery, and is slower by a join."""

    def delete(db: sa.Connection) -> int:
        keys = db.scalars(sa.select(key).where(horizon).limit(most)).all()
        return db.execute(sa.delete(key.table).where(key.in_(keys), horizon)).rowcount

    return delete


def _all(statement: sa.Delete) -> Step:
    return lambda db: db.execute(statement).rowcount
