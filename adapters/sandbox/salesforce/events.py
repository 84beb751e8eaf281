"""Things that happen in a CRM without us: colleagues edit, delete, merge and convert. Values are as JSON answers show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.sandbox.salesforce import lifecycle
from adapters.sandbox.salesforce.derived import flag
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.ids import is_id, whole
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.instants import literal, normal
from adapters.sandbox.salesforce.records import Values
from adapters.sandbox.salesforce.rendering import shown_as
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.values import stored

DONE = {"done": True}
_REQUIRED = {"LastName": "Nameless", "Company": "Nowhere", "Name": "Nameless", "StageName": "Prospecting", "CloseDate": "2030-01-01"}


def admin(instance: Instance) -> str:
    """The colleague who does what the control API asks for: the first user, or the syncing one when there is no other."""
    found = instance.database.execute('select "Id" from "User" order by seq limit 1').fetchone()
    return str(found[0])


def _stored(instance: Instance, one: SObject, values: dict[str, Any]) -> Values:
    """Values of a colleague: any field, also those that the API does not let anybody write; types are checked, lengths too."""
    found: Values = {}
    for name, value in values.items():
        spec = one.need(name)
        if spec.type == "boolean":
            found[spec.name] = flag(bool(value))
        elif spec.type == "id" or (spec.type == "reference" and value):
            found[spec.name] = whole(str(value))
        else:
            found[spec.name] = stored(spec, value, strict_ids=False)
    return found


def create(instance: Instance, name: str, values: dict[str, Any], delay_s: float = 0.0) -> str:
    """A record that a colleague made; the answer is its id, even when it becomes visible later. `Id` among the values: the one wished for,
    which may be any text; `SystemModstamp`: its stamp."""
    one = instance.schema.object(name)
    found = _stored(instance, one, values)
    stamp = found.pop("SystemModstamp", None) or instance.records.stamp()
    record_id = found.get("Id") or instance.records.next_id(one)
    if not is_id(record_id):
        instance.records.odd_ids = True
    if instance.records.row(one.name, record_id):
        raise ValueError(f"{one.name} {record_id} is there already")
    needed = {key: value for key, value in _REQUIRED.items() if key in one.fields and one.fields[key].required}
    whole_record = {**needed, **found, "Id": record_id}
    instance.records.later(delay_s, lambda: _insert(instance, one.name, whole_record, stamp))
    return str(record_id)


def _insert(instance: Instance, name: str, values: Values, stamp: str) -> None:
    instance.records.insert(name, values, admin(instance), stamp)


def edit(
    instance: Instance,
    name: str,
    record_id: str,
    values: dict[str, Any],
    delay_s: float = 0.0,
    silent: bool = False,
    stamp: int | None = None,
    system: bool = False,
) -> dict[str, bool]:
    """A colleague saves. The stamp is taken now; with a delay the row shows it (and the values) only later."""
    one = instance.schema.object(name)
    found = _stored(instance, one, values)
    found.pop("Id", None)
    at = literal(stamp) if stamp is not None else instance.records.stamp()
    row_id = _need(instance, one, record_id)
    by = admin(instance)

    def write() -> None:
        if instance.records.row(one.name, row_id):
            instance.records.change(one.name, row_id, found, by, at, silent=silent, system=system)

    instance.records.later(delay_s, write)
    return DONE


def _need(instance: Instance, one: SObject, record_id: str) -> str:
    row_id = whole(record_id)
    if instance.records.row(one.name, row_id) is None:
        raise LookupError(f"no {one.name} {record_id}")
    return row_id


def write_raw(instance: Instance, name: str, record_id: str, values: dict[str, Any]) -> dict[str, bool]:
    """Any value into any column, unchecked and unstamped."""
    one = instance.schema.object(name)
    instance.records.set(one.name, _need(instance, one, record_id), {one.need(key).name: value for key, value in values.items()})
    return DONE


def touch(instance: Instance, name: str, ids: Sequence[str], stamp: int | None = None) -> int:
    """A mass update: one stamp for all these records; returns how many."""
    at = literal(stamp) if stamp is not None else instance.records.stamp()
    one = instance.schema.object(name)
    return instance.records.touch(one.name, [whole(i) for i in ids], {"SystemModstamp": at, "LastModifiedDate": at})


def delete(instance: Instance, name: str, record_id: str, delay_s: float = 0.0) -> dict[str, bool]:
    """To the recycle bin, stamped now, seen later when there is a delay."""
    one, stamp = instance.schema.object(name), instance.records.stamp()
    row_id = _need(instance, one, record_id)
    by = admin(instance)
    instance.records.later(delay_s, lambda: lifecycle.delete(instance, one.name, row_id, by, stamp))
    return DONE


def undelete(instance: Instance, name: str, record_id: str) -> dict[str, bool]:
    """Back from the recycle bin."""
    one = instance.schema.object(name)
    lifecycle.undelete(instance, one.name, whole(record_id), admin(instance), instance.records.stamp())
    return DONE


def merge(instance: Instance, name: str, winner: str, loser: str) -> dict[str, bool]:
    """Two records become one."""
    one = instance.schema.object(name)
    if "MasterRecordId" not in one.fields:
        raise ValueError(f"{one.name} records can not be merged")
    lifecycle.merge(instance, one.name, whole(winner), whole(loser), admin(instance), instance.records.stamp())
    return DONE


def opt_out(instance: Instance, address: str, out: bool) -> dict[str, int]:
    """Contacts and leads with this address (in any case) are told to be mailed no more, or again; stamps move. Returns how many."""
    count = 0
    for name in ("Contact", "Lead"):
        for record_id in instance.records.holder(name, "Email", address):
            instance.records.change(name, record_id, {"HasOptedOutOfEmail": flag(out)}, admin(instance), instance.records.stamp())
            count += 1
    return {"records": count}


def bounce(instance: Instance, address: str, bounced: bool) -> dict[str, int]:
    """Salesforce flags an address that mail came back from: only SystemModstamp moves. Returns how many records have it."""
    count = 0
    stamp = instance.records.stamp()
    values = {"EmailBouncedDate": stamp if bounced else None, "EmailBouncedReason": "550 5.1.1 user unknown" if bounced else None}
    for name in ("Contact", "Lead"):
        for record_id in instance.records.holder(name, "Email", address):
            instance.records.change(name, record_id, values, admin(instance), stamp, system=True)
            count += 1
    return {"records": count}


def shown(one: SObject, row: Values) -> dict[str, Any]:
    """A record as it is stored, with JSON's booleans; instants as `2026-01-02T03:04:05.000Z`."""
    found = {}
    for spec in one.stored():
        make = shown_as(spec) if spec.type != "datetime" else None
        found[spec.name] = make(row[spec.name]) if make else row[spec.name]
    found.setdefault("IsDeleted", row["IsDeleted"] == "true")
    return found


def instant(text: Any) -> Any:
    """An instant as it is stored, whatever spelling a test used; other values stay."""
    return normal(text) or text if isinstance(text, str) else text


def refusal(error: ApiError) -> str:
    """What the control API says when a colleague's act is refused."""
    return f"{error.code}: {error.message}"
