"""Log an unforeseen exception without its message."""

from __future__ import annotations

import logging
import secrets
import traceback

logger = logging.getLogger("flask_otp_mpp")


def log_crash(error: BaseException) -> str:
    """Log which exceptions were raised and where; return the reference that names the entry.

    Their messages are left out: they may hold anything, a code or a token too.
    """
    reference = secrets.token_hex(4)
    lines = []
    seen: BaseException | None = error
    while seen is not None:
        frames = traceback.extract_tb(seen.__traceback__)
        where = "".join(f"\n    {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        lines.append(f"  {type(seen).__module__}.{type(seen).__qualname__} at{where}")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    logger.error("unforeseen, reference %s\n%s", reference, "\n  from\n".join(lines))
    return reference
