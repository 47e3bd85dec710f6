"""A statement is compiled once for its database, and costs from then on what its driver costs.

To let SQLAlchemy execute a statement takes about four times as long as the driver needs for it on
SQLite. Its types and its words are kept: they are only asked once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

Row: TypeAlias = tuple[Any, ...]
Values: TypeAlias = Mapping[str, Any]
Statement: TypeAlias = sa.Select[Any] | sa.Insert | sa.Update | sa.Delete


class Sentence:
    """Be one statement in the words of one kind of database.

    :ivar text: what the driver is given, with places for values in their order.
    :ivar places: how many of them there are.
    :ivar reads: whether it is answered with rows.
    """

    __slots__ = ("_constants", "_reads", "_writes", "places", "reads", "text")

    def __init__(self, statement: Statement, dialect: sa.Dialect) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect)
        self.text = str(compiled)
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._constants = {
            name: bind.effective_value for name, bind in binds.items() if not bind.required
        }
        self._writes = [
            (name, binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ]
        self.places = len(self._writes)
        columns = statement.selected_columns if isinstance(statement, sa.Select) else ()
        self._reads = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
        ]
        self.reads = bool(self._reads)

    def values(self, given: Values) -> list[Any]:
        """Return what the driver is given beside the text; what is not asked for is left out."""
        known = {**self._constants, **given} if self._constants else given
        return [
            known[name] if process is None else process(known[name])
            for name, process in self._writes
        ]

    def rows(self, fetched: Iterable[Row]) -> list[Row]:
        """Return the values of the columns as the tables' types mean them."""
        return [
            tuple(
                value if process is None else process(value)
                for process, value in zip(self._reads, row, strict=True)
            )
            for row in fetched
        ]
