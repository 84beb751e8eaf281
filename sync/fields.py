"""CRM fields, Market columns, and how a value gets from the one to the other.

Three nouns:

- `FieldSpec`: one field as the CRM describes it.
- `ColumnType`: what a value is, whatever CRM it comes from and whatever database it goes to.
- `Reading`: one Market column and where in a raw CRM record its value stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.records import Kind


class ValueType(StrEnum):
    """The kinds of value that Market knows. All instants are UTC."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"  # 64 bits, signed
    DECIMAL = "decimal"  # exact, never through a float
    DATE = "date"
    TIME = "time"
    INSTANT = "instant"  # a point in time; offsets are resolved to UTC
    LIST = "list"  # a JSON array of strings, as text: multi-value drop-downs, tags
    JSON = "json"  # any JSON value, as text: address lists, teams


@dataclass(frozen=True, slots=True)
class ColumnType:
    """`length` in characters for TEXT (None: unlimited); `precision` and `scale` in digits for DECIMAL."""

    value: ValueType
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        if self.value is ValueType.TEXT and self.length is not None:
            return f"text({self.length})"
        if self.value is ValueType.DECIMAL:
            return f"decimal({self.precision},{self.scale})"
        return self.value.value


TEXT = ColumnType(ValueType.TEXT)
BOOLEAN = ColumnType(ValueType.BOOLEAN)
INTEGER = ColumnType(ValueType.INTEGER)
DECIMAL = ColumnType(ValueType.DECIMAL, precision=26, scale=6)
DATE = ColumnType(ValueType.DATE)
TIME = ColumnType(ValueType.TIME)
INSTANT = ColumnType(ValueType.INSTANT)
LIST = ColumnType(ValueType.LIST)
JSON = ColumnType(ValueType.JSON)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of one CRM object, as the CRM describes it to the syncing user.

    `crm_type` is the CRM's own word. A field that the user may not read is not described at all. `filterable`: the CRM can be asked
    for records by this field.
    """

    name: str
    crm_type: str
    type: ColumnType
    label: str = ""
    custom: bool = False
    writable: bool = True
    required: bool = False
    options: tuple[str, ...] = ()
    filterable: bool = True
    separator: str = ""  # of a LIST that the CRM writes as one text


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """What the CRM says of one object: its name there, and its fields by name and type order (INIT-2)."""

    kind: Kind
    object_name: str
    fields: tuple[FieldSpec, ...]

    def names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.fields)

    def get(self, name: str) -> FieldSpec | None:
        return next((spec for spec in self.fields if spec.name == name), None)


@dataclass(frozen=True, slots=True)
class Pick:
    """Takes `value` of the entry of a JSON array whose `flag` is true, or of its first entry if none is flagged.

    SugarCRM's e-mail addresses come so: Pick("primary_address", "email_address").
    """

    flag: str
    value: str


class WritePolicy(StrEnum):
    """What an incoming value does to the value that is there."""

    OVERWRITE = "overwrite"
    ONLY_IF_EMPTY = "only_if_empty"


@dataclass(frozen=True, slots=True)
class Reading:
    """One Market column: its type, and the field (or the part of a field) of the raw record that fills it."""

    column: str
    source: str
    type: ColumnType
    pick: Pick | None = None
    policy: WritePolicy = WritePolicy.OVERWRITE
    mapped: bool = False  # true: named by the mapping; false: replicated under its own name
    true_when: tuple[str, ...] = ()  # not empty: the column is true when the raw text is one of these
    separator: str = ""  # of a LIST that comes as one text; empty: the text is an array, or in Sugar's stored form
