"""What an administrator does to the schema and to rights, while the org is at work."""

from __future__ import annotations

from dataclasses import replace

from adapters.sandbox.salesforce.custom_objects import CustomObject
from adapters.sandbox.salesforce.fields import NUMBERS, FieldSpec, field_from
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.sessions import Login


class Studio:
    """Changes of one org; the caller holds the lock."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def _changed(self, one: SObject) -> None:
        one.index()
        one.changed_at = self._instance.clock.now()
        self._instance.records.version += 1

    def add_object(self, made: CustomObject) -> None:
        """A custom object without records."""
        one = self._instance.schema.add_object(made)
        self._instance.records.create_table(one)
        self._instance.records.build_indexes()
        self._changed(one)

    def add_field(self, name: str, line: str) -> None:
        """A new field, as a line that `field_from` reads; existing records have its default and no new stamp."""
        spec = field_from(line)
        one = self._instance.schema.object(name)
        self._instance.schema.add_field(name, spec)
        default = "'true'" if spec.default is True else "'false'" if spec.type == "boolean" else "null"
        self._instance.database.execute(f'alter table "{one.name}" add column "{spec.name}" default {default}')
        self._instance.records.index_field(one, spec)
        self._changed(one)

    def remove_field(self, name: str, field: str) -> None:
        """A field is dropped, with its values."""
        one = self._instance.schema.object(name)
        spec = one.need(field)
        self._instance.database.execute(f'drop index if exists "{one.name}_{spec.name}"')
        self._instance.database.execute(f'alter table "{one.name}" drop column "{spec.name}"')
        del one.fields[spec.name]
        self._changed(one)

    def rename_field(self, name: str, field: str, new_name: str) -> None:
        """The same values under another name."""
        one = self._instance.schema.object(name)
        spec = one.need(field)
        self._instance.database.execute(f'alter table "{one.name}" rename column "{spec.name}" to "{new_name}"')
        one.fields = {
            key if key != spec.name else new_name: each if key != spec.name else each.renamed(new_name) for key, each in one.fields.items()
        }
        self._changed(one)

    def retype_field(self, name: str, line: str) -> None:
        """Another type or size; values that do not fit become null. No stamp moves."""
        one = self._instance.schema.object(name)
        spec = field_from(line)
        before = one.need(spec.name)
        one.fields[before.name] = replace(spec, name=before.name)
        self._instance.database.execute(f'update "{one.name}" set "{before.name}" = {_cast(before.name, spec)}')
        self._changed(one)

    def set_values(self, name: str, field: str, values: tuple[str, ...], restricted: bool) -> None:
        """Other values for a picklist; records keep what they have."""
        one = self._instance.schema.object(name)
        spec = one.need(field)
        one.fields[spec.name] = replace(spec, values=values, restricted=restricted)
        self._changed(one)

    def hide_field(self, login: Login, name: str, field: str, hidden: bool) -> None:
        """Field-level security: a user does not see a field at all."""
        one = self._instance.schema.object(name)
        kept = login.hidden.setdefault(one.name, set())
        (kept.add if hidden else kept.discard)(one.need(field).name)
        self._changed(one)

    def protect_field(self, login: Login, name: str, field: str, protected: bool) -> None:
        """Field-level security: a user sees a field and may not write it."""
        one = self._instance.schema.object(name)
        kept = login.protected.setdefault(one.name, set())
        (kept.add if protected else kept.discard)(one.need(field).name)
        self._changed(one)


def _cast(name: str, spec: FieldSpec) -> str:
    """SQL for the old value as the new type."""
    column = f'"{name}"'
    if spec.type in NUMBERS:
        number = f"when typeof({column}) in ('integer', 'real') then {column}"
        return f"case {number} when {column} glob '[0-9]*' then cast({column} as real) end"
    if spec.type == "boolean":
        return f"case when {column} in ('true', 1, '1') then 'true' else 'false' end"
    if spec.type == "date":
        return f"case when {column} glob '????-??-??*' then substr({column}, 1, 10) end"
    if spec.type == "datetime":
        midnight = f"when {column} glob '????-??-??' then {column} || 'T00:00:00.000Z'"
        return f"case when {column} glob '????-??-??T*' then {column} {midnight} end"
    return f"substr(cast({column} as text), 1, {spec.length or 255})"
