"""Secrets in files: ``file:/run/secrets/pepper`` in a configuration stands for what is in the file.

It is read each time that the configuration is, which is when an app starts.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from flask_otp_mpp.core.readers import optional_text

PREFIX: Final = "file:"
MAX_CHARACTERS: Final = 1024 * 1024


def from_file(source: str) -> str:
    """Return what is in the file that a reference names, without one line feed at its end.

    :param source: a text; one that does not begin with ``file:`` is returned as it is.
    :raises ValueError: if the file can't be read, or is empty; it is named with the cause.
    """
    if not source.startswith(PREFIX):
        return source
    path = source.removeprefix(PREFIX)
    try:
        held = read_text(path).removesuffix("\n")
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise ValueError(
            f"file {path!r} can't be read ({cause}); name one that this process may read"
        ) from None
    if not held.strip():
        raise ValueError(f"file {path!r} is empty; write the secret into it")
    return held


def read_text(path: str | Path, errors: str = "strict") -> str:
    """Return what a text file in UTF-8 holds, without a byte-order mark; 1 MiB at most.

    :param errors: what becomes of other bytes, as for ``bytes.decode``.
    :raises OSError: if it can't be read.
    :raises ValueError: if it is no UTF-8, or no path.
    """
    with Path(path).open(encoding="utf-8-sig", errors=errors, newline="") as file:
        return file.read(MAX_CHARACTERS)


def is_exposed(path: Path) -> bool:
    """Tell whether others than a file's owner and group may read or change it.

    The group may: orchestrators give secrets to a process by its group.
    """
    try:
        return bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except (OSError, ValueError):
        return False


def text_or_file(raw: object) -> str | None:
    """Read a text of a configuration, or what is in the file that it names; None stays None.

    :raises ValueError: as :func:`from_file`, or if it is no text.
    """
    given = optional_text(raw)
    return None if given is None else from_file(given)
