"""What no index can answer: a filter as a predicate over a row's slots.

Texts compare without regard to letter case, as MySQL's usual collation does; ids compare byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import DATETIMES, DECIMALS, INTEGERS, FieldSpec
from adapters.sandbox.sugarcrm.filters import Condition, Node
from adapters.sandbox.sugarcrm.schema import Module

Slots = list[bytes]
Predicate = Callable[[Slots], bool]


def matcher(node: Node, module: Module) -> Predicate:
    """A predicate over full slots; 422 for a comparison that makes no sense."""
    if isinstance(node, Condition):
        return _condition(node, module)
    parts = [matcher(part, module) for part in node.parts]
    if node.kind == "or":
        return lambda slots: any(part(slots) for part in parts)
    return lambda slots: all(part(slots) for part in parts)


def sort_key(spec: FieldSpec, slot: int) -> Callable[[Slots], tuple[bool, Any]]:
    """How rows sort by one field: nulls first, as in MySQL."""

    def key(slots: Slots) -> tuple[bool, Any]:
        value = comparable(spec, orjson.loads(slots[slot]))
        return (value is not None, value if value is not None else 0)

    return key


def comparable(spec: FieldSpec, value: Any) -> Any:
    """A value in the form in which this type of field compares; None for null and for what is malformed."""
    if value is None:
        return None
    if spec.type == "bool":
        return value in (True, 1, "1", "true")
    if spec.type in INTEGERS | DECIMALS:
        return _number(value)
    if spec.type in DATETIMES:
        return value if isinstance(value, int) else _epoch(value)
    if spec.type == "id":
        return str(value)
    return orjson.dumps(value).decode() if isinstance(value, (list, dict)) else str(value).casefold()


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _epoch(value: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(str(value)).timestamp())
    except ValueError:
        return None


def _condition(one: Condition, module: Module) -> Predicate:
    if one.field not in module.slot:
        raise ApiError("invalid_parameter", f"Operator {one.operator} is not supported on {one.field}")
    spec, slot = module.fields[one.field], module.slot[one.field]
    test = _test(one, spec)

    def predicate(slots: Slots) -> bool:
        return test(orjson.loads(slots[slot]))

    return predicate


def _test(one: Condition, spec: FieldSpec) -> Callable[[Any], bool]:
    operator, operand = one.operator, one.value
    if operator in ("$is_null", "$not_null"):
        return (lambda v: v is None) if operator == "$is_null" else (lambda v: v is not None)
    if operator in ("$empty", "$not_empty"):
        return (lambda v: v in (None, "", [])) if operator == "$empty" else (lambda v: v not in (None, "", []))
    if operator in ("$in", "$not_in"):
        return _among(operand, spec, operator == "$in")
    if operator in ("$starts", "$ends", "$contains", "$not_contains"):
        return _text_test(operator, operand, spec)
    if operator == "$between" and isinstance(operand, list) and len(operand) == 2:
        low, high = (comparable(spec, v) for v in operand)
        return lambda v: (got := comparable(spec, v)) is not None and low <= got <= high
    return _compare(operator, comparable(spec, operand), spec)


def _among(operand: Any, spec: FieldSpec, wanted: bool) -> Callable[[Any], bool]:
    if not isinstance(operand, list):
        raise ApiError("invalid_parameter", "$in and $not_in need a list")
    known = {comparable(spec, v) for v in operand}
    # NULL is neither in a list nor not in it.
    return lambda v: v is not None and (comparable(spec, v) in known) == wanted


def _text_test(operator: str, operand: Any, spec: FieldSpec) -> Callable[[Any], bool]:
    pieces = [str(p).casefold() for p in (operand if isinstance(operand, list) else [operand])]

    def has(value: Any) -> bool:
        if isinstance(value, list):
            members = [str(m.get("name") if isinstance(m, dict) else m).casefold() for m in value]
            return any(piece in members for piece in pieces)
        text = str(value).casefold()
        if operator == "$starts":
            return any(text.startswith(piece) for piece in pieces)
        if operator == "$ends":
            return any(text.endswith(piece) for piece in pieces)
        return any(piece in text for piece in pieces)

    if operator == "$not_contains":
        return lambda v: v is None or not has(v)
    return lambda v: v is not None and has(v)


def _compare(operator: str, wanted: Any, spec: FieldSpec) -> Callable[[Any], bool]:
    if operator == "$equals":
        return lambda v: comparable(spec, v) == wanted if wanted is not None else v is None
    if operator == "$not_equals":
        return lambda v: v is not None and comparable(spec, v) != wanted
    if wanted is None:
        return lambda v: False
    tests: dict[str, Callable[[Any], bool]] = {
        "$lt": lambda got: got < wanted,
        "$lte": lambda got: got <= wanted,
        "$gt": lambda got: got > wanted,
        "$gte": lambda got: got >= wanted,
    }
    if operator not in tests:
        raise ApiError("invalid_parameter", f"Operator {operator} does not fit field {spec.name}")
    test = tests[operator]
    return lambda v: (got := comparable(spec, v)) is not None and test(got)
