"""The terms on which a store is opened are settings, with bounds that leave a caller time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Final

from flask_otp_mpp.core import settings as config
from flask_otp_mpp.core.settings import Setting

MAX_TIMEOUT: Final = timedelta(seconds=10)


class OnUnfit(StrEnum):
    """Say what becomes of an app whose store could not keep its promises."""

    REFUSE = "refuse"
    WARN = "warn"


def _within(low: int, high: int) -> Callable[[object], int]:
    def read(raw: object) -> int:
        found = config.whole(raw)
        if not low <= found <= high:
            raise ValueError(f"must be {low} to {high}")
        return found

    return read


def _timeout(raw: object) -> int:
    """Read a time-out in whole seconds, as drivers take them."""
    length = config.seconds(raw)
    if not timedelta(seconds=1) <= length <= MAX_TIMEOUT or length.microseconds:
        raise ValueError(f"must be 1 to {MAX_TIMEOUT.seconds} whole seconds")
    return length.seconds


def _flag(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if raw in ("true", "false"):
        return raw == "true"
    raise ValueError("must be true or false")


STORE_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "STORE",
        config.optional_text,
        "a URL",
        "Where challenges are kept: `sqlite:////path/otp.db`, another SQLAlchemy URL, `redis://…`, "
        "or `memory://` for trials. Needed unless a store was passed to `OtpMpp`.",
        None,
    ),
    Setting(
        "STORE_CHECK",
        config.one_of(OnUnfit),
        "'refuse' or 'warn'",
        "Whether an app starts whose store is not prepared, too old, or could forget; checked when "
        "it starts to serve, not for the commands of `flask`.",
        "refuse",
    ),
    Setting(
        "STORE_EVICTION",
        config.one_of(OnUnfit),
        "'refuse' or 'warn'",
        "The same for a Redis whose eviction policy may drop keys, and with them counted failures.",
        "refuse",
    ),
    Setting(
        "STORE_POOL_SIZE",
        _within(1, 100),
        "1 to 100",
        "How many connections to its store a process keeps.",
        5,
    ),
    Setting(
        "STORE_POOL_OVERFLOW",
        _within(0, 100),
        "0 to 100",
        "How many more it opens while many requests come at once.",
        10,
    ),
    Setting(
        "STORE_CONNECT_TIMEOUT",
        _timeout,
        "seconds, 1 to 10",
        "How long a new connection to a store's server may take.",
        2,
    ),
    Setting(
        "STORE_STATEMENT_TIMEOUT",
        _timeout,
        "seconds, 1 to 10",
        "How long one statement or script of a store may take, or waits for another's row; a "
        "silent server and a locked SQLite file are waited for a second longer.",
        2,
    ),
    Setting(
        "STORE_PRE_PING",
        _flag,
        "true or false",
        "Whether a connection to a SQL server is tried before each use, by one more round trip. "
        "Without it a lost one costs no answer either: the verb is run again.",
        False,  # noqa: FBT003 - it is the value of a setting
    ),
)
