"""One good file into the `raw` table of one parcel, in one transaction (INIT-8): all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import duckdb

from adapters.staging.duck import literal, quote, staging_errors
from adapters.staging.files import ExportFile, as_raw
from adapters.staging.parcel import Parcel
from adapters.staging.reading import value_of
from sync.errors import ConfigError
from sync.exported_files import FilePlan, FileTold
from sync.fields import BOOLEAN, ColumnType, Reading, ValueType
from sync.records import Condition, Filter

STREAM = "file"
_LEFT_OUT = "SELECT count(*) FILTER ({deleted}), count(*) FILTER (NOT {deleted} AND NOT {wanted}) FROM {source}"
_LOAD = "INSERT INTO raw SELECT {columns} FROM {source} WHERE NOT {deleted} AND {wanted}"
_NOTE = "INSERT INTO pages VALUES (?, NULL, true, ?, ?, ?, now()::TIMESTAMP)"
_WITHOUT_OFFSET = r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?\s*"
_ORDER = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def load_file(
    parcel: Parcel, file: ExportFile, plan: FilePlan, where: Filter, types: Mapping[str, ColumnType], crm_now: datetime
) -> FileTold:
    """Fills an empty parcel. `types`: of the fields that the sync filter names; `crm_now` (UTC): stamps after it are no news.

    Raises ConfigError if the file can no longer be read as it was when it was looked through.
    """
    terms = {"source": as_raw(file, plan.columns), "deleted": _deleted(plan), "wanted": _all_of(where, types)}
    left_out = _LEFT_OUT.format(**terms) if plan.deleted or where else "SELECT 0, 0"
    load = _LOAD.format(columns=", ".join(f"raw.{quote(name)}" for name in parcel.fields), **terms)
    with staging_errors(parcel.where):
        con = parcel.cursor()
        try:
            con.execute("BEGIN")
            gone, outside = (int(each) for each in con.execute(left_out).fetchall()[0])
            rows = int(con.execute(load).fetchall()[0][0])
            con.execute(_NOTE, [STREAM, rows, file.path.stat().st_size, _take_out_nul(con, parcel.fields)])
            without_offset = _make_utc(con, plan.readings)
            con.execute("COMMIT")
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            todo = "let the export finish, then start again"
            raise ConfigError(f"{file.label} changed while it was read", where=str(file.path), todo=todo) from error
        finally:
            con.close()  # what was not committed is gone with it
    return FileTold(rows, _newest(parcel, crm_now), without_offset, gone, outside)


def _take_out_nul(con: duckdb.DuckDBPyConnection, fields: tuple[str, ...]) -> int:
    """Databases can't hold NUL characters; returns how many there were (a finding tells of them)."""
    counted = ", ".join(f"coalesce(sum(length({quote(name)}) - length(replace({quote(name)}, chr(0), ''))), 0)" for name in fields)
    found = con.execute(f"SELECT {counted} FROM raw").fetchall()[0]
    for name, count in zip(fields, found, strict=True):
        if count:
            con.execute(f"UPDATE raw SET {quote(name)} = replace({quote(name)}, chr(0), '') WHERE contains({quote(name)}, chr(0))")
    return int(sum(found))


def _make_utc(con: duckdb.DuckDBPyConnection, readings: Sequence[Reading]) -> int:
    """Points in time without an offset are UTC from here on, and say so; returns how many records have one (a finding tells of them)."""
    fields = [quote(name) for name in dict.fromkeys(each.source for each in readings if each.type.value is ValueType.INSTANT)]
    bare = {name: f"coalesce(regexp_full_match({name}, {literal(_WITHOUT_OFFSET)}), false)" for name in fields}
    if not bare:
        return 0
    any_bare = " OR ".join(bare.values())
    count = int(con.execute(f"SELECT count(*) FROM raw WHERE {any_bare}").fetchall()[0][0])
    if count:
        told = ", ".join(f"{name} = CASE WHEN {is_bare} THEN trim({name}) || '+00:00' ELSE {name} END" for name, is_bare in bare.items())
        con.execute(f"UPDATE raw SET {told} WHERE {any_bare}")
    return count


def _deleted(plan: FilePlan) -> str:
    return f"coalesce({_value(plan.deleted, BOOLEAN)}, false)" if plan.deleted else "false"


def _all_of(where: Filter, types: Mapping[str, ColumnType]) -> str:
    """The sync filter over `raw`; as in the CRM's database NULL meets no condition but `is_null`, and texts are compared without case."""
    return "(" + (" AND ".join(f"coalesce({_condition(one, types[one.field])}, false)" for one in where.all_of) or "true") + ")"


def _condition(one: Condition, type_: ColumnType) -> str:
    value = _comparable(one.field, type_)
    if one.op in ("is_null", "not_null"):
        return f"({value} IS {'NOT ' if one.op == 'not_null' else ''}NULL)"
    if one.op in ("in", "not_in"):
        listed = ", ".join(_operand(each, type_) for each in one.value) if isinstance(one.value, tuple) else _operand(one.value, type_)
        return f"({value} {'NOT ' if one.op == 'not_in' else ''}IN ({listed}))"
    operand = _operand(one.value, type_)
    if one.op in ("starts", "contains"):
        return f"{'starts_with' if one.op == 'starts' else 'contains'}({value}, {operand})"
    sign = {"equals": "=", "not_equals": "<>", **_ORDER}[one.op]
    return f"({value} {sign} {operand})"


def _comparable(field: str, type_: ColumnType) -> str:
    return f"lower({_value(field, type_)})" if type_.value in _TEXTUAL else _value(field, type_)


_TEXTUAL = frozenset({ValueType.TEXT, ValueType.TIME, ValueType.LIST, ValueType.JSON})


def _value(field: str, type_: ColumnType) -> str:
    return value_of(Reading(field, field, type_))


def _operand(value: object, type_: ColumnType) -> str:
    """A filter's value, brought to the type of the field's values in the same way as these are."""
    text = literal(str(value))
    if type_.value in _TEXTUAL:
        return f"lower({text})"
    return f"(SELECT {_value('operand', type_)} FROM (SELECT {text} AS operand) AS raw)"


def _newest(parcel: Parcel, crm_now: datetime) -> datetime | None:
    """The newest modified stamp that is not in the future, UTC."""
    stamp = next((value_of(reading) for reading in parcel.readings if reading.column == "crm_modified_at"), None)
    if stamp is None:
        return None
    now = f"TIMESTAMP '{crm_now.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
    found = parcel.execute(f"SELECT max({stamp}) FROM raw WHERE {stamp} <= {now}").fetchall()[0][0]
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) else None
