"""Sync filters, mappings and score fields of a connector, as an operator writes them (INIT-9, FILT-1, PUSH-S)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sync.column_names import is_safe
from sync.columns import MANAGED, STANDARD
from sync.fields import WritePolicy
from sync.mapping import Direction, MappingRow, comes_whole, mappable_columns
from sync.near_names import did_you_mean
from sync.push_settings import ScoreField
from sync.records import PULL_ORDER, Condition, Filter, Kind
from sync.settings_custom_objects import custom_kinds
from sync.settings_reading import ABSENT, Spot, read_choice, refuse_unknown

_KINDS: dict[str, Kind] = {kind.plural: kind for kind in PULL_ORDER}
_WITHOUT_VALUE = ("is_null", "not_null")
_WITH_LIST = ("in", "not_in")
_WITH_TEXT = ("starts", "contains")
_WITH_VALUE = ("equals", "not_equals", "lt", "lte", "gt", "gte")
OPERATORS: tuple[str, ...] = (*_WITH_VALUE[:2], *_WITH_LIST, *_WITH_TEXT, *_WITH_VALUE[2:], *_WITHOUT_VALUE)


def read_filters(value: object, spot: Spot) -> Any:
    """Kind → Filter. A kind without conditions has no entry."""
    found = _per_kind(value, spot, _read_filter)
    return {kind: each for kind, each in found.items() if each} if found is not ABSENT else ABSENT


def read_mapping(value: object, spot: Spot) -> Any:
    """Kind → the operator's mapping rows, in the order of their columns."""
    return _per_kind(value, spot, _read_rows)


def _per_kind(value: object, spot: Spot, read: Callable[[Kind, object, Spot], Any]) -> Any:
    if not isinstance(value, Mapping):
        return spot.wrong(f"has to be a table with entries for {', '.join(_KINDS)}")
    kinds = {**_KINDS, **custom_kinds(spot.table.get("custom_objects"))}
    refuse_unknown(value, kinds, spot)
    return {kind: read(kind, value[name], spot.at(name)) for name, kind in kinds.items() if name in value}


def _read_filter(kind: Kind, value: object, spot: Spot) -> Any:
    if not isinstance(value, list):
        return spot.wrong('has to be a list of conditions: [{ field = "status", op = "equals", value = "New" }]')
    return Filter(tuple(_read_condition(each, spot.at(str(number))) for number, each in enumerate(value, 1)))


def _read_condition(value: object, spot: Spot) -> Any:
    if not isinstance(value, Mapping):
        return spot.wrong('has to be a condition: { field = "status", op = "equals", value = "New" }')
    refuse_unknown(value, ("field", "op", "value"), spot)
    field, op = value.get("field"), value.get("op")
    if not isinstance(field, str) or not field.strip():
        spot.at("field").wrong("has to name a field of the CRM")
    if not isinstance(op, str) or op not in OPERATORS:
        return spot.at("op").wrong(f"has to be one of {', '.join(OPERATORS)}{did_you_mean(op, OPERATORS, or_list=False)}")
    return Condition(str(field), op, _condition_value(op, value.get("value", ABSENT), spot.at("value")))


def _condition_value(op: str, value: Any, spot: Spot) -> Any:
    if op in _WITHOUT_VALUE:
        return None if value is ABSENT else spot.wrong(f"{op} takes no value")
    if op in _WITH_LIST:
        fits = isinstance(value, list) and value and all(isinstance(each, str) for each in value)
        return tuple(value) if fits else spot.wrong(f"{op} takes a list of texts that is not empty")
    if op in _WITH_TEXT:
        return value if isinstance(value, str) and value else spot.wrong(f"{op} takes a text")
    return _plain_value(op, value, spot)


def _plain_value(op: str, value: Any, spot: Spot) -> Any:
    """Instants become UTC text, because a CRM would read a text without offset in its user's zone."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return spot.wrong("a point in time needs its offset, such as 2026-01-31T08:00:00Z")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | bool | int | float):
        return value
    return spot.wrong(f"{op} takes one text, number, date or true or false")


def _read_rows(kind: Kind, value: object, spot: Spot) -> Any:
    if not isinstance(value, Mapping):
        return spot.wrong(f'has to be a table: [{spot.place}] with lines like region = "region_c"')
    return tuple(_read_row(kind, column, value[column], spot.at(str(column)[:60])) for column in sorted(value))


def _read_row(kind: Kind, column: str, value: object, spot: Spot) -> Any:
    _refuse_column(kind, column, spot)
    table = {"field": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping):
        return spot.wrong('has to be a CRM field, "region_c", or { field = "region_c", direction = "pull", policy = "only_if_empty" }')
    refuse_unknown(table, ("field", "direction", "policy"), spot)
    field = table.get("field")
    if not isinstance(field, str) or not field.strip():
        return spot.at("field").wrong("has to name a field of the CRM")
    return MappingRow(
        field,
        column,
        frozenset({kind}),
        read_choice(Direction, table.get("direction", "both"), spot.at("direction")),
        read_choice(WritePolicy, table.get("policy", "overwrite"), spot.at("policy")),
        stock=False,
    )


def _refuse_column(kind: Kind, column: str, spot: Spot) -> None:
    """Notes a column that no mapping may fill: the sync's own, none that engines take, or none that a fixed table has."""
    if column in MANAGED | STANDARD:
        spot.wrong("is filled by the sync itself and can't be mapped")
    elif not comes_whole(kind) and column not in mappable_columns(kind):
        spot.wrong(f"{kind.table} has a fixed set of columns{did_you_mean(column, mappable_columns(kind))}")
    elif not is_safe(column):
        spot.wrong("a column's name has lower-case letters, digits and underscores, 63 at most, no digit first, and is no word of SQL")


def read_score_fields(value: object, spot: Spot) -> Any:
    """Profile → ScoreField: `default = "mkt_score_c"`, or `default = { field = "mkt_score_c", date_field = "mkt_score_date_c" }`."""
    if not isinstance(value, Mapping):
        return spot.wrong('has to be a table with a line per scoring profile: default = "mkt_score_c"')
    found = {profile: _score_field(each, spot.at(str(profile)[:60])) for profile, each in value.items()}
    return found if ABSENT not in found.values() else ABSENT


def _score_field(value: object, spot: Spot) -> Any:
    table = {"field": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping):
        return spot.wrong('has to be a CRM field, "mkt_score_c", or { field = "mkt_score_c", date_field = "mkt_score_date_c" }')
    refuse_unknown(table, ("field", "date_field"), spot)
    field_, date = table.get("field"), table.get("date_field")
    if not _is_name(field_) or not (date is None or _is_name(date)):
        return spot.wrong("has to name fields of the CRM")
    return ScoreField(str(field_), date and str(date))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
