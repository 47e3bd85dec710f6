"""Private directories that are locked while their process lives, and removed if it was killed.

The lock is an flock(2) of the directory: it ends with the last process that holds it, whether that
was killed or not, and no process id is compared. A forked child holds it too.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

PREFIX: Final = "otp-mpp-gpg-"

_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_locked() -> tuple[str, int]:
    """Make a directory with mode 0700 below ``TMPDIR``, and lock it.

    :returns: its path, and the descriptor that holds the lock.
    """
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            lock = os.open(path, _OPEN)
        except FileNotFoundError:
            continue  # another process that starts took it for abandoned before it was locked
        fcntl.flock(lock, fcntl.LOCK_SH)
        if _is_at(path, lock):
            return str(path), lock
        os.close(lock)


def remove_abandoned() -> int:
    """Remove the directories that nobody holds any longer, and return how many.

    Only directories of this user that no other may enter are looked at, and no link is followed.
    """
    found = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    return sum(_remove_abandoned(path) for path in found)


def _remove_abandoned(path: Path) -> bool:
    try:
        lock = os.open(path, _OPEN)
    except OSError:
        return False
    try:
        status = os.fstat(lock)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != stat.S_IRWXU:
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(path, lock):
            return False
        shutil.rmtree(path, ignore_errors=True)  # an agent that ends removes its sockets meanwhile
    except OSError:  # somebody holds it
        return False
    finally:
        os.close(lock)
    return not path.exists()


def _is_at(path: Path, lock: int) -> bool:
    """Tell whether the locked directory is still the one at its path."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(lock))
    except FileNotFoundError:
        return False
