"""What the store says of itself: its check runs once, and what it logs meanwhile is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from flask_otp_mpp.core.ports import Store, StoreError, UnfitStore

_logger: Final = logging.getLogger("flask_otp_mpp.stores")


@dataclass(frozen=True, slots=True)
class StoreReport:
    """How the check of a store ended; no text holds a password.

    :param found: what it is, in one line; empty if it is not fit, or has no check.
    :param unfit: why it can't serve as it is; empty if it can.
    :param away: why it can't serve now; empty if it can.
    :param clock: what was warned of about its clock.
    :param warnings: what else was warned of.
    """

    found: str = ""
    unfit: str = ""
    away: str = ""
    clock: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def report_of(store: Store | None) -> StoreReport | None:
    """Check a store; None if it has no check."""
    look = getattr(store, "check", None)
    if look is None:
        return None
    found = unfit = away = ""
    with _records() as records:
        try:
            found = str(look())
        except UnfitStore as error:
            unfit = str(error)
        except StoreError as error:
            away = str(error)
    texts = [one.getMessage() for one in records]
    clock = tuple(text for text in texts if "clock" in text)
    others = tuple(text for text in texts if "clock" not in text)
    return StoreReport(found, unfit, away, clock, others)


@contextmanager
def _records() -> Iterator[list[logging.LogRecord]]:
    """Collect the warnings of stores, in place of logging them."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    before = _logger.handlers, _logger.level, _logger.propagate, _logger.disabled
    _logger.handlers, _logger.propagate, _logger.disabled = [Collector()], False, False
    _logger.setLevel(logging.WARNING)
    try:
        yield records
    finally:
        _logger.handlers, level, _logger.propagate, _logger.disabled = before
        _logger.setLevel(level)
