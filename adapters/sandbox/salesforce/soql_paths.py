"""Dotted paths of a query → columns of joined tables, for the user who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from adapters.sandbox.salesforce.errors import ApiError, no_column, no_type
from adapters.sandbox.salesforce.fields import FieldSpec
from adapters.sandbox.salesforce.schema import Schema, SObject
from adapters.sandbox.salesforce.sessions import Login
from adapters.sandbox.salesforce.soql_tree import Term

_PER_FUNCTION = {
    "CALENDAR_YEAR": "cast(substr({0}, 1, 4) as integer)",
    "CALENDAR_QUARTER": "(cast(substr({0}, 6, 2) as integer) + 2) / 3",
    "CALENDAR_MONTH": "cast(substr({0}, 6, 2) as integer)",
    "DAY_ONLY": "substr({0}, 1, 10)",
    "DAY_IN_MONTH": "cast(substr({0}, 9, 2) as integer)",
    "HOUR_IN_DAY": "cast(substr({0}, 12, 2) as integer)",
    "TOLABEL": "{0}",
    "FORMAT": "{0}",
}
_NUMBER = FieldSpec("expr0", "int")
_DAY = FieldSpec("expr0", "date")
_TYPE = FieldSpec("Type", "string")
_QUEUE = {"Group": "Queue"}
MAX_DEPTH = 5


class Column(NamedTuple):
    """Where a value is: an SQL expression, what it is, and the path as Salesforce spells it."""

    sql: str
    spec: FieldSpec
    path: tuple[str, ...]


@dataclass
class _Place:
    """One or several (polymorphic) joined tables that a relationship leads to."""

    reference: str
    tables: list[tuple[str, SObject]]


@dataclass
class Paths:
    """The joins of one query. `base` is its own table in the SQL, `alias` what the query itself calls it."""

    schema: Schema
    login: Login
    object: SObject
    base: str = "t0"
    alias: str = ""
    joins: list[str] = field(default_factory=list)
    _places: dict[tuple[str, ...], _Place] = field(default_factory=dict)

    def column(self, term: Term) -> Column:
        """The column of a term; raises ApiError for what is not there or not visible."""
        found = self._plain(term.path)
        if term.function not in _PER_FUNCTION:
            return found
        sql = _PER_FUNCTION[term.function].format(found.sql)
        if term.function in ("TOLABEL", "FORMAT"):
            return Column(sql, found.spec, found.path)
        return Column(sql, _DAY if term.function == "DAY_ONLY" else _NUMBER, found.path)

    def _plain(self, path: tuple[str, ...]) -> Column:
        if len(path) > 1 and path[0].lower() in (self.object.name.lower(), self.alias) and self.object.relation(path[0]) is None:
            path = path[1:]
        if len(path) > MAX_DEPTH + 1:
            raise ApiError("INVALID_FIELD", "A query may lead over at most five relationships.")
        if len(path) == 1:
            spec = self.visible(self.object, path[0])
            return Column(_stored(self.base, spec), spec, (spec.name,))
        names, place = self._place(path[:-1])
        return self._in_place(place, names, path[-1])

    def _in_place(self, place: _Place, names: tuple[str, ...], last: str) -> Column:
        if len(place.tables) > 1 and last.lower() == "type":
            whens = " ".join(f"when {alias}.\"Id\" is not null then '{_QUEUE.get(one.name, one.name)}'" for alias, one in place.tables)
            return Column(f"case {whens} end", _TYPE, (*names, "Type"))
        held = [(alias, one) for alias, one in place.tables if one.find(last)]
        if not held:
            raise no_column(last, "Name" if len(place.tables) > 1 else place.tables[0][1].name)
        spec = self.visible(held[0][1], last)
        parts = [_stored(alias, spec) for alias, _ in held]
        sql = parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"
        return Column(sql, spec, (*names, spec.name))

    def parent_id(self, names: tuple[str, ...]) -> str:
        """The id of the parent that a relationship leads to, NULL when there is none."""
        _, place = self._place(names)
        ids = [f'{alias}."Id"' for alias, _ in place.tables]
        return ids[0] if len(ids) == 1 else f"coalesce({', '.join(ids)})"

    def visible(self, owner: SObject, name: str) -> FieldSpec:
        """A field that this user may see; raises ApiError."""
        spec = owner.find(name)
        if spec is None or spec.name in self.login.hidden.get(owner.name, ()):
            raise no_column(name, owner.name)
        return spec

    def _place(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], _Place]:
        """The joined tables at the end of a path of relationships, with the path as Salesforce spells it."""
        key = tuple(part.lower() for part in path)
        if key not in self._places:
            owners = [(self.base, self.object)] if len(path) == 1 else self._place(path[:-1])[1].tables
            self._places[key] = self._join(owners, path[-1])
        return self._spelt(path), self._places[key]

    def _spelt(self, path: Sequence[str]) -> tuple[str, ...]:
        owner, names = self.object, []
        for part in path:
            spec = owner.relation(part)
            if spec is None:
                return tuple(path)
            names.append(spec.relationship)
            owner = self.schema.objects.get(spec.refers_to[0], owner)
        return tuple(names)

    def _join(self, owners: list[tuple[str, SObject]], relationship: str) -> _Place:
        for alias, owner in owners:
            spec = owner.relation(relationship)
            if spec is None or spec.name in self.login.hidden.get(owner.name, ()):
                continue
            reference = f'{alias}."{spec.name}"'
            tables = []
            for target in spec.refers_to:
                if target not in self.schema.objects or not self.login.may(target, "view"):
                    continue
                joined = f"{self.base}_{len(self.joins) + 1}"
                self.joins.append(f'left join "{target}" {joined} on {joined}."Id" = {reference}')
                tables.append((joined, self.schema.objects[target]))
            if not tables:
                raise no_type(spec.refers_to[0])
            return _Place(reference, tables)
        raise _no_relation(relationship, owners[0][1])


def _stored(alias: str, spec: FieldSpec) -> str:
    """A compound field is put together from the columns of its parts."""
    if not spec.parts:
        return f'{alias}."{spec.name}"'
    names = ("street", "city", "state", "postalCode", "country")
    pairs = ", ".join(f"'{name}', {alias}.\"{part}\"" for name, part in zip(names, spec.parts, strict=True))
    some = ", ".join(f'{alias}."{part}"' for part in spec.parts)
    return f"case when coalesce({some}) is not null then json_object({pairs}) end"


def _no_relation(relationship: str, owner: SObject) -> ApiError:
    text = (
        f"Didn't understand relationship '{relationship}' in field path. If you are attempting to use a custom relationship, be sure to "
        "append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
    )
    return ApiError("INVALID_FIELD", f"{text} ({owner.name})")
