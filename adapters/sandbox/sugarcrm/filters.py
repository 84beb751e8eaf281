"""The filter language: what a client sends, as a small tree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import DATETIMES
from adapters.sandbox.sugarcrm.schema import Module
from adapters.sandbox.sugarcrm.zones import day_bounds, is_day, named_range, parse_instant

_OPERATORS = (
    "$equals $not_equals $starts $ends $contains $not_contains $in $not_in $is_null $not_null $empty $not_empty "
    "$lt $lte $gt $gte $between $dateBetween $dateRange"
)
OPERATORS = frozenset(_OPERATORS.split())
_GROUPS = {"$and": "and", "$or": "or"}
_MACROS = {
    "$owner": "assigned_user_id",
    "$creator": "created_by",
    "$favorite": "my_favorite",
    "$following": "following",
}


@dataclass(frozen=True)
class Condition:
    """One field, one operator."""

    field: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Group:
    """All (`and`) or any (`or`) of the parts; an empty group is true."""

    kind: str
    parts: tuple[Condition | Group, ...]


Node = Condition | Group


@dataclass(frozen=True)
class Reader:
    """Who filters what, and when: names, zones and rights are looked at through this."""

    module: Module
    user_id: str
    zone: str
    now: datetime
    hidden: frozenset[str]
    equals_matches_day: bool = False

    def instant(self, text: Any) -> int:
        """Epoch seconds of a filter value, or 422."""
        try:
            return parse_instant(text, self.zone)
        except (ValueError, OverflowError):
            raise ApiError("invalid_parameter", f"Invalid date in filter: {text}") from None


def parse_filter(document: Any, reader: Reader) -> Group:
    """The tree of a `filter` value; 422 for what Sugar does not know, 403 for a field hidden from the user."""
    if document in (None, "", {}):
        return Group("and", ())
    return Group("and", _parts(document, reader))


def _parts(document: Any, reader: Reader) -> tuple[Node, ...]:
    if isinstance(document, dict) and all(str(key).isdigit() for key in document):
        document = list(document.values())
    if isinstance(document, dict):
        document = [document]
    if not isinstance(document, list):
        raise ApiError("invalid_parameter", "filter must be a list of conditions")
    return tuple(_one(part, reader) for part in document)


def _one(document: Any, reader: Reader) -> Node:
    if not isinstance(document, dict):
        raise ApiError("invalid_parameter", "a filter condition must be an object")
    nodes = [node for key, value in document.items() for node in _entry(key, value, reader)]
    return nodes[0] if len(nodes) == 1 else Group("and", tuple(nodes))


def _entry(key: str, value: Any, reader: Reader) -> list[Node]:
    if key in _GROUPS:
        return [Group(_GROUPS[key], _parts(value, reader))]
    if key in _MACROS:
        wanted: Any = reader.user_id if key in ("$owner", "$creator") else True
        return [Condition(_MACROS[key], "$equals", wanted)]
    if key.startswith("$"):
        raise ApiError("invalid_parameter", f"Did not recognize the operator: {key}")
    check_field(key, reader)
    pairs = value.items() if isinstance(value, dict) else [("$equals", value)]
    nodes: list[Node] = []
    for operator, operand in pairs:
        if operator not in OPERATORS:
            raise ApiError("invalid_parameter", f"Did not recognize the operator: {operator}")
        nodes.append(_plain(Condition(key, operator, operand), reader))
    return nodes


def check_field(name: str, reader: Reader) -> None:
    """May this user filter or sort by this field?"""
    if name in reader.hidden:
        raise ApiError("not_authorized", f"Access to field {name} denied")
    if name.startswith("email_addresses."):
        return
    spec = reader.module.field(name)
    if not spec.has_slot or name == "email":
        raise ApiError("invalid_parameter", f"Field {name} of module {reader.module.name} can not be filtered")


def _plain(one: Condition, reader: Reader) -> Node:
    """Date ranges and whole days, written as comparisons with instants."""
    spec = reader.module.fields.get(one.field)
    if spec is None or spec.type not in DATETIMES | {"date"}:
        return one
    if one.operator == "$dateRange":
        return _range(one.field, *named_range(str(one.value), reader.now, reader.zone))
    if one.operator in ("$between", "$dateBetween"):
        low, high = _two(one.value)
        return Group("and", tuple(_plain(Condition(one.field, op, v), reader) for op, v in (("$gte", low), ("$lte", high))))
    if spec.type == "date" or not isinstance(one.value, str):
        return one
    whole_day = one.operator == "$equals" and (reader.equals_matches_day or is_day(one.value))
    if whole_day:
        return _range(one.field, *day_bounds(one.value, reader.zone))
    if is_day(one.value) and one.operator in ("$lte", "$gt"):
        after = day_bounds(one.value, reader.zone)[1]
        return Condition(one.field, "$lt" if one.operator == "$lte" else "$gte", after)
    if one.operator in ("$equals", "$not_equals", "$lt", "$lte", "$gt", "$gte"):
        return Condition(one.field, one.operator, reader.instant(one.value))
    return one


def _range(field: str, start: int, end: int) -> Group:
    return Group("and", (Condition(field, "$gte", start), Condition(field, "$lt", end)))


def _two(value: Any) -> tuple[Any, Any]:
    if isinstance(value, list) and len(value) == 2:
        return value[0], value[1]
    raise ApiError("invalid_parameter", "a range needs two values")
