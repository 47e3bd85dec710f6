"""Look up what users have received, and who they are."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from example_app.records import PhoneMessage, User, records

LISTED = 8
"""How many users are listed: with each run of the demo there are more."""


def newest_messages(
    user: User | None = None, channel: str | None = None, count: int = 50
) -> Sequence[PhoneMessage]:
    """Return the last messages, newest first.

    :param user: who has received them; None for everybody.
    :param channel: on which they came; None for all.
    """
    newest = _received_by(user).order_by(PhoneMessage.id.desc()).limit(count)
    if channel is not None:
        newest = newest.where(PhoneMessage.channel == channel)
    with records() as session:
        return session.scalars(newest).all()


def messages_after(known: int, user: User | None, count: int = 50) -> Sequence[PhoneMessage]:
    """Return the messages that came after one, oldest first.

    :param known: the id of that one.
    """
    later = _received_by(user).where(PhoneMessage.id > known).order_by(PhoneMessage.id)
    with records() as session:
        return session.scalars(later.limit(count)).all()


def last_id() -> int:
    """Return the id of the last message, 0 if there is none."""
    with records() as session:
        return session.scalar(sa.select(sa.func.max(PhoneMessage.id))) or 0


def find_user(user_id: str) -> User | None:
    """Return a user by id."""
    with records() as session:
        return session.get(User, user_id)


def listed_users() -> Sequence[User]:
    """Return the users who have received something last, and others if there is room, by name."""
    own = PhoneMessage.address.in_([User.phone, User.email])
    last = sa.select(sa.func.max(PhoneMessage.id)).where(own).scalar_subquery()
    with records() as session:
        found = session.scalars(
            sa.select(User).order_by(last.desc().nulls_last(), User.id).limit(LISTED)
        ).all()
    return sorted(found, key=lambda user: (user.name, user.id))


def _received_by(user: User | None) -> sa.Select[PhoneMessage]:
    every = sa.select(PhoneMessage)
    return (
        every if user is None else every.where(PhoneMessage.address.in_([user.phone, user.email]))
    )
