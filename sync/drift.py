"""What a CRM's changed schema asks of Market (PULL-4): which fields came, went, came back or changed their type, and what is said of it.

All of it is decided from what the catalogue knows and from the readings that `sync.column_plan` made of the new description.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sync.column_plan import Clash
from sync.columns import MANAGED, POINTERS, STANDARD, Change, fixed_columns, widens
from sync.errors import AccessDenied
from sync.fields import ColumnType, ObjectSchema, Reading
from sync.mapping import MappingRow
from sync.near_names import near_names
from sync.records import PEOPLE, Filter, Finding, Kind

ACTIVE, VANISHED, RETYPED = "active", "vanished", "retyped"
"""How a field stands in the catalogue: it fills its column; it is not described; its type does not fit."""

READINGS_VERSION = 1
"""Goes up when the code makes other readings of the same description, so that an upgrade follows at once."""

_RULED = STANDARD | MANAGED | {"email", "opt_out", "account_name", "company"}


class What(StrEnum):
    """What became of a field."""

    ADDED = "added"
    VANISHED = "vanished"
    RENAMED = "probably renamed"  # vanished, and one of the same type and a like name was added
    RETURNED = "returned"
    WIDENED = "retyped, column widened"
    CHANGED = "retyped, column holds it"
    CLASHED = "retyped, column no longer filled"
    REMAPPED = "mapped otherwise"


_TOPICS: Mapping[What, str] = {
    What.ADDED: "field added",
    What.VANISHED: "field vanished",
    What.RENAMED: "field renamed",
    What.RETURNED: "field returned",
    What.REMAPPED: "field mapped otherwise",
}
FILLED_IN = "field filled in"
FIELD_TOPICS: frozenset[str] = frozenset({*_TOPICS.values(), "field retyped", FILLED_IN})
_FIELDS_TOLD = 3


@dataclass(frozen=True, slots=True)
class KnownField:
    """One field as the catalogue has it. `type` is its column's; `crm_type` the CRM's own word."""

    field: str
    column: str
    type: ColumnType
    crm_type: str
    status: str = ACTIVE


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one kind. `was` and `now` are types, or for REMAPPED fields; `like` is the field that it was probably renamed to."""

    kind: Kind
    what: What
    field: str
    column: str
    was: str = ""
    now: str = ""
    like: str = ""

    @property
    def status(self) -> str:
        """How the field stands in the catalogue from now on."""
        if self.what in (What.VANISHED, What.RENAMED):
            return VANISHED
        return RETYPED if self.what is What.CLASHED else ACTIVE

    @property
    def topic(self) -> str:
        return _TOPICS.get(self.what, "field retyped")

    @property
    def message(self) -> str:
        of = f"field {self.field} of {self.kind.plural}"
        if self.what is What.VANISHED and self.column == "opt_out":
            return f"{of} is no longer shown by the CRM: opt-outs stay as they are here, and new ones do not arrive (CONSENT-6)"
        return {
            What.ADDED: f"field {self.field} added to {self.kind.plural}: column {self.column}",
            What.VANISHED: f"{of} is no longer shown by the CRM: column {self.column} keeps its values",
            What.RENAMED: f"{of} is gone and {self.like} of its type has come: probably renamed. Column {self.column} keeps its values",
            What.RETURNED: f"{of} is back: column {self.column} is filled again",
            What.WIDENED: f"{of} is now {self.now}: column {self.column} was widened from {self.was}",
            What.CHANGED: f"{of} is now {self.now}, was {self.was}: column {self.column} holds its values as it is",
            What.CLASHED: f"{of} is now {self.now}; column {self.column} stays {self.was} and is no longer filled from it",
            What.REMAPPED: f"column {self.column} of {self.kind.plural} is now filled from field {self.now}, was {self.was}",
        }[self.what]


def compare_fields(
    kind: Kind, known: Iterable[KnownField], after: Sequence[Reading], schema: ObjectSchema, clashes: Iterable[Clash]
) -> tuple[FieldChange, ...]:
    """The replicated fields of one kind, by field name: what the catalogue knows against the final readings of the new description.

    | in the catalogue     | in the readings        | outcome                                                       |
    |----------------------|------------------------|---------------------------------------------------------------|
    | not                  | yes                    | added; and renamed, if one like it vanished                   |
    | active               | not, clashes           | retyped: the column stays and is no longer filled             |
    | active or retyped    | not                    | vanished: the column keeps its values                         |
    | vanished or retyped  | yes                    | returned: active again                                        |
    | active               | another column         | mapped otherwise                                              |
    | active               | a type the column lacks| retyped: the column was widened                               |
    | active               | another word, fits     | retyped: the column holds it                                  |
    | anything else        |                        | nothing to say                                                |
    """
    catalogue = {each.field: each for each in known}
    filled = {each.source: each for each in after if is_replicated(kind, each)}
    clashing = {each.source: each for each in clashes if each.kind is kind}
    found = []
    for field in sorted({*catalogue, *filled}):
        change = _compare(kind, field, catalogue.get(field), filled.get(field), schema, clashing.get(field))
        found += [change] if change else []
    return _with_renames(found, catalogue, schema)


