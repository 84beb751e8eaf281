"""What people fill in, and requests about people: completions, registrations, leads, pushes, updates (PUSH-P, PUSH-V, PUSH-L, PUSH-R)."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import RowMapping, bindparam, select, update

from adapters.market.marketing_activity import given
from adapters.market.marketing_batch import Batch, insert_rows, references, settle_known
from adapters.market.marketing_people import find_people, push_people, read_values, records_in, write_values
from adapters.market.schema_marketing import completions, landing_pages, marketing_events, registrations
from adapters.market.types import BIGINT, INSTANT
from sync.recording import Entry
from sync.recording_pushes import Action
from sync.records import Kind


def record_completions(batch: Batch) -> None:
    """One row per completion. Its values change the person; a page that syncs with the CRM pushes them (PUSH-L, PUSH-R)."""
    page = references(batch, "page", landing_pages.c.page_key)
    rows = {entry.number: _completion(entry, page[entry.values["page"]]) for entry in batch.open()}
    columns = {"page": "page_id", "form": "form", "completed_at": "completed_at", "answers": "answers"}
    compared = {n: {columns[f]: rows[n][columns[f]] for f in columns if f in e.values} for e in batch.open() for n in [e.number]}
    settle_known(batch, completions, compared)
    values = read_values(batch)
    find_people(batch, make=True, values=values)
    write_values(batch, _by_person(batch, values))
    done = list(batch.open())
    new = [rows[entry.number] | {"contact_id": batch.people[entry.number]} for entry in done]
    keys = insert_rows(batch.connection, completions, new)
    syncing = [entry for entry in done if page[entry.values["page"]]["sync_with_crm"]]
    push_people(batch, [(batch.people[entry.number], values.get(entry.number, {}), True) for entry in syncing])
    batch.actions += [Action(Kind.COMPLETION, row["contact_id"], keys[row["event_id"]]) for row in new]


def _completion(entry: Entry, page: RowMapping) -> dict[str, Any]:
    answers = entry.values.get("answers")
    return {
        "event_id": entry.values["event_id"],
        "page_id": page["page_id"],
        "form": entry.values.get("form"),
        "completed_at": entry.values["completed_at"],
        "answers": None if answers is None else json.dumps(answers, ensure_ascii=False),
    }


def _by_person(batch: Batch, values: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """contact_id → column → value; of a person whom several lines name the last one counts, column by column."""
    found: dict[int, dict[str, Any]] = {}
    for entry in batch.open():
        if values.get(entry.number):
            person = batch.people[entry.number]
            found[person] = found.get(person, {}) | values[entry.number]
    return found


def record_registrations(batch: Batch) -> None:
    """One row per registration, with attendance where that is known already."""
    event = references(batch, "event", marketing_events.c.event_key)
    compared = {
        entry.number: {"marketing_event_id": event[entry.values["event"]]["marketing_event_id"]} | given(entry, "registered_at")
        for entry in batch.open()
    }
    settle_known(batch, registrations, compared)
    find_people(batch, make=True)
    _register(batch, event, list(batch.open()))


def record_attendance(batch: Batch) -> None:
    """At the newest registration of that person for that event; who came without one gets a row that says so."""
    event = references(batch, "event", marketing_events.c.event_key)
    came = {entry.number: entry for entry in batch.open()}
    walk_ins = {entry.values["event_id"]: entry for entry in came.values()}
    stored = _walk_ins(batch, set(walk_ins))
    for entry in came.values():
        row = stored.get(entry.values["event_id"])
        if row is not None:
            same = row["attended_at"] == entry.values["attended_at"]
            batch.know(entry) if same else batch.refuse(
                entry, f'event_id "{entry.values["event_id"]}" was recorded with another attended_at'
            )
    find_people(batch, make=True)
    registered = _registered(batch, {int(row["marketing_event_id"]) for row in event.values()})
    new: dict[tuple[int, int], Entry] = {}
    for entry in list(batch.open()):
        key = (int(event[entry.values["event"]]["marketing_event_id"]), batch.people[entry.number])
        before = registered[key]["attended_at"] if key in registered else (new[key].values["attended_at"] if key in new else None)
        if before is not None:
            same = before == entry.values["attended_at"]
            batch.know(entry) if same else batch.refuse(entry, f"attended_at: they came at {before.isoformat()}, as was recorded before")
        elif key in registered:
            registered[key] |= {"attended_at": entry.values["attended_at"], "changed": True}
        else:
            new[key] = entry
    _attend(batch, [row for row in registered.values() if row.get("changed")])
    _register(batch, event, list(new.values()))


def _walk_ins(batch: Batch, event_ids: set[str]) -> dict[str, RowMapping]:
    query = select(registrations).where(registrations.c.event_id.in_(sorted(event_ids)))
    return {row["event_id"]: row for row in batch.connection.execute(query).mappings()}


def _registered(batch: Batch, events: set[int]) -> dict[tuple[int, int], dict[str, Any]]:
    people = sorted({batch.people[entry.number] for entry in batch.open()})
    theirs = registrations.c.contact_id.in_(people), registrations.c.marketing_event_id.in_(sorted(events))
    query = select(registrations).where(*theirs).order_by(registrations.c.registration_id)
    return {(row["marketing_event_id"], row["contact_id"]): dict(row) for row in batch.connection.execute(query).mappings()}


def _attend(batch: Batch, rows: list[dict[str, Any]]) -> None:
    if rows:
        which = registrations.c.registration_id == bindparam("which", type_=BIGINT)
        statement = update(registrations).where(which).values(attended_at=bindparam("came_at", type_=INSTANT))
        batch.connection.execute(statement, [{"which": row["registration_id"], "came_at": row["attended_at"]} for row in rows])
    batch.actions += [Action(Kind.REGISTRATION, row["contact_id"], row["registration_id"]) for row in rows]


def _register(batch: Batch, event: dict[str, RowMapping], entries: list[Entry]) -> None:
    rows = [
        {
            "event_id": entry.values["event_id"],
            "marketing_event_id": event[entry.values["event"]]["marketing_event_id"],
            "contact_id": batch.people[entry.number],
            "registered_at": entry.values.get("registered_at"),
            "attended_at": entry.values.get("attended_at"),
        }
        for entry in entries
    ]
    keys = insert_rows(batch.connection, registrations, rows)
    batch.actions += [Action(Kind.REGISTRATION, row["contact_id"], keys[row["event_id"]]) for row in rows]


def record_leads(batch: Batch) -> None:
    """People who are new here. Somebody living who has the address is not made again, and keeps their values (MATCH-5)."""
    values = read_values(batch)
    before = set(batch.made)
    find_people(batch, make=True, values=values)
    first: set[int] = set()
    pushed: list[tuple[int, dict[str, Any], bool]] = []
    for entry in list(batch.open()):
        person = batch.people[entry.number]
        if entry.values.get("push_into_crm"):
            pushed.append((person, {}, True))
        if person not in batch.made - before or person in first:
            batch.know(entry)
        first.add(person)
    push_people(batch, pushed)


def record_pushes(batch: Batch) -> None:
    """'Push into CRM' (PUSH-L): for every connector whose CRM has no record of the person."""
    find_people(batch)
    people = {entry.number: batch.people[entry.number] for entry in batch.open()}
    there = records_in(batch.connection, set(people.values()))
    creating = {to.connector for to in batch.destinations if Kind.NEW_LEAD in to.kinds}
    for entry in list(batch.open()):
        if creating and creating <= there.get(people[entry.number], frozenset()):
            batch.know(entry)
    push_people(batch, [(person, {}, True) for person in people.values()])


def record_updates(batch: Batch) -> None:
    """'Update in CRM' (PUSH-R): the values are written here, and go to every CRM that has a record of the person."""
    values = read_values(batch)
    find_people(batch)
    write_values(batch, _by_person(batch, values))
    push_people(batch, [(batch.people[entry.number], values[entry.number], False) for entry in batch.open()])
