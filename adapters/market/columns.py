"""The field catalogue, and the replicated columns that it describes (INIT-2, PULL-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, delete, insert, select, update

from adapters.market.database import Database
from adapters.market.loading import is_lite, quote, run
from adapters.market.schema_books import field_catalogue
from adapters.market.schema_custom import make_custom_table, table_of
from adapters.market.types import column_type
from adapters.market.widening import widen_column
from sync.drift import ACTIVE as ACTIVE
from sync.drift import RETYPED as RETYPED
from sync.drift import VANISHED as VANISHED
from sync.errors import ConfigError
from sync.fields import ColumnType, ValueType
from sync.records import Kind

_NAME_BYTES = 63  # what PostgreSQL keeps of a name


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One replicated field of one connector's kind, and the Market column that holds it. `type` is the column's."""

    connector: str
    kind: Kind
    crm_field: str
    crm_type: str
    table: str
    column: str
    type: ColumnType
    status: str = ACTIVE
    note: str = ""


class Catalogue:
    """Reads and changes the catalogue together with the tables. Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, connector: str, kind: Kind | None = None) -> tuple[CatalogueEntry, ...]:
        """All entries of a connector by kind and field, vanished and retyped ones as well."""
        query = select(field_catalogue).where(field_catalogue.c.connector == connector)
        if kind is not None:
            query = query.where(field_catalogue.c.kind == kind.value)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(field_catalogue.c.kind, field_catalogue.c.crm_field)).mappings().all()
        return tuple(_entry(row) for row in rows)

    def types(self, table: str) -> dict[str, ColumnType]:
        """Column → type of the replicated columns of a table, whichever connector brought them."""
        with self._database.reading() as connection:
            return replicated(connection, table)

    def table(self, name: str) -> Table:
        """The table as it is now, replicated columns included."""
        with self._database.reading() as connection:
            return current_table(connection, name)

    def add(self, entries: Sequence[CatalogueEntry], now: datetime) -> tuple[str, ...]:
        """Writes entries, and makes the columns that are not there yet. → the new columns as `table.column`.

        An entry that is there already (same connector, kind and field) is overwritten, except for when it was first seen.
        Raises ConfigError for a name that can't be a column.
        """
        if not entries:
            return ()
        with self._database.writing() as connection:
            return add_entries(connection, entries, now)

    def mark(self, connector: str, kind: Kind, crm_fields: Sequence[str], status: str, note: str = "") -> None:
        """Sets the status of fields: the column of a vanished field stays (PULL-4)."""
        if not crm_fields:
            return
        with self._database.writing() as connection:
            mark_fields(connection, connector, kind, crm_fields, status, note)

    def widen(self, table: str, column: str, new: ColumnType) -> None:
        """Gives a replicated column a type that holds all its values; every entry that names the column follows.

        Raises ConfigError where the new type would not hold them.
        """
        with self._database.writing(bulk=True) as connection:
            widen_entries(connection, table, column, new)


def add_entries(connection: Connection, entries: Sequence[CatalogueEntry], now: datetime) -> tuple[str, ...]:
    """`Catalogue.add` inside a transaction."""
    for custom in sorted({entry.table for entry in entries if entry.kind.is_custom}):
        make_custom_table(connection, custom)
    there = {table: _column_names(connection, table) for table in {entry.table for entry in entries}}
    made = tuple(f"{entry.table}.{entry.column}" for entry in entries if _make_column(connection, entry, there[entry.table]))
    _put(connection, entries, now)
    return made


def mark_fields(connection: Connection, connector: str, kind: Kind, crm_fields: Sequence[str], status: str, note: str) -> None:
    """`Catalogue.mark` inside a transaction."""
    which = (
        (field_catalogue.c.connector == connector) & (field_catalogue.c.kind == kind.value) & field_catalogue.c.crm_field.in_(crm_fields)
    )
    connection.execute(update(field_catalogue).where(which).values(status=status, note=note))


def widen_entries(connection: Connection, table: str, column: str, new: ColumnType) -> None:
    """`Catalogue.widen` inside a transaction."""
    old = replicated(connection, table).get(column)
    if old is None:
        raise ConfigError(f"{table}.{column} is no replicated column", where="field catalogue", todo="name one of the catalogue")
    if old != new:
        widen_column(connection, table, column, old, new)
    which = (field_catalogue.c.market_table == table) & (field_catalogue.c.column_name == column)
    connection.execute(update(field_catalogue).where(which).values(**_type_values(new)))


def replicated(connection: Connection, table: str) -> dict[str, ColumnType]:
    query = select(field_catalogue).where(field_catalogue.c.market_table == table).order_by(field_catalogue.c.column_name)
    fixed = table_of(table).c
    rows = connection.execute(query).mappings().all()
    return {row["column_name"]: _type(row) for row in rows if row["column_name"] not in fixed}


def current_table(connection: Connection, name: str) -> Table:
    """The table with its fixed columns and those of the catalogue."""
    fixed = table_of(name)
    columns: list[Column[Any]] = [Column(column.name, column.type, primary_key=column.primary_key) for column in fixed.c]
    columns += [Column(column, column_type(type_), quote=True) for column, type_ in replicated(connection, name).items()]
    return Table(name, MetaData(), *columns)


def _make_column(connection: Connection, entry: CatalogueEntry, there: set[str]) -> bool:
    """→ whether the column had to be made; then it is among `there`. Adding one touches no row on either database."""
    _check_name(entry)
    if entry.column in there:
        return False
    there.add(entry.column)
    type_ = column_type(entry.type).compile(dialect=connection.dialect)
    run(connection, f"ALTER TABLE {quote(entry.table)} ADD COLUMN {quote(entry.column)} {type_}")
    if not is_lite(connection):
        comment = f"{entry.kind.value} {entry.crm_field} ({entry.crm_type}) of {entry.connector}".replace("'", "''")
        run(connection, f"COMMENT ON COLUMN {quote(entry.table)}.{quote(entry.column)} IS '{comment}'")
    return True


def _check_name(entry: CatalogueEntry) -> None:
    size = len(entry.column.encode())
    if not 0 < size <= _NAME_BYTES or "\x00" in entry.column:
        todo = f"choose a column name of 1 to {_NAME_BYTES} bytes for it"
        raise ConfigError(f"no column can be named after {entry.crm_field!r}", where=f"{entry.connector}, {entry.kind}", todo=todo)


def _column_names(connection: Connection, table: str) -> set[str]:
    """What the database itself says: a purge forgets catalogue entries but keeps columns."""
    if is_lite(connection):
        return {str(row[1]) for row in connection.exec_driver_sql(f"PRAGMA table_info({quote(table)})")}
    query = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%(name)s) AND attnum > 0 AND NOT attisdropped"
    return {str(row[0]) for row in connection.exec_driver_sql(query, {"name": quote(table)})}


def _put(connection: Connection, entries: Sequence[CatalogueEntry], now: datetime) -> None:
    seen: dict[tuple[str, str, str], datetime] = {}
    for connector in {entry.connector for entry in entries}:
        known = select(field_catalogue).where(field_catalogue.c.connector == connector)
        seen |= {(row["connector"], row["kind"], row["crm_field"]): row["first_seen_at"] for row in connection.execute(known).mappings()}
    for entry in entries:
        key = (entry.connector, entry.kind.value, entry.crm_field)
        if key in seen:
            connection.execute(delete(field_catalogue).where(_is(entry)))
        values = {
            "connector": entry.connector,
            "kind": entry.kind.value,
            "crm_field": entry.crm_field,
            "crm_type": entry.crm_type,
            "market_table": entry.table,
            "column_name": entry.column,
            "status": entry.status,
            "note": entry.note,
            "first_seen_at": seen.get(key, now),
        }
        connection.execute(insert(field_catalogue).values(**values, **_type_values(entry.type)))


def _is(entry: CatalogueEntry) -> Any:
    return (
        (field_catalogue.c.connector == entry.connector)
        & (field_catalogue.c.kind == entry.kind.value)
        & (field_catalogue.c.crm_field == entry.crm_field)
    )


def _type_values(type_: ColumnType) -> dict[str, Any]:
    return {
        "value_type": type_.value.value,
        "value_length": type_.length,
        "value_precision": type_.precision,
        "value_scale": type_.scale,
    }


def _type(row: Mapping[Any, Any]) -> ColumnType:
    return ColumnType(ValueType(row["value_type"]), row["value_length"], row["value_precision"], row["value_scale"])


def _entry(row: Mapping[Any, Any]) -> CatalogueEntry:
    return CatalogueEntry(
        connector=row["connector"],
        kind=Kind(row["kind"]),
        crm_field=row["crm_field"],
        crm_type=row["crm_type"],
        table=row["market_table"],
        column=row["column_name"],
        type=_type(row),
        status=row["status"],
        note=row["note"] or "",
    )
