"""Raw text becomes values: one SQL expression per Market column, and one that says which raw values can't become one.

Everything in `raw` is VARCHAR, as the CRM wrote it. A cast that would lose something (an offset, a digit, a fraction) is not made:
the value counts as unreadable and its row is set aside with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.staging.duck import literal, quote
from sync.fields import ColumnType, Pick, Reading, ValueType

_INTEGER = r"\s*[+-]?[0-9]{1,19}(\.0*)?\s*"
_EXPONENT = r"[+-]?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{1,2}"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
_FIRST, _LAST = "TIMESTAMP '0001-01-01'", "TIMESTAMP '9999-12-31 23:59:59.999999'"  # an offset can lead out of the calendar of databases
_BOOLEANS = "'true', 'false', '1', '0', 'yes', 'no', 'on', 'off', 't', 'f', 'y', 'n'"
_FAST_DIGITS = 18  # DuckDB casts text to a DECIMAL of up to 18 digits a hundred times faster than to a longer one

_SQL_TYPES = {
    ValueType.TEXT: "VARCHAR",
    ValueType.BOOLEAN: "BOOLEAN",
    ValueType.INTEGER: "BIGINT",
    ValueType.DATE: "DATE",
    ValueType.TIME: "VARCHAR",
    ValueType.INSTANT: "TIMESTAMP",
    ValueType.LIST: "VARCHAR",
    ValueType.JSON: "VARCHAR",
}


def sql_type(kind: ColumnType) -> str:
    """The DuckDB type of a Market column. Instants are TIMESTAMP in UTC; times of day keep their text, offset included."""
    if kind.value is ValueType.DECIMAL:
        return f"DECIMAL({kind.precision or 38},{kind.scale or 0})"
    return _SQL_TYPES[kind.value]


def value_of(reading: Reading) -> str:
    """The SQL expression over `raw` that gives the column's value, or NULL where the text can't be read."""
    text = text_of(reading)
    if reading.true_when:
        return f"({text} IN ({', '.join(literal(word) for word in reading.true_when)}))"
    if reading.separator and reading.type.value is ValueType.LIST:
        return _split(text, reading.separator)
    return _cast(text, reading.type)


def text_of(reading: Reading) -> str:
    """The raw text that a reading starts from: a field, or the flagged entry of an array field."""
    raw = f"raw.{quote(reading.source)}"
    return raw if reading.pick is None else _picked(raw, reading.pick)


def _picked(raw: str, pick: Pick) -> str:
    """Nearly always the array has one entry and that is the flagged one; the JSON is then read once for all that is picked from it."""
    first = f"json_extract_string({raw}, ['$[0].{pick.flag}', '$[0].{pick.value}', '$[1]'])"
    shape = literal(f'[{{"{pick.flag}": "VARCHAR", "{pick.value}": "VARCHAR"}}]')
    entries = f"TRY(from_json({raw}, {shape}))"
    flag, value = quote(pick.flag), quote(pick.value)
    flagged = f"list_filter({entries}, lambda entry: lower(entry.{flag}) IN ('true', '1'))"
    any_of = f"CASE WHEN len({flagged}) > 0 THEN {flagged}[1].{value} ELSE {entries}[1].{value} END"
    simple = f"({first})[1] = 'true'"
    return f"CASE WHEN NOT json_valid({raw}) THEN NULL WHEN {simple} THEN ({first})[2] ELSE {any_of} END"


def _cast(text: str, kind: ColumnType) -> str:
    filled = f"nullif(trim({text}), '')"
    if kind.value is ValueType.TEXT or kind.value is ValueType.JSON:
        return text
    if kind.value is ValueType.INSTANT:
        # A plain cast to TIMESTAMP would drop the offset without a word.
        return f"make_timestamp(epoch_us(TRY_CAST({filled} AS TIMESTAMPTZ)))"
    if kind.value is ValueType.BOOLEAN:
        return f"CASE lower({filled}) WHEN 'on' THEN true WHEN 'off' THEN false ELSE TRY_CAST({filled} AS BOOLEAN) END"
    if kind.value is ValueType.LIST:
        return _list_of(text)
    if kind.value is ValueType.TIME:
        return filled
    if kind.value is ValueType.DECIMAL and (kind.scale or 0) < _FAST_DIGITS < (kind.precision or 38):
        fast = f"CAST(TRY_CAST({filled} AS DECIMAL({_FAST_DIGITS},{kind.scale or 0})) AS {sql_type(kind)})"
        return f"coalesce({fast}, TRY_CAST({filled} AS {sql_type(kind)}))"
    return f"TRY_CAST({filled} AS {sql_type(kind)})"


def _list_of(text: str) -> str:
    """A JSON array as it came; the stored form `^A^,^B^` and a single plain value become one."""
    return (
        f"CASE WHEN {text} IS NULL OR {text} = '' THEN NULL WHEN left(ltrim({text}), 1) = '[' AND json_valid({text}) THEN {text} "
        f"ELSE CAST(to_json(string_split(trim({text}, '^'), '^,^')) AS VARCHAR) END"
    )


def _split(text: str, separator: str) -> str:
    """One text of several values, such as Salesforce's `A;B`."""
    return f"CASE WHEN {text} <> '' THEN CAST(to_json(string_split({text}, {literal(separator)})) AS VARCHAR) END"


