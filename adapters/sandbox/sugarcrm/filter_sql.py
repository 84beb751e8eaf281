"""As much of a filter as an index can answer, in SQL; the rest stays a predicate over the row.

A keyset condition (`stamp > t or (stamp = t and id > x)`) becomes one row-value comparison, which SQLite seeks
directly; every other lower bound on the stamp is then kept away from the index (unary plus), or it would be taken
instead and each page would start at the window's beginning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.sugarcrm.filters import Condition, Group, Node
from adapters.sandbox.sugarcrm.schema import Module

_COMPARE = {"$equals": "=", "$not_equals": "<>", "$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}
_FLAGS = {"opt_out": "opt_out", "invalid_email": "invalid", "primary_address": "is_primary"}


@dataclass(frozen=True)
class Sql:
    """A condition with its values."""

    text: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True)
class Split:
    """`where` holds exactly what it says; `rest` must still be looked at row by row."""

    where: Sql
    rest: tuple[Node, ...]


def split(tree: Group, module: Module, order_field: str) -> Split:
    """Divide a filter between the index and the row; `order_field` is what the page is sorted by first."""
    done: list[Sql] = []
    rest: list[Node] = []
    keyset = None
    parts = list(_flat(tree))
    for node in parts:
        found = keyset_of(node) if keyset is None else None
        if found is not None:
            keyset = found
            continue
        sql = _sql(node, module)
        if sql is None:
            rest.append(node)
        else:
            done.append(sql)
    tie = any(isinstance(n, Condition) and n.field == "date_modified" and n.operator == "$equals" for n in parts)
    texts = [_steer(one.text, keyset is not None, tie, order_field) for one in done]
    if keyset is not None:
        done.append(keyset)
        texts.append(keyset.text)
    text = " and ".join(f"({one})" for one in texts)
    return Split(Sql(text or "1", tuple(v for one in done for v in one.values)), tuple(rest))


def _flat(node: Node) -> Sequence[Node]:
    if isinstance(node, Group) and node.kind == "and":
        return [leaf for part in node.parts for leaf in _flat(part)]
    if isinstance(node, Group) and len(node.parts) == 1:
        return _flat(node.parts[0])
    return [node]


def _steer(text: str, keyset: bool, tie: bool, order_field: str) -> str:
    """Choose which bounds may use an index."""
    if keyset and text.startswith(("modified >", "id >")):
        return "+" + text
    if order_field == "id" and not tie and text.startswith("modified "):
        return "+" + text
    if order_field == "date_modified" and not tie and text.startswith(("id >", "id <")):
        return "+" + text
    return text


def keyset_of(node: Node) -> Sql | None:
    """The row-value form of a keyset condition, upwards or downwards."""
    if not isinstance(node, Group) or node.kind != "or" or len(node.parts) != 2:
        return None
    for later, tied in (node.parts, node.parts[::-1]):
        if not isinstance(later, Condition) or not isinstance(tied, Group) or later.field != "date_modified":
            continue
        sign = {"$gt": ">", "$lt": "<"}.get(later.operator)
        leaves = {leaf.field: leaf for leaf in _flat(tied) if isinstance(leaf, Condition)}
        same, beyond = leaves.get("date_modified"), leaves.get("id")
        if sign is None or len(_flat(tied)) != 2 or same is None or beyond is None:
            continue
        if (same.operator, same.value, beyond.operator) == ("$equals", later.value, later.operator):
            return Sql(f"(modified, id) {sign} (?, ?)", (later.value, str(beyond.value)))
    return None


def _sql(node: Node, module: Module) -> Sql | None:
    if isinstance(node, Condition):
        return _condition(node, module)
    parts = [_sql(part, module) for part in node.parts]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if not known:
        return Sql("1")
    text = f" {node.kind} ".join(f"({part.text})" for part in known)
    return Sql(text, tuple(v for part in known for v in part.values))


def _condition(one: Condition, module: Module) -> Sql | None:
    if one.field == "date_modified" and one.operator in _COMPARE and isinstance(one.value, int):
        return Sql(f"modified {_COMPARE[one.operator]} ?", (one.value,))
    if one.field == "id":
        return _id(one)
    if one.field == "email1" or one.field.startswith("email_addresses."):
        return _email(one, module.name)
    spec = module.fields.get(one.field)
    if spec is not None and spec.indexed:
        return _lookup(one, f"{module.name}.{one.field}")
    return None


def _id(one: Condition) -> Sql | None:
    if one.operator in _COMPARE:
        return Sql(f"id {_COMPARE[one.operator]} ?", (str(one.value),))
    if one.operator in ("$in", "$not_in") and isinstance(one.value, list):
        word = "in" if one.operator == "$in" else "not in"
        return Sql(f"id {word} (select value from json_each(?))", (json.dumps([str(v) for v in one.value]),))
    if one.operator == "$starts":
        text = str(one.value)
        return Sql("id >= ? and id < ?", (text, text + "\U0010ffff"))
    return None


def _wanted(one: Condition, letters: str) -> str | None:
    """The values of an equality or a list, folded as the index has them."""
    values = [one.value] if one.operator == "$equals" else one.value if one.operator == "$in" else None
    if not isinstance(values, list) or not all(isinstance(v, (str, int)) and v != "" for v in values):
        return None
    folded = [str(v).strip().upper() if letters == "upper" else str(v).lower() for v in values]
    return json.dumps(folded)


def _lookup(one: Condition, field: str) -> Sql | None:
    wanted = _wanted(one, "lower")
    if wanted is None:
        return None
    sql = "id in (select id from lookups where field = ? and value in (select value from json_each(?)))"
    return Sql(sql, (field, wanted))


def _email(one: Condition, module: str) -> Sql | None:
    column = one.field.removeprefix("email_addresses.")
    held = "id in (select record_id from holders where module = ? and "
    if column in _FLAGS:
        value: Any = one.value in (True, 1, "1", "true")
        # A literal for `opt_out = 1`: a bound value could not use the partial index.
        return Sql(f"{held}{_FLAGS[column]} = {int(value)})", (module,))
    wanted = _wanted(one, "upper")
    if wanted is None or column not in ("email1", "email_address", "email_address_caps"):
        return None
    primary = " and is_primary = 1" if column == "email1" else ""
    return Sql(f"{held}caps in (select value from json_each(?)){primary})", (module, wanted))
