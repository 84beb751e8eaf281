"""Whom the recorded lines are about: found by key or by address, made where a kind makes people, changed by what they filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, insert, select, true, update

from adapters.market.columns import current_table, replicated
from adapters.market.consent_facts import PEOPLES_KINDS
from adapters.market.marketing_batch import Batch, rows_by, winners
from adapters.market.mass_delete import note_deletion
from adapters.market.schema import contacts
from adapters.market.schema_books import crm_links, key_sequences
from sync.address import address_key
from sync.recording_columns import as_json, column_values
from sync.recording_pushes import Action
from sync.records import Kind

CANDIDATE = "Candidate"  # contacts.crm_type of a person who was made here
_NOBODY = "nobody living has the address; record the person first (leads), or name a contact_id"


def find_people(batch: Batch, *, make: bool = False, values: Mapping[int, Mapping[str, Any]] | None = None) -> None:
    """Fills `batch.people` for the open lines that name somebody; who can't be found is refused or, with `make`, made.

    With `make`, who was deleted comes back to their own row: a second one would be two of them as soon as the CRM brings the first back
    (MATCH-2). Not who was deleted with "do not pull again". `values`: line → column → value; of a new person they are written at once.
    """
    _by_id(batch)
    keys = {number: address_key(address) for number, address in _addresses(batch).items()}
    known = rows_with(batch.connection, {key for key in keys.values() if key})
    missing: dict[str, int] = {}
    for entry in list(batch.open()):
        key = keys.get(entry.number)
        if key is None:
            continue
        if key in known:
            batch.people[entry.number] = known[key]
        elif make:
            missing.setdefault(key, entry.number)
        else:
            batch.refuse(entry, f"address: {_NOBODY}")
    if missing:
        there = _bring_back(batch, set(missing))
        new = {key: number for key, number in missing.items() if key not in there}
        there |= _make(batch, new, values or {}) if new else {}
        batch.people |= {number: there[key] for number, key in keys.items() if key in there}


def _by_id(batch: Batch) -> None:
    ids = {entry.values["contact_id"] for entry in batch.open() if "contact_id" in entry.values}
    stand = winners(batch.connection, ids)
    for entry in list(batch.open()):
        asked = entry.values.get("contact_id")
        if asked in stand:
            batch.people[entry.number] = stand[asked]
        elif asked is not None:
            batch.refuse(entry, f"contact_id: there is no person {asked}")


def _addresses(batch: Batch) -> dict[int, str]:
    named = {entry.number: entry.values["address"] for entry in batch.open() if "address" in entry.values}
    return {number: address for number, address in named.items() if number not in batch.people}


def rows_with(connection: Connection, keys: set[str], *, deleted: bool = False) -> dict[str, int]:
    """Address → the row that it stands for: the living one that was updated last (MATCH-5). `deleted`: of the deleted ones that may come
    back."""
    if not keys:
        return {}
    columns = [contacts.c[name] for name in ("contact_id", "email_key", "updated_at", "crm_modified_at", "crm_id")]
    gone = and_(contacts.c.deleted_date.is_not(None), contacts.c.do_not_pull.is_not(true()))
    which = gone if deleted else contacts.c.deleted_date.is_(None), contacts.c.merged_into.is_(None)
    rows = connection.execute(select(*columns).where(contacts.c.email_key.in_(sorted(keys)), *which)).mappings().all()
    return {row["email_key"]: row["contact_id"] for row in sorted(rows, key=_preference, reverse=True)}


def _preference(row: RowMapping) -> tuple[timedelta, timedelta, str, int]:
    """As `sync.matching` prefers: smallest first."""
    return (_latest_first(row["updated_at"]), _latest_first(row["crm_modified_at"]), row["crm_id"] or "", row["contact_id"])


def _latest_first(at: datetime | None) -> timedelta:
    return datetime.min - at.replace(tzinfo=None) if at else timedelta(0)


def _bring_back(batch: Batch, keys: set[str]) -> dict[str, int]:
    """Address → the row of somebody who was deleted, and lives again (DEL-2); an entry in `parcels` has plans made anew."""
    found = rows_with(batch.connection, keys, deleted=True)
    if found:
        living = {"deleted_date": None, "updated_at": batch.now}
        batch.connection.execute(update(contacts).where(contacts.c.contact_id.in_(found.values())).values(living))
        note_deletion(batch.connection, run_id="recorded", what="people", now=batch.now, about={"restored": len(found)})
        batch.back |= set(found.values())
    return found


def _make(batch: Batch, missing: Mapping[str, int], values: Mapping[int, Mapping[str, Any]]) -> dict[str, int]:
    """Address → the new row; `missing`: address → the line that named it first."""
    sequence = key_sequences.c
    after = update(key_sequences).where(sequence.table_name == "contacts").values(next_key=sequence.next_key + len(missing))
    first = int(batch.connection.execute(after.returning(sequence.next_key)).scalar_one()) - len(missing)
    typed = {entry.number: entry.values["address"] for entry in batch.entries if "address" in entry.values}
    made = {key: first + place for place, key in enumerate(missing)}
    rows = [
        {"contact_id": made[key], "crm_type": CANDIDATE, "email": typed[number], "email_key": key}
        | {"created_at": batch.now, "updated_at": batch.now}
        for key, number in missing.items()
    ]
    batch.connection.execute(insert(contacts), rows)
    batch.made |= set(made.values())
    write_values(batch, {made[key]: values[number] for key, number in missing.items() if values.get(number)})
    return made


def read_values(batch: Batch) -> dict[int, dict[str, Any]]:
    """Line → column → value, of the open lines that give values; one that gives what no person may get is refused."""
    if not any("values" in entry.values for entry in batch.open()):
        return {}
    types = replicated(batch.connection, "contacts")
    allowed = frozenset().union(*(to.columns for to in batch.destinations))
    found: dict[int, dict[str, Any]] = {}
    for entry in list(batch.open()):
        values, faults = column_values(entry.values.get("values", {}), types, allowed)
        if faults:
            batch.refuse(entry, "; ".join(faults))
        else:
            found[entry.number] = values
    return found


def write_values(batch: Batch, values: Mapping[int, Mapping[str, Any]]) -> None:
    """contact_id → column → value, written to the people's rows: one statement per set of columns."""
    table = current_table(batch.connection, "contacts")
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for person, row in values.items():
        columns = tuple(sorted(row))
        groups.setdefault(columns, []).append({"w_person": person, "w_now": batch.now} | {f"w_{n}": row[c] for n, c in enumerate(columns)})
    for columns, rows in groups.items():
        new = {column: bindparam(f"w_{place}", type_=table.c[column].type) for place, column in enumerate(columns)}
        new["updated_at"] = bindparam("w_now", type_=table.c.updated_at.type)
        batch.connection.execute(update(table).where(table.c.contact_id == bindparam("w_person")).values(new), rows)