def _compare(
    kind: Kind, field: str, before: KnownField | None, reading: Reading | None, schema: ObjectSchema, clash: Clash | None
) -> FieldChange | None:
    spec = schema.get(field)
    if before is None:
        return None if reading is None else FieldChange(kind, What.ADDED, field, reading.column, now=str(reading.type))
    if clash is not None and before.status != RETYPED:
        return FieldChange(kind, What.CLASHED, field, before.column, str(clash.column_type), str(clash.field_type))
    if clash is not None:
        return None
    if reading is None:
        return None if before.status == VANISHED else FieldChange(kind, What.VANISHED, field, before.column)
    if before.status != ACTIVE:
        return FieldChange(kind, What.RETURNED, field, reading.column)
    if reading.column != before.column:
        return FieldChange(kind, What.REMAPPED, field, reading.column, before.column, field)
    if (
        spec is not None
        and reading.type != before.type
        and not (reading.pick or reading.true_when)
        and widens(before.type, spec.type) is Change.WIDER
    ):
        return FieldChange(kind, What.WIDENED, field, reading.column, str(before.type), str(spec.type))
    if spec is not None and before.crm_type and spec.crm_type != before.crm_type:
        return FieldChange(kind, What.CHANGED, field, reading.column, before.crm_type, spec.crm_type)
    return None


def _with_renames(changes: Sequence[FieldChange], catalogue: Mapping[str, KnownField], schema: ObjectSchema) -> tuple[FieldChange, ...]:
    """Each vanished field with the added one that it most looks like; no added field stands for two."""
    free = {change.field for change in changes if change.what is What.ADDED}
    found = []
    for change in changes:
        like = ""
        if change.what is What.VANISHED:
            crm_type = catalogue[change.field].crm_type
            same_type = [name for name in free if (spec := schema.get(name)) is not None and spec.crm_type == crm_type]
            like = next(iter(near_names(change.field, same_type)), "")
            free.discard(like)
        found.append(FieldChange(change.kind, What.RENAMED, change.field, change.column, like=like) if like else change)
    return tuple(found)


def compare_own_columns(kind: Kind, before: Sequence[Reading], after: Sequence[Reading]) -> tuple[FieldChange, ...]:
    """Market's own columns of one kind, which the mapping fills: the readings of the last description against those of this one."""
    old, new = ({each.column: each for each in readings if not is_replicated(kind, each)} for readings in (before, after))
    found = []
    for column in sorted({*old, *new}):
        was, now = old.get(column), new.get(column)
        if was is None and now is not None:
            found.append(FieldChange(kind, What.ADDED, now.source, column))
        elif now is None and was is not None:
            found.append(FieldChange(kind, What.VANISHED, was.source, column))
        elif was is not None and now is not None and was.source != now.source:
            found.append(FieldChange(kind, What.REMAPPED, now.source, column, was.source, now.source))
    return tuple(found)


def is_replicated(kind: Kind, reading: Reading) -> bool:
    """Whether the column is none of Market's own, nor a pointer that is kept with the link."""
    return reading.column not in fixed_columns(kind.table) and reading.column not in POINTERS


def refuse_loss(kind: Kind, before: Sequence[Reading], after: Sequence[Reading]) -> None:
    """Raises AccessDenied when people lose the field with their address: without it every changed row would lose its own, and whom
    the record is would be anybody's guess. Id and stamp are refused earlier, by `sync.mapping.readings`."""
    if kind not in PEOPLE:
        return
    gone = next((each.source for each in before if each.column == "email" and all(new.column != "email" for new in after)), None)
    if gone is not None:
        raise AccessDenied(
            f"the CRM no longer shows the syncing user the field {gone} of {kind.plural}, which holds their address",
            where=kind.plural,
            todo="let the syncing user read this field in the CRM, or map email to another one; nothing was changed here",
        )


def readings_to_fill(
    kind: Kind, before: Sequence[Reading] | None, after: Sequence[Reading], changes: Iterable[FieldChange]
) -> tuple[Reading, ...]:
    """The readings whose values the rows that are here do not have yet. `before`: those of the last description, None if that is not known.

    Columns that rules decide about (address, opt-out, identity, references) are left to the records' own changes.
    """
    came = {change.field for change in changes if change.what in (What.ADDED, What.RETURNED)}
    known = {_filling(each) for each in before or ()}
    new = [each for each in after if (each.source in came if before is None else _filling(each) not in known)]
    return tuple(each for each in new if each.column not in POINTERS and (is_replicated(kind, each) or each.column not in _RULED))


def _filling(reading: Reading) -> tuple[object, ...]:
    return reading.column, reading.source, reading.pick, reading.true_when


def field_words(findings: Iterable[Finding]) -> tuple[str, ...]:
    """What became of fields in this run, a phrase each, for one sentence; of many the first few."""
    words = [each.message.partition(":")[0].partition(";")[0] for each in findings if each.topic in FIELD_TOPICS]
    more = len(words) - _FIELDS_TOLD
    return (*words[:_FIELDS_TOLD], *((f"{more:,} more field{'' if more == 1 else 's'}",) if more > 0 else ()))


def own_side(kinds: Iterable[Kind], rows: Iterable[MappingRow], filters: Mapping[Kind, Filter]) -> str:
    """A hash of what on our side decides what is read: with it equal and the CRM's fingerprint equal, nothing has to be described."""
    told = [
        (
            row.field,
            row.column,
            sorted(kind.value for kind in row.kinds),
            row.direction.value,
            row.policy.value,
            str(row.pick),
            row.true_when,
            row.stock,
        )
        for row in rows
    ]
    asked = sorted((kind.value, str(where)) for kind, where in filters.items())
    text = repr((READINGS_VERSION, [kind.value for kind in kinds], told, asked))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
