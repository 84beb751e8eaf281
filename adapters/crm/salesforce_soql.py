"""SOQL: values that can't break out of their quotes, sync filters (FILT-1), windows and keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sync.errors import ConfigError
from sync.records import Condition, Filter

ID = "Id"
STAMP = "SystemModstamp"
CREATED = "CreatedDate"
DELETED = "IsDeleted"

TypeOf = Callable[[str], str]
"""Field → Salesforce's word for its type; empty: not known."""

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"})
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NUMBERS = frozenset({"int", "long", "double", "currency", "percent"})
_SIGNS = {"equals": "=", "not_equals": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_WORDS = (*_SIGNS, "in", "not_in", "starts", "contains", "is_null", "not_null")


def text(value: str) -> str:
    """A text as a SOQL literal."""
    return f"'{value.translate(_ESCAPES)}'"


def pattern(value: str) -> str:
    """A text inside of a LIKE literal, without its quotes: percent and underscore mean themselves."""
    return value.translate(_ESCAPES).replace("%", r"\%").replace("_", r"\_")


def identifier(name: str) -> str:
    """A field's or an object's name. Raises ConfigError for what is none, so that a filter can't smuggle anything in."""
    if not _IDENTIFIER.fullmatch(name):
        raise ConfigError(f"{name[:60]!r} is no name of a field in Salesforce", where="sync filter", todo="write the field's API name")
    return name


def is_record_id(value: str) -> bool:
    """Salesforce refuses a whole query for one id that is none."""
    return _RECORD_ID.fullmatch(value) is not None


def stamp(moment: datetime | None) -> str:
    """An instant as a SOQL literal: UTC with Z, rounded up to the second, which keeps `>=` and `<` exact for stamps in whole seconds."""
    if moment is None:
        return ""
    if moment.tzinfo is None:
        raise ValueError("an instant without a time zone")
    whole = moment.astimezone(UTC) + timedelta(microseconds=-moment.microsecond % 1_000_000)
    return whole.strftime("%Y-%m-%dT%H:%M:%SZ")


def between(field: str, low: str, high: str) -> list[str]:
    """Lower bound inclusive, upper bound exclusive; an empty one is open. The bounds are literals."""
    return ([f"{field} >= {low}"] if low else []) + ([f"{field} < {high}"] if high else [])


def named(field: str, values: Sequence[str]) -> str:
    """The field is one of these texts."""
    return f"{field} IN ({','.join(map(text, values))})"


def where_of(conditions: Sequence[str]) -> str:
    """The end of a query that these conditions make; nothing where there is none."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def conditions_of(where: Filter, type_of: TypeOf) -> list[str]:
    """A sync filter. As in other CRMs an empty field meets no condition but `is_null`; Salesforce itself counts it as different."""
    return [_condition(one, type_of) for one in where.all_of]


def _condition(one: Condition, type_of: TypeOf) -> str:
    field = identifier(one.field)
    if one.op not in _WORDS:
        todo = f"one of {', '.join(_WORDS)}"
        raise ConfigError(f"the sync filter knows no operator {one.op!r}", where=f"field {one.field}", todo=todo)
    if one.op in ("is_null", "not_null"):
        return f"{field} {'=' if one.op == 'is_null' else '!='} null"
    kind = type_of(one.field)
    if one.op in ("starts", "contains"):
        if kind == "multipicklist":
            return f"{field} INCLUDES ({text(str(one.value))})"
        lead = "%" if one.op == "contains" else ""
        return f"{field} LIKE '{lead}{pattern(str(one.value))}%'"
    if one.op in ("in", "not_in"):
        values = one.value if isinstance(one.value, tuple) else (one.value,)
        listed = ",".join(literal(value, kind) for value in values)
        return f"{field} IN ({listed})" if one.op == "in" else f"({field} NOT IN ({listed}) AND {field} != null)"
    compared = f"{field} {_SIGNS[one.op]} {literal(one.value, kind)}"
    return f"({compared} AND {field} != null)" if one.op == "not_equals" else compared


def literal(value: object, kind: str) -> str:
    """A filter's value, in the form that a field of this type is compared with. Of a field of unknown type the value decides."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return text(f"{value}") if kind in ("string", "id", "reference", "picklist", "phone") else f"{value}"
    said = str(value)
    if kind == "boolean" and said.lower() in ("true", "false", "1", "0"):
        return "true" if said.lower() in ("true", "1") else "false"
    if kind in _NUMBERS and _NUMBER.fullmatch(said):
        return said
    if kind in ("datetime", "") and _INSTANT.fullmatch(said):
        return stamp(datetime.fromisoformat(said))
    if kind == "datetime" and _DAY.fullmatch(said):
        return f"{said}T00:00:00Z"
    if kind == "date" and _DAY.match(said):
        return said[:10]
    return text(said)


def query(asked: Sequence[str], source: str, conditions: Sequence[str] = (), order: str = "", limit: int = 0) -> str:
    """One query. `asked`: fields, or `COUNT()`; `order`: empty for none; `limit`: 0 for none."""
    end = (f" ORDER BY {order}" if order else "") + (f" LIMIT {limit}" if limit else "")
    return f"SELECT {','.join(asked)} FROM {source}{where_of(conditions)}{end}"
