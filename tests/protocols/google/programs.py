"""A gpg under watch."""

from __future__ import annotations

import stat
from pathlib import Path


class Program:
    """A gpg that keeps count of its processes, and may be told what to do first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gpg"
        self._log, self._first = folder / "log", folder / "first"
        self._log.touch()
        self._first.touch()
        self.path.write_text(
            f"#!/bin/sh\necho + >> {self._log}\n. {self._first}\n"
            f'gpg "$@"\ncode=$?\necho - >> {self._log}\nexit $code\n'
        )
        self.path.chmod(stat.S_IRWXU)

    def first(self, script: str) -> None:
        self._first.write_text(script)

    def forget(self) -> None:
        self._log.write_text("")

    @property
    def count(self) -> int:
        return self._log.read_text().count("+")

    @property
    def most(self) -> int:
        """Return how many were alive at once."""
        alive = most = 0
        for line in self._log.read_text().split():
            alive += 1 if line == "+" else -1
            most = max(most, alive)
        return most
