"""A client saves, changes or deletes one record: what is checked, in which order, and what the org adds of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.salesforce import lifecycle
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.fields import IDS, FieldSpec
from adapters.sandbox.salesforce.ids import is_id, whole
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.values import Stored, stored
from adapters.sandbox.salesforce.visit import Visit

Document = dict[str, Any]
Encode = Callable[[FieldSpec, Any, bool], Stored]


@dataclass
class Saver:
    """Saves of one call. `encode` reads the values: JSON's own, or the text of a CSV cell. `forced`: duplicates are saved all the same."""

    visit: Visit
    encode: Encode = stored
    forced: bool = False

    def __post_init__(self) -> None:
        self.instance = self.visit.instance
        self.records = self.instance.records
        header = self.visit.header("sforce-duplicate-rule-header")
        self.forced = self.forced or header.get("allowsave", "").lower() == "true"

    # -- which fields -------------------------------------------------------------------------------------------------

    def check_names(self, one: SObject, document: Document) -> None:
        """A field that is not there (for this user) refuses the whole call; raises ApiError INVALID_FIELD."""
        hidden = self.visit.login.hidden.get(one.name, ())
        for name in document:
            if name.lower() in ("attributes", "id"):
                continue
            spec = one.find(name) or one.relation(name.partition(".")[0])
            if spec is None or spec.name in hidden:
                raise ApiError("INVALID_FIELD", f"No such column '{name}' on sobject of type {one.name}", [name])

    def _values(self, one: SObject, document: Document, letter: str) -> dict[str, Stored]:
        """Stored values of what was sent. `letter`: c on create, u on update; raises ApiError."""
        self.check_names(one, document)
        found: dict[str, Stored] = {}
        protected = self.visit.login.protected.get(one.name, ())
        for name, value in document.items():
            if name.lower() in ("attributes", "id"):
                continue
            spec = one.find(name)
            if spec is None:
                spec, value = self._by_key_of_parent(one, name, value)
            if letter not in spec.writable or spec.name in protected:
                text = (
                    f"Unable to create/update fields: {spec.name}. Please check the security settings of this field and verify that it is "
                )
                raise ApiError("INVALID_FIELD_FOR_INSERT_UPDATE", f"{text}read/write for your profile or permission set.", [spec.name])
            found[spec.name] = self.encode(spec, value, not self.records.odd_ids)
        return found

    def _by_key_of_parent(self, one: SObject, name: str, value: Any) -> tuple[FieldSpec, str | None]:
        """`Account: {Mkt_Id__c: 'x'}`, or in CSV the column `Account.Mkt_Id__c`: the parent by its external id."""
        relationship, _, key = name.partition(".")
        reference = one.relation(relationship)
        assert reference is not None
        if not key:
            pairs = [(k, v) for k, v in value.items() if k != "attributes"] if isinstance(value, dict) else []
            if len(pairs) != 1:
                raise ApiError("INVALID_FIELD", f"Cannot reference {relationship} by more or less than one external id field", [name])
            key, value = pairs[0]
        if value in (None, "", "#N/A"):
            return reference, None
        parent = self.instance.schema.object(reference.refers_to[0])
        spec = parent.find(key)
        held = self.records.holder(parent.name, spec.name, value) if spec and (spec.external_id or spec.type == "id") else []
        if len(held) != 1:
            text = f"Foreign key external ID: {value} not found for field {key} in entity {parent.name}"
            raise ApiError("INVALID_FIELD", text)
        return reference, held[0]

    # -- saves --------------------------------------------------------------------------------------------------------

    def create(self, one: SObject, document: Document) -> str:
        """A new record; returns its id. Raises ApiError, and then nothing was written."""
        values = self._values(one, document, "c")
        defaults = {spec.name: spec.default for spec in one.fields.values() if spec.default is not None and spec.type != "boolean"}
        after = {**defaults, **{key: value for key, value in values.items() if value is not None}}
        missing = [spec.name for spec in one.fields.values() if spec.required and "c" in spec.writable and after.get(spec.name) is None]
        missing = [name for name in missing if not (one.custom and name == "Name")]
        if missing:
            raise ApiError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        if one.custom and one.find("Name") and after.get("Name") is None and not one.autonumbered:
            values["Name"] = self.records.next_id(one)  # nameless records are called like their id
        self._check_person(one, after)
        values |= self._checked(one, after, values, created=True)
        return self.records.insert(one.name, values, self.visit.login.user_id, self.records.stamp())

    def update(self, one: SObject, record_id: str, document: Document) -> str:
        """Other values for a record; returns its id. Raises ApiError."""
        before = self.need(one, record_id)
        values = self._values(one, document, "u")
        if one.name == "Lead" and before["IsConverted"] == "true":
            raise ApiError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        emptied = [name for name, value in values.items() if value is None and one.fields[name].required]
        if emptied:
            raise ApiError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(emptied)}]", emptied)
        after = {**before, **values}
        self.instance.automation.check_lock([str(before["Id"])])
        values |= self._checked(one, after, values, created=False)
        self.records.change(one.name, before["Id"], values, self.visit.login.user_id, self.records.stamp())
        return str(before["Id"])

    def delete(self, one: SObject, record_id: str) -> str:
        """A record goes to the recycle bin; returns its id. Raises ApiError."""
        before = self.need(one, record_id)
        if "IsDeleted" not in one.fields:
            raise ApiError("INSUFFICIENT_ACCESS_OR_READONLY", f"entity type cannot be deleted: {one.name}")
        self.instance.automation.check_lock([str(before["Id"])])
        lifecycle.delete(self.instance, one.name, before["Id"], self.visit.login.user_id, self.records.stamp())
        return str(before["Id"])

    def need(self, one: SObject, record_id: str) -> Document:
        """A living record that this user may see; raises ApiError with the status that a call for this one record has."""
        if not self.records.odd_ids and not is_id(record_id):
            raise ApiError("MALFORMED_ID", f"{one.label} ID: id value of incorrect type: {record_id}", ["Id"])
        row = self.records.row(one.name, whole(record_id))
        if row is None or row["Id"] in self.visit.login.hidden_rows.get(one.name, ()):
            raise ApiError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
        if row["IsDeleted"] == "true":
            raise ApiError("ENTITY_IS_DELETED", "entity is deleted")
        return row

    def keyed(self, one: SObject, field: str) -> FieldSpec:
        """A field that may say which record is meant; raises ApiError."""
        spec = one.find(field)
        if spec is None or spec.name in self.visit.login.hidden.get(one.name, ()) or not (spec.external_id or spec.name == "Id"):
            raise ApiError("NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + field)
        return spec

    def matches(self, one: SObject, spec: FieldSpec, value: Any) -> list[str]:
        """The living records with this key."""
        if spec.name == "Id":
            row = self.records.row(one.name, whole(str(value)))
            return [str(row["Id"])] if row and row["IsDeleted"] == "false" else []
        return self.records.holder(one.name, spec.name, value)

    def upsert(self, one: SObject, spec: FieldSpec, value: Any, document: Document) -> tuple[str, bool]:
        """Change the record with this key, or make one; returns id and whether it was made. Raises ApiError."""
        if value in (None, ""):
            raise ApiError("MISSING_ARGUMENT", f"{spec.name} not specified")
        found = self.matches(one, spec, value)
        if len(found) > 1:
            raise ApiError("DUPLICATE_EXTERNAL_ID", f"{spec.name}: more than one record found for external id field: {found}", [spec.name])
        rest = {name: content for name, content in document.items() if name.lower() != spec.name.lower()}
        if found:
            return self.update(one, found[0], rest), False
        if spec.name == "Id":
            raise ApiError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ["Id"])
        return self.create(one, {**rest, spec.name: value}), True

    # -- checks -------------------------------------------------------------------------------------------------------

    def _checked(self, one: SObject, after: Document, values: Document, *, created: bool) -> Document:
        """Everything that may refuse a save; returns what triggers add to it."""
        written = {
            one.need(name).name: stored(one.need(name), value)
            for name, value in self.instance.automation.on_save(one.name, after, created).items()
        }
        changed = {**values, **written}
        parents = [str(changed[spec.name]) for spec in one.stored() if spec.type in IDS and changed.get(spec.name)]
        self._check_references(one, changed)
        self.instance.automation.check_lock([one_id for one_id in parents if one_id])
        self._check_unique(one, changed, str(after.get("Id") or ""))
        self._check_duplicates(one, changed, str(after.get("Id") or ""))
        return written

    def _check_references(self, one: SObject, values: Document) -> None:
        for spec in one.stored():
            target = values.get(spec.name)
            if spec.type != "reference" or target is None:
                continue
            known = [name for name in spec.refers_to if name in self.instance.schema.objects]
            if not known:
                continue
            rows = [(name, self.records.row(name, target)) for name in known]
            row = next((row for _, row in rows if row is not None), None)
            if row is None:
                text = (
                    f"{spec.title}: id value of incorrect type: {target}"
                    if self._of_another_kind(known, target)
                    else "invalid cross reference id"
                )
                raise ApiError("MALFORMED_ID" if "incorrect" in text else "INVALID_CROSS_REFERENCE_KEY", text, [spec.name])
            if row["IsDeleted"] == "true":
                raise ApiError("ENTITY_IS_DELETED", "entity is deleted", [])

    def _of_another_kind(self, known: list[str], target: str) -> bool:
        found = self.instance.schema.of_id(target)
        return found is not None and found.name not in known

    def _check_unique(self, one: SObject, values: Document, besides: str) -> None:
        for spec in one.stored():
            if spec.unique and values.get(spec.name) is not None:
                held = self.records.holder(one.name, spec.name, values[spec.name], besides)
                if held:
                    text = f"duplicate value found: {spec.name} duplicates value on record with id: {held[0][:15]}"
                    raise ApiError("DUPLICATE_VALUE", text, [])

    def _check_person(self, one: SObject, after: Document) -> None:
        """A campaign member is one person, and a person is a member once."""
        if one.name != "CampaignMember":
            return
        people = [(name, after[name]) for name in ("ContactId", "LeadId") if after.get(name)]
        if not people:
            raise ApiError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId or ContactId]", [])
        for name, person in people:
            if self.records.rows(one.name, f'"CampaignId" = ? and "{name}" = ? and "IsDeleted" = \'false\'', (after["CampaignId"], person)):
                raise ApiError("DUPLICATE_VALUE", "Already a campaign member.", [])

    def _check_duplicates(self, one: SObject, values: Document, besides: str) -> None:
        for rule in self.instance.automation.duplicates:
            if rule.object != one.name or values.get(rule.field) is None or (self.forced and not rule.blocks):
                continue
            if self.records.holder(one.name, rule.field, values[rule.field], besides):
                raise ApiError("DUPLICATES_DETECTED", "Use one of these records?", [])
