"""Which CRM field fills which Market column: rows of data, and how they meet what a CRM describes (INIT-2 to INIT-5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sync.column_names import column_names
from sync.columns import MANAGED, POINTERS, STANDARD, fixed_columns, reserved_columns, wider
from sync.errors import AccessDenied, ConfigError
from sync.fields import BOOLEAN, TEXT, ColumnType, FieldSpec, ObjectSchema, Pick, Reading, ValueType, WritePolicy
from sync.near_names import did_you_mean
from sync.records import Kind

REPLICATED: frozenset[Kind] = frozenset({Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT})
"""Kinds of which every described field comes down (INIT-5), beside custom objects (CUST-1). Of the others only mapped ones do (INIT-3,
INIT-4)."""

MANDATORY: tuple[str, ...] = ("crm_id", "crm_modified_at")
"""Columns without which nothing can be matched or asked for by change."""


class Direction(StrEnum):
    """Which way a mapped value goes: from the CRM, to the CRM, or both."""

    PULL = "pull"
    PUSH = "push"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One mapped field: CRM field `field` ↔ Market column `column`, for these kinds.

    `main_address`: the field is the one by which the CRM knows where to mail, and holds nothing else. `stock` rows ship with the product
    and are skipped where a CRM lacks their field; of several stock rows for one column the first whose field is described counts. A row
    that an operator wrote must name a described field.
    """

    field: str
    column: str
    kinds: frozenset[Kind]
    direction: Direction = Direction.BOTH
    policy: WritePolicy = WritePolicy.OVERWRITE
    pick: Pick | None = None
    true_when: tuple[str, ...] = ()
    stock: bool = True
    main_address: bool = False

    @property
    def pulls(self) -> bool:
        return self.direction is not Direction.PUSH

    @property
    def pushes(self) -> bool:
        return self.direction is not Direction.PULL


def comes_whole(kind: Kind) -> bool:
    """Whether every described field of this kind gets a column."""
    return kind in REPLICATED or kind.is_custom


def mappable_columns(kind: Kind) -> frozenset[str]:
    """Market's own columns that an operator's mapping may fill. Users and opportunities have no others (INIT-3, INIT-4)."""
    return frozenset(fixed_columns(kind.table)) - MANAGED - STANDARD


def combine(stock: Iterable[MappingRow], own: Iterable[MappingRow]) -> tuple[MappingRow, ...]:
    """An operator's row takes the place of the stock rows for the same kind and column.

    It inherits their `pick` and `true_when` if it names the same field, because it then changes only direction or policy.
    """
    stock, own = tuple(stock), tuple(own)
    replaced = {(kind, row.column) for row in own for kind in row.kinds}
    left = []
    for row in stock:
        kinds = frozenset(kind for kind in row.kinds if (kind, row.column) not in replaced)
        if kinds:
            left.append(replace(row, kinds=kinds))
    return (*left, *(_inheriting(row, stock) for row in own))


def _inheriting(row: MappingRow, stock: Sequence[MappingRow]) -> MappingRow:
    for old in stock:
        if (old.field, old.column) == (row.field, row.column) and row.kinds <= old.kinds:
            return replace(row, pick=old.pick, true_when=old.true_when, main_address=old.main_address)
    return row


def rows_of(kind: Kind, rows: Iterable[MappingRow]) -> tuple[MappingRow, ...]:
    """The rows that are about this kind, in their order; a row may be about several."""
    return tuple(row for row in rows if kind in row.kinds)


def readings(
    kind: Kind,
    schema: ObjectSchema,
    rows: Sequence[MappingRow],
    taken: Collection[str] = (),
    known: Mapping[str, str] | None = None,
) -> tuple[Reading, ...]:
    """Every column that records of this kind fill: mapped ones in the rows' order, then the other described fields (INIT-2, INIT-5).

    `taken`: more column names that no field may get. `known`: field → column from the field catalogue, so that names last.
    Raises ConfigError that lists every mapping of an operator that can't work, with near names; AccessDenied where the fields
    that every record needs are not described, because a field that is hidden from the syncing user is not described at all.
    """
    rows = rows_of(kind, rows)
    _refuse_impossible(kind, schema, rows)
    mapped = tuple(_mapped(kind, schema, rows))
    _refuse_incomplete(kind, schema, rows, mapped)
    if not comes_whole(kind):
        return mapped
    columns = {reading.column for reading in mapped}
    sources = {reading.source for reading in mapped}
    others = sorted((spec for spec in schema.fields if spec.name not in sources), key=lambda spec: (spec.name, spec.crm_type))
    names = column_names((spec.name for spec in others), reserved_columns(kind.table) | columns | frozenset(taken), known)
    return mapped + tuple(Reading(names[spec.name], spec.name, spec.type, separator=spec.separator) for spec in others)


def _mapped(kind: Kind, schema: ObjectSchema, rows: Sequence[MappingRow]) -> Iterable[Reading]:
    filled: set[str] = set()
    for row in rows:
        spec = schema.get(row.field)
        if spec is None or not row.pulls or row.column in filled:
            continue
        filled.add(row.column)
        type_ = _column_type(kind, row, spec)
        yield Reading(row.column, row.field, type_, row.pick, row.policy, mapped=True, true_when=row.true_when, separator=spec.separator)


def _column_type(kind: Kind, row: MappingRow, spec: FieldSpec) -> ColumnType:
    """Market's own columns keep their type; a column that a mapping adds gets the field's."""
    fixed = fixed_columns(kind.table).get(row.column) or POINTERS.get(row.column)
    if fixed is not None:
        return fixed
    if row.true_when:
        return BOOLEAN
    return TEXT if row.pick else spec.type


def _refuse_impossible(kind: Kind, schema: ObjectSchema, rows: Sequence[MappingRow]) -> None:
    mistakes = [f"{row.column}: {why}" for row in rows if not row.stock for why in _impossible(kind, schema, row)]
    if mistakes:
        raise ConfigError(
            f"the mapping of {kind.plural} can't work:\n" + "\n".join(f"  {mistake}" for mistake in mistakes),
            where=f"mapping.{kind.plural}",
            todo="correct these lines in the configuration, or let the syncing user read the fields in the CRM",
        )


def _impossible(kind: Kind, schema: ObjectSchema, row: MappingRow) -> Iterable[str]:
    spec = schema.get(row.field)
    if spec is None:
        yield f'{schema.object_name} has no field "{row.field}"{did_you_mean(row.field, schema.names())}'
        return
    fixed = fixed_columns(kind.table).get(row.column)
    if row.pulls and not row.pick and not row.true_when and fixed and not _takes(fixed, spec.type):
        yield f'field "{row.field}" is {spec.type}, the column holds {fixed}'


def _takes(column: ColumnType, field: ColumnType) -> bool:
    """Market's texts take any value as the CRM writes it, its decimals any number; else the kinds of value are the same."""
    if column.value in (ValueType.TEXT, field.value):
        return True
    return column.value is ValueType.DECIMAL and wider(column, field) is not None


def _refuse_incomplete(kind: Kind, schema: ObjectSchema, rows: Sequence[MappingRow], mapped: Sequence[Reading]) -> None:
    missing = set(MANDATORY) - {reading.column for reading in mapped}
    fields = [row.field for row in rows if row.column in missing]
    if missing:
        raise AccessDenied(
            f"{schema.object_name} does not show the syncing user the fields that every sync needs: {', '.join(fields) or sorted(missing)}",
            where=f"{kind.plural}",
            todo="let the syncing user read these fields in the CRM",
        )
