"""A replicated column gets a wider type, and keeps every value (PULL-4).

What holds what: a longer or unlimited text a shorter one; a decimal an integer; an instant a date (its midnight, UTC); text
everything. On SQLite a column's declared type decides how values are stored, so the column is rebuilt there.
"""

from __future__ import annotations

from sqlalchemy import Connection

from adapters.market.loading import is_lite, quote, run
from adapters.market.types import column_type
from sync.errors import ConfigError
from sync.fields import ColumnType, ValueType

_TEXTUAL = frozenset({ValueType.TEXT, ValueType.LIST, ValueType.JSON, ValueType.TIME})


def holds(new: ColumnType, old: ColumnType) -> bool:
    """Whether every value of `old` is a value of `new`, written the same."""
    if new.value is ValueType.TEXT:
        return new.length is None or (old.value is ValueType.TEXT and old.length is not None and old.length <= new.length)
    if new.value is ValueType.JSON:
        return old.value is ValueType.LIST or old.value is ValueType.JSON
    if new.value is ValueType.DECIMAL:
        return old.value is ValueType.INTEGER or (old.value is ValueType.DECIMAL and (old.scale or 0) <= (new.scale or 0))
    return new.value is old.value or (new.value, old.value) == (ValueType.INSTANT, ValueType.DATE)


def widen_column(connection: Connection, table: str, column: str, old: ColumnType, new: ColumnType) -> None:
    """Raises ConfigError where `new` does not hold `old`."""
    if not holds(new, old):
        todo = "keep the old column and take the field into a new one"
        raise ConfigError(f"{old} does not fit into {new}", where=f"{table}.{column}", todo=todo)
    before, after = (column_type(type_).compile(dialect=connection.dialect) for type_ in (old, new))
    if before == after:
        return
    if is_lite(connection):
        _rebuild(connection, table, column, old, new, after)
        return
    zone = " AT TIME ZONE 'UTC'" if new.value is ValueType.INSTANT else ""
    value = f"{quote(column)}::timestamp{zone}" if zone else f"{quote(column)}::{after}"
    run(connection, f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} TYPE {after} USING {value}")


def _rebuild(connection: Connection, table: str, column: str, old: ColumnType, new: ColumnType, declared: str) -> None:
    name, value = quote(column), _lite_value(quote(column), old, new)
    spare = quote(f"{column[:40]} (wider)")
    run(connection, f"ALTER TABLE {quote(table)} ADD COLUMN {spare} {declared}")
    run(connection, f"UPDATE {quote(table)} SET {spare} = {value} WHERE {name} IS NOT NULL")
    run(connection, f"ALTER TABLE {quote(table)} DROP COLUMN {name}")
    run(connection, f"ALTER TABLE {quote(table)} RENAME COLUMN {spare} TO {name}")


def _lite_value(name: str, old: ColumnType, new: ColumnType) -> str:
    if new.value is ValueType.INSTANT:
        return f"{name} || ' 00:00:00.000000'"
    if new.value is ValueType.DECIMAL:
        # A long integer becomes text, because a decimal column holds 15 digits as a number.
        return f"CASE WHEN length(ltrim({name}, '-')) > 15 THEN CAST({name} AS TEXT) ELSE {name} END"
    if old.value is ValueType.BOOLEAN:
        return f"CASE WHEN {name} THEN 'true' ELSE 'false' END"
    return name if old.value in _TEXTUAL else f"CAST({name} AS TEXT)"
