"""Rows of a result as JSON records: attributes, nested parents, compound addresses, JSON's own booleans and instants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from adapters.sandbox.salesforce.fields import FieldSpec
from adapters.sandbox.salesforce.schema import Schema
from adapters.sandbox.salesforce.soql_plan import Plan

Shown = Callable[[Any], Any]


def _flag(value: Any) -> Any:
    return value if value is None else value == "true"


def _instant(value: Any) -> Any:
    return value if value is None else f"{value[:-1]}+0000"


def _whole(value: Any) -> Any:
    return value if value is None else int(value)


def _decimal(value: Any) -> Any:
    return float(value) if isinstance(value, (int, float)) else value


def _compound(value: Any) -> Any:
    return value if value is None else orjson.loads(value)


def shown_as(spec: FieldSpec) -> Shown | None:
    """How JSON answers show a stored value; None: as it is."""
    if spec.type == "boolean":
        return _flag
    if spec.parts:
        return _compound
    if spec.type == "datetime":
        return _instant
    if spec.type in ("int", "long"):
        return _whole
    return _decimal if spec.type in ("double", "currency", "percent") else None


def record_url(base: str, name: str, record_id: str) -> str:
    """The `url` of a record's attributes."""
    return f"{base}/sobjects/{name}/{record_id}"


class JsonRows:
    """Makes records of the rows that `Plan.rows` reads; `base` begins their addresses."""

    def __init__(self, plan: Plan, schema: Schema, base: str) -> None:
        self._plan = plan
        self._schema = schema
        self._base = base
        self._id_at = next((n for n, column in enumerate(plan.columns) if column.path == ("Id",)), -1)
        # (place in the row, names of the parents, last name, how it is shown), in the order of the select list
        self._cells = [(n + 1, column.path[:-1], column.path[-1], shown_as(column.spec)) for n, column in enumerate(plan.columns)]
        self._flat = [(at, last, shown) for at, names, last, shown in self._cells if not names]
        self._parents = [(len(plan.columns) + 1 + n, path) for n, (path, _) in enumerate(plan.parents)]

    def record(self, row: Sequence[Any], record_id: str) -> dict[str, Any]:
        """One record; `record_id` is for its attributes."""
        name = self._plan.object.name
        found: dict[str, Any] = {"attributes": {"type": name, "url": record_url(self._base, name, record_id)}}
        if not self._parents:
            for at, last, shown in self._flat:
                found[last] = row[at] if shown is None else shown(row[at])
            return found
        homes: dict[tuple[str, ...], dict[str, Any] | None] = {(): found}
        ids = {path: row[at] for at, path in self._parents}
        for at, names, last, shown in self._cells:
            home = self._home(homes, names, ids)
            if home is not None:
                home[last] = row[at] if shown is None else shown(row[at])
        return found

    def _home(
        self, homes: dict[tuple[str, ...], dict[str, Any] | None], names: tuple[str, ...], ids: dict[tuple[str, ...], str | None]
    ) -> dict[str, Any] | None:
        """The parent's part of a record, made when it is first needed; None when there is no parent."""
        if names not in homes:
            above = self._home(homes, names[:-1], ids)
            parent_id = ids[names]
            if above is None:
                homes[names] = None
            elif parent_id is None:
                homes[names] = above[names[-1]] = None
            else:
                kind = self._schema.of_id(parent_id)
                label = kind.name if kind else names[-1]
                homes[names] = above[names[-1]] = {"attributes": {"type": label, "url": record_url(self._base, label, parent_id)}}
        return homes[names]

    def aggregate(self, row: Sequence[Any]) -> dict[str, Any]:
        """One group."""
        found: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        for value, (_, _, last, shown) in zip(row, self._cells, strict=True):
            found[last] = value if shown is None else shown(value)
        return found
