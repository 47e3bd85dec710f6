"""A table of a TOML file that is read value by value, and keeps all faults for one message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


class ConfigurationFault(ValueError):
    """Tell all that is wrong with a configuration.

    :ivar faults: a sentence for each.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Table:
    """A table: each value is asked for by its type; what nobody has asked for is a fault.

    :param values: as ``tomllib`` has read them.
    :param folder: that of relative paths.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        folder: Path,
        name: str = "",
        faults: list[str] | None = None,
    ) -> None:
        self._values = values
        self._folder = folder
        self._name = name
        self._faults: list[str] = [] if faults is None else faults
        self._asked: set[str] = set()
        self._tables: list[Table] = []

    def fault(self, key: str, remedy: str) -> None:
        """Note what is wrong with a value."""
        self._faults.append(f"{self._name}{key}: {remedy}")

    def finish(self) -> None:
        """Look for names that nobody knows.

        :raises ConfigurationFault: with all faults of this table and of those in it.
        """
        self.find_unknown()
        if self._faults:
            raise ConfigurationFault(self._faults)

    def find_unknown(self) -> None:
        """Note the names that nobody has asked for, in this table and in those in it."""
        for key in sorted(set(self._values) - self._asked):
            self.fault(key, "is not known; see `otp-mpp-conformance init`")
        for table in self._tables:
            table.find_unknown()

    def has(self, key: str) -> bool:
        """Tell whether there is such a value."""
        return key in self._values

    def names(self) -> list[str]:
        """Return the names of all values."""
        return list(self._values)

    def table(self, key: str) -> Table:
        """Return a table in this one; an empty one if it is missing."""
        value = self._take(key, {})
        if not isinstance(value, Mapping):
            self.fault(key, "write a table, such as [table]")
            value = {}
        table = Table(value, self._folder, f"{self._name}{key}.", self._faults)
        self._tables.append(table)
        return table

    def raw(self, key: str) -> Mapping[str, Any]:
        """Return a table as it is, for who checks it otherwise."""
        value = self._take(key, None)
        if isinstance(value, Mapping):
            return value
        self.fault(key, "this table is needed")
        return {}

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty."""
        value = self._take(key, default)
        if isinstance(value, str) and value:
            return value
        self.fault(key, "write a text" if self.has(key) else "is missing; write a text")
        return ""

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; one text is a list of one."""
        value = self._take(key, None)
        value = [value] if isinstance(value, str) else value
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return tuple(value)
        self.fault(key, "write a list of texts" if self.has(key) else "is missing; write a list")
        return ()

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number that is not negative."""
        value = self._take(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.fault(key, "write a whole number, 0 or more")
        return 0

    def number(self, key: str, default: float) -> float:
        """Return a positive number."""
        value = self._take(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value)
        self.fault(key, "write a positive number")
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._take(key, default)
        if isinstance(value, bool):
            return value
        self.fault(key, "write true or false")
        return default

    def choice(self, key: str, choices: type[E]) -> E:
        """Return one of several names; the first one after a fault."""
        value = self._take(key, None)
        try:
            return choices(value)
        except ValueError:
            self.fault(key, f"write one of: {', '.join(choices)}")
            return next(iter(choices))

    def path(self, key: str) -> str:
        """Return a path; a relative one is below the file's folder."""
        return str(self._folder / Path(self.text(key)).expanduser())

    def read(self, key: str, reader: Callable[[str], T], *, path: bool = False) -> T | None:
        """Return what a reader makes of a text; None after a fault.

        :param path: whether the text is the path of a file where there is one.
        """
        text = self.text(key)
        if not text:
            return None
        if path and len(text) < 256 and (file := self._folder / Path(text).expanduser()).is_file():
            text = str(file)
        try:
            return reader(text)
        except (ValueError, OSError) as fault:
            self.fault(key, str(fault))
            return None

    def _take(self, key: str, default: Any) -> Any:
        self._asked.add(key)
        return self._values.get(key, default)