def unreadable_when(reading: Reading) -> str | None:
    """The SQL condition of raw values that the column's type can't hold as they are; None where every text will do."""
    if reading.true_when:
        return None
    text = f"trim({text_of(reading)})"
    filled = f"{text} <> ''"
    kind = reading.type.value
    if kind is ValueType.BOOLEAN:
        odd = f"({filled} AND lower({text}) NOT IN ({_BOOLEANS}))"
        return odd if reading.pick is None else f"({odd} OR {_broken_json(reading)})"
    if kind is ValueType.DECIMAL:
        return f"({filled} AND NOT {_exact_decimal(text, reading.type)})"
    pattern = {ValueType.INTEGER: _INTEGER, ValueType.DATE: _DATE, ValueType.INSTANT: _INSTANT, ValueType.TIME: _TIME}.get(kind)
    if pattern is None:
        return _broken_json(reading) if reading.pick is not None or kind is ValueType.JSON else None
    value = f"({_cast(text_of(reading), reading.type)})"
    # The value stands here once, as the engine would cast it once per mention.
    possible = f"{value} BETWEEN {_FIRST} AND {_LAST}" if kind is ValueType.INSTANT else f"{value} IS NOT NULL"
    return f"({filled} AND NOT coalesce(regexp_full_match({text}, {literal(pattern)}) AND {possible}, false))"


def _broken_json(reading: Reading) -> str:
    raw = f"raw.{quote(reading.source)}"
    if reading.pick is None:
        return f"({raw} IS NOT NULL AND {raw} <> '' AND NOT json_valid({raw}))"
    # Nothing could be picked: is there nothing, or is it no array of objects? Looked at only where nothing was.
    objects = f"json_type({raw}) = 'ARRAY' AND len(list_filter(json_type({raw}, '$[*]'), lambda entry: entry <> 'OBJECT')) = 0"
    strange = f"CASE WHEN json_valid({raw}) THEN NOT ({objects}) ELSE true END"
    return f"CASE WHEN {raw} IS NULL OR {raw} IN ('', '[]') OR {text_of(reading)} IS NOT NULL THEN false ELSE {strange} END"


def _exact_decimal(text: str, kind: ColumnType) -> str:
    """A cast to DECIMAL rounds in silence. Exact: as many digits as the type has on either side of the point, then zeros at most."""
    scale = kind.scale or 0
    whole = (kind.precision or 38) - scale
    plain = rf"[+-]?0*([0-9]{{1,{whole}}}(\.[0-9]{{0,{scale}}}0*)?|\.[0-9]{{1,{max(scale, 1)}}}0*)"
    exponent = f"regexp_full_match({text}, {literal(_EXPONENT)}) AND TRY_CAST({text} AS {sql_type(kind)}) = TRY_CAST({text} AS DOUBLE)"
    return f"CASE WHEN regexp_full_match({text}, {literal(plain)}) THEN true ELSE coalesce({exponent}, false) END"


def expressions(readings: Sequence[Reading]) -> dict[str, str]:
    """Market column → SQL expression over `raw`, in the readings' order."""
    return {reading.column: value_of(reading) for reading in readings}
