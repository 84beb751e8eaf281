"""Things that happen in a CRM without us: colleagues edit, delete, merge and convert; clerks opt people out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import orjson

from adapters.sandbox.sugarcrm.fields import DATETIMES
from adapters.sandbox.sugarcrm.instance import Instance
from adapters.sandbox.sugarcrm.linking import count_entries
from adapters.sandbox.sugarcrm.links import RELATIONSHIPS, Side, side
from adapters.sandbox.sugarcrm.schema import Module
from adapters.sandbox.sugarcrm.values import encode
from adapters.sandbox.sugarcrm.zones import parse_instant, utc_literal

ADMIN = "1"
DONE = {"done": True}
_PERSON = (  # what a lead hands on to its contact
    "salutation first_name last_name title department do_not_call phone_home phone_mobile phone_work phone_other "
    "phone_fax primary_address_street primary_address_city primary_address_state primary_address_postalcode "
    "primary_address_country lead_source birthdate description assigned_user_id"
)


def create(instance: Instance, module: str, values: dict[str, Any], delay_s: float = 0.0) -> str:
    """A record that a colleague made; the answer is its id, even when it becomes visible later."""
    layout = instance.schema.module(module)
    literals = _literals(instance, layout, values)
    literals["id"] = orjson.dumps(str(values.get("id") or uuid.uuid4()))
    stamp = instance.clock.whole_second()
    if "date_modified" in values:
        stamp = parse_instant(values["date_modified"], "UTC")
    record_id = str(orjson.loads(literals["id"]))
    literals.pop("date_modified", None)

    def write() -> None:
        instance.records.create(module, literals, ADMIN, stamp)
        _emails(instance, module, record_id, values)

    _now_or_later(instance, delay_s, write)
    return record_id


def edit(
    instance: Instance,
    module: str,
    record_id: str,
    values: dict[str, Any],
    delay_s: float = 0.0,
    silent: bool = False,
    stamp: int | None = None,
) -> dict[str, bool]:
    """A colleague saves. The stamp is taken now; with a delay the row shows it (and the values) only later."""
    layout = instance.schema.module(module)
    literals = _literals(instance, layout, values)
    literals.pop("id", None)
    literals.pop("date_modified", None)
    instance.records.need(module, record_id)
    moment = instance.clock.whole_second() if stamp is None else int(stamp)

    def write() -> None:
        if instance.records.find(module, record_id) is None:
            return  # deleted before the save came through: it fails for that colleague, and for nobody else
        _emails(instance, module, record_id, values)
        instance.records.change(module, instance.records.need(module, record_id), literals, ADMIN, moment, silent)

    _now_or_later(instance, delay_s, write)
    return DONE


def write_raw(instance: Instance, module: str, record_id: str, values: dict[str, Any]) -> dict[str, bool]:
    """Direct SQL: any JSON value into any field, no rule, no stamp."""
    row = instance.records.need(module, record_id)
    for name in values:
        instance.schema.module(module).field(name)
    instance.records.change(module, row, {name: orjson.dumps(v) for name, v in values.items()}, silent=True)
    return DONE


def touch(instance: Instance, module: str, ids: list[str], stamp: int | None = None) -> int:
    """A mass update: all these rows get one stamp. Returns how many were there."""
    moment = instance.clock.whole_second() if stamp is None else int(stamp)
    rows = [row for row in instance.records.tables[module].by_ids(ids) if not row.deleted]
    for row in rows:
        instance.records.change(module, row, {}, ADMIN, moment)
    return len(rows)


def delete(instance: Instance, module: str, record_id: str, delay_s: float = 0.0) -> dict[str, bool]:
    """A colleague deletes."""
    instance.records.need(module, record_id)
    stamp = instance.clock.whole_second()

    def write() -> None:
        row = instance.records.find(module, record_id)
        if row is not None:
            instance.records.set_deleted(module, row, True, stamp)

    _now_or_later(instance, delay_s, write)
    return DONE


def undelete(instance: Instance, module: str, record_id: str) -> dict[str, bool]:
    """An administrator brings a deleted record back."""
    row = instance.records.tables[module].get(record_id)
    if row is None:
        raise KeyError(f"{module} {record_id} was pruned or never existed")
    instance.records.set_deleted(module, row, False)
    return DONE


def merge(instance: Instance, module: str, winner: str, loser: str) -> dict[str, bool]:
    """The loser is deleted without a pointer; its links, addresses and children go to the winner."""
    records = instance.records
    records.need(module, winner)
    row = records.need(module, loser)
    records.links.move(loser, winner)
    for child, key in _keys_to(module):
        slot = instance.schema.module(child).slot[key]
        wanted = orjson.dumps(loser)
        for other in [one for one in records.tables[child].scan("deleted = 0", (), "seq") if one.slots()[slot] == wanted]:
            records.change(child, other, {key: orjson.dumps(winner)}, ADMIN)
    records.addresses.move(module, loser, winner)
    records.show_addresses(module, winner)
    records.change(module, records.need(module, winner), {}, ADMIN)
    records.set_deleted(module, row, True)
    return DONE


def convert(
    instance: Instance, lead: str, contact: str | None, account: str | None, opportunity: str | None, new_id: str | None = None
) -> dict[str, str]:
    """A lead becomes a contact, a new one (`new_id`: its id) unless `contact` names it. The lead stays and points at what it became."""
    records = instance.records
    row = records.need("Leads", lead)
    before = records.values("Leads", row)
    account_id = account or before["account_id"] or ""
    if contact is None:
        values = {name: before[name] for name in _PERSON.split()}
        emails = [held.as_json() for held in records.addresses.of("Leads", lead)]
        contact = create(instance, "Contacts", {**values, "id": new_id, "account_id": account_id or None, "email": emails})
    else:
        records.need("Contacts", contact)
    values = {
        "converted": True,
        "status": "Converted",
        "contact_id": contact,
        "account_id": account_id or None,
        "opportunity_id": opportunity,
    }
    edit(instance, "Leads", lead, values)
    return {"contact_id": contact, "account_id": account_id, "opportunity_id": opportunity or ""}


def link(instance: Instance, module: str, record_id: str, name: str, far_id: str, role: str) -> dict[str, bool]:
    """A colleague links two records: neither stamp moves for a join table."""
    where = _side(module, name)
    if where.relationship.key:
        return edit(instance, where.far_module, far_id, {where.relationship.key: record_id})
    instance.records.links.join(where, record_id, far_id, role, instance.clock.whole_second())
    count_entries(instance, where, record_id, far_id)
    return DONE


def unlink(instance: Instance, module: str, record_id: str, name: str, far_id: str) -> dict[str, bool]:
    """A colleague removes a link."""
    where = _side(module, name)
    if where.relationship.key:
        return edit(instance, where.far_module, far_id, {where.relationship.key: None})
    instance.records.links.part(where, record_id, far_id)
    count_entries(instance, where, record_id, far_id)
    return DONE


def flag_address(instance: Instance, text: str, opt_out: bool | None, invalid: bool | None) -> dict[str, int]:
    """A recipient unsubscribes or bounces: the address changes, no holder's stamp does."""
    records = instance.records
    found = records.database.execute(
        "select id from lookups where field = 'EmailAddresses.email_address_caps' and value = ?",
        (text.strip().lower(),),
    ).fetchall()
    wanted = {"opt_out": opt_out, "invalid_email": invalid}
    literals = {name: orjson.dumps(value) for name, value in wanted.items() if value is not None}
    for (address_id,) in found:
        records.change("EmailAddresses", records.need("EmailAddresses", address_id), literals, ADMIN)
    return {"addresses": len(found)}


