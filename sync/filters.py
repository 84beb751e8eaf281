"""Whether a sync filter can work on what the CRM describes (INIT-9, FILT-1). Seen before anything is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from sync.errors import ConfigError
from sync.fields import FieldSpec, ObjectSchema, ValueType
from sync.near_names import did_you_mean
from sync.records import Condition, Filter, Kind

_PRESENCE = frozenset({"is_null", "not_null"})
_SAMENESS = frozenset({"equals", "not_equals", "in", "not_in"})
_TEXT = frozenset({"starts", "contains"})
_ORDER = frozenset({"lt", "lte", "gt", "gte"})

OPERATORS_OF: Mapping[ValueType, frozenset[str]] = {
    ValueType.TEXT: _PRESENCE | _SAMENESS | _TEXT | _ORDER,
    ValueType.BOOLEAN: _PRESENCE | _SAMENESS,
    ValueType.INTEGER: _PRESENCE | _SAMENESS | _ORDER,
    ValueType.DECIMAL: _PRESENCE | _SAMENESS | _ORDER,
    ValueType.DATE: _PRESENCE | _SAMENESS | _ORDER,
    ValueType.TIME: _PRESENCE | _SAMENESS | _ORDER,
    ValueType.INSTANT: _PRESENCE | _SAMENESS | _ORDER,
    ValueType.LIST: _PRESENCE | _SAMENESS | _TEXT,
    ValueType.JSON: _PRESENCE | _SAMENESS | _TEXT,
}
"""Which operators a field takes, by the type of its values. Order and beginnings mean nothing for true and false, and so on."""

_BOOLEANS = frozenset({"true", "false", "1", "0"})
_WANTED = {
    ValueType.BOOLEAN: "true or false",
    ValueType.INTEGER: "a whole number",
    ValueType.DECIMAL: "a number",
    ValueType.DATE: "a day, such as 2026-01-31",
    ValueType.INSTANT: "a point in time with its offset, such as 2026-01-31T08:00:00Z",
}


def refuse_impossible_filters(connector: str, filters: Mapping[Kind, Filter], described: Mapping[Kind, ObjectSchema]) -> None:
    """Raises one ConfigError that names every condition that can't work. Kinds that are not described are not pulled: no matter."""
    mistakes = [
        f"{kind.plural}, condition {number}: {why}"
        for kind, schema in described.items()
        for number, condition in enumerate(filters.get(kind, Filter()).all_of, 1)
        for why in _impossible(schema, condition)
    ]
    if mistakes:
        kinds = [kind.plural for kind in described if any(line.startswith(f"{kind.plural},") for line in mistakes)]
        raise ConfigError(
            "a sync filter can't work:\n" + "\n".join(f"  {mistake}" for mistake in mistakes),
            where=", ".join(f"connectors.{connector}.filters.{name}" for name in kinds),
            todo="correct these conditions in the configuration, or let the syncing user read the fields in the CRM",
        )


def _impossible(schema: ObjectSchema, condition: Condition) -> Iterator[str]:
    spec = schema.get(condition.field)
    if spec is None:
        yield f'{schema.object_name} has no field "{condition.field}"{did_you_mean(condition.field, _filterable(schema))}'
        return
    if not spec.filterable:
        yield f'{schema.object_name} can\'t be asked by "{condition.field}"; it is no stored field'
        return
    taken = OPERATORS_OF[spec.type.value]
    if condition.op not in taken:
        yield f'field "{condition.field}" is {spec.type} and takes no {condition.op}; it takes {", ".join(sorted(taken))}'
    elif condition.op not in _PRESENCE:
        yield from _unfit_values(spec, condition)


def _filterable(schema: ObjectSchema) -> list[str]:
    return [spec.name for spec in schema.fields if spec.filterable]


def _unfit_values(spec: FieldSpec, condition: Condition) -> Iterator[str]:
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if spec.type.value in _WANTED and not all(_fits(spec.type.value, value) for value in values):
        yield f'field "{spec.name}" is {spec.type} and is compared with {_WANTED[spec.type.value]}'


def _fits(type_: ValueType, value: object) -> bool:
    text = str(value)
    try:
        if type_ is ValueType.BOOLEAN:
            return text.lower() in _BOOLEANS
        if type_ is ValueType.DATE:
            return bool(date.fromisoformat(text))
        if type_ is ValueType.INSTANT:
            return datetime.fromisoformat(text).tzinfo is not None
        number = Decimal(text)
    except (ValueError, InvalidOperation):
        return False
    return number.is_finite() and (type_ is ValueType.DECIMAL or re.fullmatch(r"[+-]?\d+", text) is not None)
