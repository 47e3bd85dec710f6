"""The file of a SQLite database: its names, and whether it is still the one that was opened."""

from __future__ import annotations

import os
import sqlite3
from typing import TypeAlias
from urllib.parse import parse_qs, quote, unquote

File: TypeAlias = tuple[int, int]
"""A file, by its device and inode."""


class FileReplaced(sqlite3.OperationalError):
    """Report that a connection works on a file that is not the one of its name any more."""


def in_memory(database: str, options: set[str]) -> bool:
    """Tell whether a URL names no file, in any of the spellings that SQLite knows."""
    name = database
    if name.startswith("file:"):  # SQLite reads it as a URI of its own
        name, _, query = name.removeprefix("file:").partition("#")[0].partition("?")
        name, options = unquote(name), options | parse_qs(query).keys()
    return name in ("", ":memory:") or not options.isdisjoint({"mode", "vfs"})


def path_of(name: str) -> str:
    """Return the path of a file by its name, which may be a URI of SQLite's own."""
    if not name.startswith("file:"):
        return name
    path = unquote(name.removeprefix("file:").partition("#")[0].partition("?")[0])
    return path.removeprefix("//localhost").removeprefix("//") if path[:2] == "//" else path


def uri_of(name: str) -> str:
    """Return the URI of a file that is opened only if it is there."""
    if not name.startswith("file:"):
        return f"file:{quote(name)}?mode=rw"
    name = name.partition("#")[0]
    return f"{name}{'&' if '?' in name else '?'}mode=rw"


def file_at(path: str) -> File | None:
    """Tell which file has a path; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def create(path: str) -> None:
    """Make a missing file, which nobody but its owner may read.

    SQLite itself would make one with the usual permissions. It gives to the files beside it, -wal
    and -shm, those of the database.

    :raises OperationalError: if it can't be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise sqlite3.OperationalError(f"unable to create the file: {error.strerror}") from None
