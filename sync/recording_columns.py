"""Values for columns of a person, as a form or an automation gives them: which columns, and of which type."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sync.columns import FIXED_COLUMNS
from sync.fields import ColumnType, ValueType
from sync.near_names import did_you_mean
from sync.recording import instant, plain_number, storable

_LARGEST = 2**63 - 1


def column_values(
    given: Mapping[str, Any], replicated: Mapping[str, ColumnType], allowed: Collection[str], *, place: str = "values."
) -> tuple[dict[str, Any], list[str]]:
    """Column → value as Market keeps it, and what is wrong. Only columns in `allowed`, which a connector's mapping pushes (PUSH-1).

    `replicated`: the columns of people that came from a CRM, with their types. None and empty texts empty the column. `place`: what stands
    before a column's name where something is wrong.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    fixed = FIXED_COLUMNS["contacts"]
    for column, value in given.items():
        type_ = fixed.get(column) or replicated.get(column)
        if column not in allowed:
            faults.append(f'{place}{column}: no connector pushes a column "{column}"{did_you_mean(column, allowed, or_list=False)}')
        elif type_ is None:
            faults.append(f"{place}{column}: Market has no such column yet; the next core-sync makes it")
        else:
            try:
                values[column] = _typed(type_, value)
            except (ValueError, InvalidOperation) as wrong:
                faults.append(f"{place}{column}: {wrong if isinstance(wrong, _Expected) else f'{type_} is expected'}")
    return values, faults


class _Expected(ValueError):
    """Says in words what is expected."""


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON holds them: instants as ISO text in UTC, days and decimals as text."""
    return {column: _plain(value) for column, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else value


def _typed(type_: ColumnType, given: Any) -> Any:
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    if type_.value in (ValueType.LIST, ValueType.JSON):
        return _json_text(type_, given)
    if type_.value is ValueType.INSTANT:
        return _instant(given)
    if isinstance(given, list | dict):
        raise _Expected(f"{type_} is expected")
    word = given.strip() if isinstance(given, str) else str(given)
    if type_.value is ValueType.BOOLEAN:
        return _boolean(word)
    if type_.value is ValueType.INTEGER:
        return _integer(word)
    if type_.value is ValueType.DECIMAL:
        return _decimal(word)
    if type_.value is ValueType.DATE:
        return date.fromisoformat(word)
    return _text(type_, word)


def _text(type_: ColumnType, word: str) -> str:
    if type_.length is not None and len(word) > type_.length:
        raise _Expected(f"at most {type_.length} characters fit")
    if not storable(word):
        raise _Expected("a text of whole characters, none of them null, is expected")
    return word


def _integer(word: str) -> int:
    value = int(word)
    if abs(value) > _LARGEST:
        raise ValueError
    return value


def _decimal(word: str) -> Decimal:
    value = Decimal(word)
    if not plain_number(value):
        raise ValueError
    return value


def _boolean(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise _Expected("true or false is expected")
    return word.lower() == "true"


def _instant(given: Any) -> datetime:
    try:
        return instant(given)
    except ValueError as wrong:
        raise _Expected(str(wrong)) from None


def _json_text(type_: ColumnType, given: Any) -> str:
    value = json.loads(given) if isinstance(given, str) else given
    if type_.value is ValueType.LIST and not (isinstance(value, list) and all(isinstance(part, str) for part in value)):
        raise _Expected("a JSON array of texts is expected")
    text = json.dumps(value, ensure_ascii=False)
    return text if storable(text) else json.dumps(value)