def push_people(batch: Batch, pushed: Iterable[tuple[int, Mapping[str, Any], bool]]) -> None:
    """(contact_id, values, whether they may be created), in order: as record update where the CRM has them, else as new lead."""
    people = list(pushed)
    there = records_in(batch.connection, {person for person, _, _ in people})
    for person, values, may_create in people:
        kind = Kind.NEW_LEAD if may_create else Kind.UPDATE
        records = there.get(person, frozenset())
        batch.actions.append(Action(kind, person, records_in=records, values=as_json(values), may_create=may_create))


def records_in(connection: Connection, people: set[int]) -> dict[int, frozenset[str]]:
    """contact_id → the connectors whose CRM has a living lead or contact of theirs."""
    if not people:
        return {}
    link = crm_links.c
    query = select(link.market_id, link.connector).where(link.kind.in_(PEOPLES_KINDS), link.market_id.in_(sorted(people)), link.living)
    found: dict[int, frozenset[str]] = {}
    for person, connector in connection.execute(query.distinct()):
        found[person] = found.get(person, frozenset()) | {connector}
    return found


def addresses_of(batch: Batch) -> dict[int, RowMapping]:
    """contact_id → email and email_key of the people of the open lines."""
    columns = (contacts.c.email, contacts.c.email_key)
    return rows_by(batch.connection, contacts.c.contact_id, set(batch.people.values()), *columns)
