"""Log an unforeseen exception without its message; what is logged often, once a second."""

from __future__ import annotations

import logging
import secrets
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flask_otp_mpp.core.ports import StoreUnavailable

logger = logging.getLogger("flask_otp_mpp")

SECONDS: Final = 1.0
"""For how long further crashes of the same kind are counted under the reference of the first."""
_KINDS: Final = 100


@dataclass(slots=True)
class _Entry:
    """The last entry of a kind of crash."""

    reference: str
    at: float
    more: int = 0


class CrashLog:
    """Log the crashes of one app.

    Crashes of one kind within a second share an entry, so that an outage does not fill the log. A
    store that does not answer is one kind and one line, whoever found it out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def log(self, error: BaseException) -> str:
        """Log which exceptions were raised and where; return the reference that names the entry.

        Their messages are left out: they may hold anything, a code or a token too.
        """
        away = isinstance(error, StoreUnavailable)
        if away:
            text, kind = " from ".join(map(_name, _chain(error))), "store"
        else:
            text = kind = "\n  from\n".join(_places(error))
        entry, last = self._entry(kind)
        if entry is last:
            return entry.reference
        more = f" ({last.more} more had reference {last.reference})" if last and last.more else ""
        if away:
            logger.error("the OTP store fails, reference %s%s: %s", entry.reference, more, text)
        else:
            logger.error("unforeseen, reference %s%s\n%s", entry.reference, more, text)
        return entry.reference

    def _entry(self, kind: str) -> tuple[_Entry, _Entry | None]:
        """Return the entry of a crash, and the last one of its kind, which may be the same."""
        with self._lock:
            now, last = time.monotonic(), self._entries.pop(kind, None)
            if last is None or now - last.at >= SECONDS:
                entry = _Entry(secrets.token_hex(4), now)
            else:
                entry = last
                entry.more += 1
            self._entries[kind] = entry
            if len(self._entries) > _KINDS:
                del self._entries[next(iter(self._entries))]
        return entry, last


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, and what it was raised from."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _places(error: BaseException) -> Iterator[str]:
    for one in _chain(error):
        frames = traceback.extract_tb(one.__traceback__)
        where = "".join(f"\n    {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        yield f"  {_name(one)} at{where}"
