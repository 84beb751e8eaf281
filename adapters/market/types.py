"""What a value is in the two databases.

| value    | PostgreSQL          | SQLite                                                                                  |
|----------|---------------------|-----------------------------------------------------------------------------------------|
| text     | TEXT, VARCHAR(n)    | TEXT; the length is the gate's business                                                 |
| boolean  | BOOLEAN             | 0 and 1                                                                                 |
| integer  | BIGINT              | INTEGER                                                                                 |
| decimal  | NUMERIC, unbounded  | INTEGER or REAL while 15 significant digits hold it, else TEXT; see `exact_decimal_sql` |
| date     | DATE                | text `YYYY-MM-DD`                                                                       |
| time     | TEXT                | TEXT, as the CRM wrote it: TIME would drop an offset without a word                     |
| instant  | TIMESTAMPTZ         | text `YYYY-MM-DD HH:MM:SS.ffffff`, UTC                                                  |
| list     | TEXT, a JSON array  | TEXT, a JSON array                                                                      |
| json     | TEXT                | TEXT                                                                                    |

JSON stays text on PostgreSQL: parsing it while loading costs more than casting it in the few queries that look inside.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, DateTime, Dialect, Integer, Numeric, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from sync.fields import ColumnType, ValueType

_EXACT_DIGITS = 15  # what a 64-bit float gives back unchanged


class Instant(TypeDecorator[datetime]):
    """A point in time: aware in Python, always UTC. A naive value is refused, because nobody could say what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _NoAffinity(UserDefinedType[Any]):
    """SQLite keeps a value as it comes only where the declared type says BLOB; NUMERIC would round a long decimal."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "DECIMAL_BLOB"


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal number of any size that comes back digit for digit."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_NoAffinity() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return lite_decimal(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(value))


def lite_decimal(value: Decimal) -> int | float | str:
    """What SQLite stores for a decimal: a number where that loses nothing, else its text."""
    digits = value.normalize()
    if len(digits.as_tuple().digits) > _EXACT_DIGITS:
        return format(value, "f")
    return int(digits) if digits == digits.to_integral_value() else float(digits)


def exact_decimal_sql(value: str) -> str:
    """The SQLite expression that does for the text `value` (a parameter or a column) what `lite_decimal` does.

    Comparisons and sums in plain SQL work on the numbers; the few longer ones stand as text, which sorts after every
    number and is turned into a (rounded) number by arithmetic.
    """
    short = f"CASE WHEN instr({value}, '.') THEN rtrim(rtrim({value}, '0'), '.') ELSE {value} END"
    digits = f"length(ltrim(replace(replace({short}, '-', ''), '.', ''), '0'))"
    return f"CASE WHEN {value} NOT GLOB '*[eE]*' AND {digits} <= {_EXACT_DIGITS} THEN CAST({short} AS NUMERIC) ELSE {value} END"


TEXT = Text()
KEY = Text().with_variant(Text(collation="C"), "postgresql")  # compared for equality only: byte order sorts and loads much faster
BIGINT = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER PRIMARY KEY is SQLite's own row key
INSTANT = Instant()
DECIMAL = ExactDecimal()
BOOLEAN = Boolean(create_constraint=False)
DATE = Date()

_SIMPLE: dict[ValueType, TypeEngine[Any]] = {
    ValueType.BOOLEAN: BOOLEAN,
    ValueType.INTEGER: BIGINT,
    ValueType.DECIMAL: DECIMAL,
    ValueType.DATE: DATE,
    ValueType.TIME: TEXT,
    ValueType.INSTANT: INSTANT,
    ValueType.LIST: TEXT,
    ValueType.JSON: TEXT,
}


def column_type(type_: ColumnType) -> TypeEngine[Any]:
    """The type of a replicated column. A text's length is declared on PostgreSQL only."""
    if type_.value is not ValueType.TEXT:
        return _SIMPLE[type_.value]
    if type_.length is None:
        return TEXT
    return Text().with_variant(String(type_.length), "postgresql")
