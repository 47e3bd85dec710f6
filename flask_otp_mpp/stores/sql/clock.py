"""Warn of the clock by which a SQL store decides: it went back, or differs from this machine's."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from flask_otp_mpp.core.clock import CLOCKS_APART, Clock, utc_now
from flask_otp_mpp.stores.sql.dialect import Database
from flask_otp_mpp.stores.sql.schema import challenges
from flask_otp_mpp.stores.sql.types import Moment

logger = logging.getLogger("flask_otp_mpp.stores")

_STEP: Final = timedelta(seconds=1)
_NEWEST: Final = sa.select(challenges.c.issued_at).order_by(challenges.c.expires_at.desc()).limit(1)


def look(db: sa.Connection, database: Database, clock: Clock | None) -> None:
    """Warn of a clock that steps, as that of a machine that was restored, or that is wrong.

    :param clock: of the store; None if it is the server's.
    """
    if clock is not None:
        now = clock()
    else:
        now = db.scalar(sa.select(sa.literal_column(database.time or "", Moment()))) or utc_now()
        apart = now - utc_now()
        if abs(apart) > CLOCKS_APART:
            logger.warning(
                "the clock of the OTP store is %.0f s %s that of this machine; synchronise them "
                "(NTP)",
                abs(apart.total_seconds()),
                "ahead of" if apart > timedelta() else "behind",
            )
    issued = db.scalar(_NEWEST)
    if issued is not None and issued > now + _STEP:
        logger.warning(
            "the clock by which the OTP store decides went back: its newest code was issued %.0f s "
            "after now; until then, codes are valid for longer and limits end later",
            (issued - now).total_seconds(),
        )
