"""The objects of an org and their fields, as administrators made them. Names are found in any case, as in Salesforce."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.sandbox.salesforce.custom_objects import CustomObject
from adapters.sandbox.salesforce.errors import ApiError, no_column, no_type
from adapters.sandbox.salesforce.fields import FieldSpec, field_from
from adapters.sandbox.salesforce.settings import SalesforceSandboxSettings
from adapters.sandbox.salesforce.stock_objects import NEVER_DELETED, NOT_IN_BULK, STOCK, SYSTEM_FIELDS

_HIDDEN = "IsDeleted"  # every table has it; users and queues do not show it


@dataclass
class SObject:
    """One object. `fields` by name, in the order of their making. `number`: the next record's, for its id."""

    name: str
    label: str
    prefix: str
    fields: dict[str, FieldSpec] = field(default_factory=dict)
    in_bulk: bool = True
    autonumbered: bool = False
    number: int = 1
    changed_at: float = 0.0

    def __post_init__(self) -> None:
        self._by_lower: dict[str, FieldSpec] = {}
        self._relations: dict[str, FieldSpec] = {}
        self.index()

    def index(self) -> None:
        """After `fields` changed: the look-ups by lower-case name."""
        self._by_lower = {name.lower(): spec for name, spec in self.fields.items()}
        self._relations = {spec.relationship.lower(): spec for spec in self.fields.values() if spec.relationship}

    @property
    def custom(self) -> bool:
        """Made by an administrator or a package."""
        return self.name.endswith("__c")

    def find(self, name: str) -> FieldSpec | None:
        """The field of this name, in any case."""
        return self._by_lower.get(name.lower())

    def need(self, name: str) -> FieldSpec:
        """The field of this name; raises ApiError."""
        spec = self.find(name)
        if spec is None:
            raise no_column(name, self.name)
        return spec

    def relation(self, name: str) -> FieldSpec | None:
        """The reference that is called so in queries, such as `Account` for `AccountId`."""
        return self._relations.get(name.lower())

    def stored(self) -> list[FieldSpec]:
        """The fields that have a column; compound ones are put together from others."""
        return [spec for spec in self.fields.values() if not spec.parts]


class Schema:
    """All objects of one org."""

    def __init__(self, settings: SalesforceSandboxSettings) -> None:
        self.objects: dict[str, SObject] = {}
        self._by_lower: dict[str, SObject] = {}
        self._custom = 0
        for name, (label, prefix, lines) in STOCK.items():
            if name not in settings.without:
                self._put(SObject(name, label, prefix, _fields((*SYSTEM_FIELDS, *lines), name), name not in NOT_IN_BULK))
        for one in settings.custom_objects:
            if one.name not in settings.without:
                self.add_object(one)
        for extra in settings.custom_fields:
            self.add_field(extra.object, field_from(extra.line))
        for gone in settings.without:
            name, dot, column = gone.partition(".")
            if dot and name in self.objects:
                self.objects[name].fields.pop(column)
                self.objects[name].index()

    def add_object(self, made: CustomObject) -> SObject:
        """A custom object. It has an owner and a name."""
        self._custom += 1
        name_line = "Name string(80) req" if made.named else "Name string(80) ro"
        lines = (*SYSTEM_FIELDS, name_line, "OwnerId reference to=User,Group rel=Owner", *made.fields)
        prefix = f"a0{'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'[self._custom]}"
        label = made.label or made.name.removesuffix("__c").replace("_", " ")
        return self._put(SObject(made.name, label, prefix, _fields(lines, made.name), autonumbered=not made.named))

    def _put(self, one: SObject) -> SObject:
        self.objects[one.name] = one
        self._by_lower[one.name.lower()] = one
        return one

    def object(self, name: str) -> SObject:
        """An object by its name in any case; raises ApiError."""
        found = self._by_lower.get(name.lower())
        if found is None:
            raise no_type(name)
        return found

    def add_field(self, name: str, spec: FieldSpec) -> None:
        """A new field of an object."""
        owner = self.object(name)
        if owner.find(spec.name):
            raise ApiError("DUPLICATE_DEVELOPER_NAME", f"There is already a field named {spec.name} on {owner.name}.")
        owner.fields[spec.name] = spec
        owner.index()

    def of_id(self, record_id: str) -> SObject | None:
        """The object that an id belongs to, by its prefix."""
        return next((one for one in self.objects.values() if one.prefix == record_id[:3]), None)

    def children(self, parent: str) -> list[tuple[SObject, FieldSpec]]:
        """References from any object to this one."""
        return [(one, spec) for one in self.objects.values() for spec in one.fields.values() if parent in spec.refers_to]

    def child(self, parent: SObject, relationship: str) -> tuple[SObject, FieldSpec]:
        """The children that a nested query calls so; raises ApiError."""
        for one, spec in self.children(parent.name):
            if spec.children.lower() == relationship.lower():
                return one, spec
        text = f"Didn't understand relationship '{relationship}' in FROM part of query call. If you are attempting to use a custom "
        raise ApiError("INVALID_TYPE", text + "relationship, be sure to append the '__r' after the custom relationship name.")


def _fields(lines: tuple[str, ...], owner: str) -> dict[str, FieldSpec]:
    specs = (field_from(line) for line in lines)
    return {spec.name: spec for spec in specs if spec.name != _HIDDEN or owner not in NEVER_DELETED}