def _literals(instance: Instance, layout: Module, values: dict[str, Any]) -> dict[str, bytes]:
    """Values as a colleague's form would write them; field names are checked, since a typing error in a test must
    not pass unseen."""
    out = {}
    for name, value in values.items():
        spec = layout.field(name)
        if name not in ("email", "email1", "email_opt_out", "invalid_email"):
            at = utc_literal(value) if spec.type in DATETIMES and isinstance(value, int) else None
            out[name] = at or encode(spec, value, layout.name, "UTC", None)
    return out


def _emails(instance: Instance, module: str, record_id: str, values: dict[str, Any]) -> None:
    """Write the e-mail part; the stamp is the caller's business."""
    book = instance.records.addresses
    if isinstance(values.get("email"), list):
        book.replace(module, record_id, values["email"])
    elif "email1" in values:
        book.set_primary(module, record_id, str(values["email1"] or ""))
    else:
        return
    instance.records.show_addresses(module, record_id)
    for one in book.of(module, record_id):
        instance.records.spread_flags(one.address_id)


def _now_or_later(instance: Instance, delay_s: float, write: Callable[[], None]) -> None:
    if delay_s > 0:
        instance.records.later(delay_s, write)
    else:
        write()


def _keys_to(module: str) -> list[tuple[str, str]]:
    return [(rel.right, rel.key) for rel in RELATIONSHIPS if rel.key and rel.left == module]


def _side(module: str, name: str) -> Side:
    where = side(module, name)
    if where is None:
        raise KeyError(f"{module} has no link {name}")
    return where
