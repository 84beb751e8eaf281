"""What one Market table needs before the fields that a CRM describes can fill it (INIT-2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sync.column_names import suffixed_name
from sync.columns import Change, reserved_columns, widens, wider
from sync.fields import ColumnType, Reading
from sync.records import Kind


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column that the table does not have yet."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Widening:
    """A column that the table has and whose type has to become wider first."""

    column: str
    old: ColumnType
    new: ColumnType


@dataclass(frozen=True, slots=True)
class Clash:
    """A catalogued field whose type no longer fits its column: the column stays, nothing fills it, a person is told (PULL-4)."""

    kind: Kind
    source: str
    column: str
    column_type: ColumnType
    field_type: ColumnType


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What one table needs before these readings can fill it.

    `readings`: per kind, in the order they came, with their final columns and types. `shared`: the replicated columns that several
    kinds fill.
    """

    readings: Mapping[Kind, tuple[Reading, ...]]
    add: tuple[NewColumn, ...]
    widen: tuple[Widening, ...]
    shared: tuple[str, ...]
    clashes: tuple[Clash, ...]


# The contact's type is taken first, so that it is the lead's column that gets the suffix (INIT-2).
_PRECEDENCE = (Kind.USER, Kind.ACCOUNT, Kind.CONTACT, Kind.LEAD, Kind.OPPORTUNITY)


def _precedence(kind: Kind) -> tuple[int, str]:
    return (_PRECEDENCE.index(kind) if kind in _PRECEDENCE else len(_PRECEDENCE), kind.value)


def plan_columns(
    readings: Mapping[Kind, Sequence[Reading]],
    existing: Mapping[str, ColumnType],
    known: Mapping[Kind, Mapping[str, str]] | None = None,
) -> ColumnPlan:
    """INIT-2 for the kinds that share one table. Independent of the order of the fields.

    `existing`: the replicated columns of the table, whichever connector brought them. `known`: what the catalogue holds for this
    connector, kind → CRM field → column; the same that `readings` got.

    | the column of the field is      | its type and the field's  | outcome                                            |
    |---------------------------------|---------------------------|----------------------------------------------------|
    | one of Market's own             | –                         | as it is, never added or widened                   |
    | not there                       | –                         | added                                              |
    | there, or another kind's too    | one holds both            | one column of that type, widened if need be        |
    | there, or another kind's too    | none holds both           | a column of its own: `_lead` (`_contact`, …)       |
    | another field's                 | –                         | likewise                                           |
    | there, this field's already     | none holds both           | a clash: the column stays and is no longer filled  |
    """
    table = next(iter(readings)).table if readings else "contacts"
    work = _Work(table, existing, known or {}, used={reading.column for each in readings.values() for reading in each})
    for kind in sorted(readings, key=_precedence):
        work.take(kind, readings[kind])
    return work.result(readings)


class _Work:
    """The types as they grow while one kind after the other is taken in."""

    def __init__(
        self, table: str, existing: Mapping[str, ColumnType], known: Mapping[Kind, Mapping[str, str]], used: Iterable[str]
    ) -> None:
        self.reserved = reserved_columns(table)
        self.existing = existing
        self.known = known
        self.used = {*self.reserved, *existing, *used}
        self.types = dict(existing)
        self.placed: dict[tuple[Kind, str], str] = {}
        self.users_of: dict[str, set[Kind]] = {}
        self.sources: dict[str, set[str]] = {}
        for columns in known.values():
            for source, column in columns.items():
                self.sources.setdefault(column, set()).add(source.lower())
        self.clashes: list[Clash] = []

    def take(self, kind: Kind, readings: Sequence[Reading]) -> None:
        for reading in sorted(readings, key=lambda reading: reading.column):
            if reading.column in self.reserved:
                self.placed[kind, reading.column] = reading.column
            else:
                self.place(kind, reading)

    def place(self, kind: Kind, reading: Reading) -> None:
        name, present = reading.column, self.types.get(reading.column, reading.type)
        both = None if self.is_anothers(reading) else wider(present, reading.type)
        if both is None and self.known.get(kind, {}).get(reading.source) == name:
            self.clashes.append(Clash(kind, reading.source, name, present, reading.type))
            return
        if both is None:
            name, both = suffixed_name(name, f"_{kind.value}", self.used), reading.type
        self.used.add(name)
        if name not in self.types or widens(self.types[name], both) is Change.WIDER:
            self.types[name] = both
        self.placed[kind, reading.column] = name
        self.users_of.setdefault(name, set()).add(kind)
        self.sources.setdefault(name, set()).add(reading.source.lower())

    def is_anothers(self, reading: Reading) -> bool:
        """Whether the column belongs to a field of another name: `order` became `order_crm`, and here comes an `order_crm`."""
        sources = self.sources.get(reading.column, set())
        return not reading.mapped and bool(sources) and reading.source.lower() not in sources

    def result(self, readings: Mapping[Kind, Sequence[Reading]]) -> ColumnPlan:
        changed = {name: type_ for name, type_ in sorted(self.types.items()) if self.existing.get(name) != type_}
        return ColumnPlan(
            readings={kind: tuple(self.final(kind, each)) for kind, each in readings.items()},
            add=tuple(NewColumn(name, type_) for name, type_ in changed.items() if name not in self.existing),
            widen=tuple(Widening(name, self.existing[name], type_) for name, type_ in changed.items() if name in self.existing),
            shared=tuple(sorted(name for name, kinds in self.users_of.items() if len(kinds) > 1)),
            clashes=tuple(self.clashes),
        )

    def final(self, kind: Kind, readings: Sequence[Reading]) -> Iterable[Reading]:
        for reading in readings:
            name = self.placed.get((kind, reading.column))
            if name is not None:
                yield replace(reading, column=name, type=self.types.get(name, reading.type))
