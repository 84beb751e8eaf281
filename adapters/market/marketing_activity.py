"""Scores, visits and their page views, tasks (PUSH-S, PUSH-W, PUSH-T)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import RowMapping, bindparam, insert, select, update

from adapters.market.marketing_batch import Batch, insert_rows, references, rows_by, settle_known, winners
from adapters.market.marketing_people import find_people
from adapters.market.schema import users
from adapters.market.schema_marketing import page_views, score_changes, scores, scoring_profiles, tasks, web_visits
from adapters.market.types import BIGINT
from sync.address import address_key
from sync.recording import Entry
from sync.recording_pushes import Action
from sync.records import Kind


def given(entry: Entry, *names: str) -> dict[str, Any]:
    """Those of the fields that the line gives."""
    return {name: entry.values[name] for name in names if name in entry.values}


def record_scores(batch: Batch) -> None:
    """One row per change. The newest one is the score; one that comes late changes the history only."""
    profile = references(batch, "profile", scoring_profiles.c.profile_key)
    ids = {name: int(row["profile_id"]) for name, row in profile.items()}
    compared = {
        entry.number: {"profile_id": ids[entry.values["profile"]], "new": entry.values["score"]} | given(entry, "at", "why")
        for entry in batch.open()
    }
    settle_known(batch, score_changes, compared)
    find_people(batch)
    people = sorted({batch.people[entry.number] for entry in batch.open()})
    query = select(scores).where(scores.c.contact_id.in_(people), scores.c.profile_id.in_(sorted(ids.values())))
    stored = {(row["contact_id"], row["profile_id"]): dict(row) for row in batch.connection.execute(query).mappings()}
    current, changes, changed = dict(stored), [], {}
    for entry in sorted(batch.open(), key=lambda each: (each.values["at"], each.number)):
        key = (batch.people[entry.number], ids[entry.values["profile"]])
        before, at, new = current.get(key), entry.values["at"], entry.values["score"]
        old = before["score"] if before is not None and before["scored_at"] <= at else None
        row = {"event_id": entry.values["event_id"], "contact_id": key[0], "profile_id": key[1], "at": at}
        changes.append(row | {"old": old, "new": new, "why": entry.values.get("why")})
        if before is None or before["scored_at"] <= at:
            current[key] = {"contact_id": key[0], "profile_id": key[1], "score": new, "scored_at": at}
            changed[key] = entry.values["profile"]
    if changes:
        batch.connection.execute(insert(score_changes), changes)
    _write_scores(batch, stored, {key: current[key] for key in changed})
    batch.actions += [
        Action(Kind.SCORE, key[0], key[1], profile=name)
        for key, name in changed.items()
        if key not in stored or stored[key]["score"] != current[key]["score"]
    ]


def _write_scores(batch: Batch, stored: Mapping[tuple[int, int], Any], rows: Mapping[tuple[int, int], dict[str, Any]]) -> None:
    new = [row for key, row in rows.items() if key not in stored]
    if new:
        batch.connection.execute(insert(scores), new)
    old = [{f"new_{name}": value for name, value in row.items()} for key, row in rows.items() if key in stored]
    if old:
        same = [scores.c[name] == bindparam(f"new_{name}", type_=BIGINT) for name in ("contact_id", "profile_id")]
        values = {name: bindparam(f"new_{name}", type_=scores.c[name].type) for name in ("score", "scored_at")}
        batch.connection.execute(update(scores).where(*same).values(values), old)


def record_visits(batch: Batch) -> None:
    """One row per visit, and one per page view that came with it. An address that nobody has makes a person."""
    names = ("started_at", "ended_at", "referrer", "landing_page")
    paged = [entry for entry in batch.open() if entry.values.get("pages")]
    settle_known(batch, web_visits, {entry.number: given(entry, *names) for entry in batch.open()})
    find_people(batch, make=True)
    rows = [
        {"event_id": entry.values["event_id"], "contact_id": batch.people[entry.number]} | {name: entry.values.get(name) for name in names}
        for entry in batch.open()
    ]
    keys = insert_rows(batch.connection, web_visits, rows)
    batch.actions += [Action(Kind.VISIT, row["contact_id"], keys[row["event_id"]]) for row in rows]
    _queue_again(batch, [visit for visit in _record_pages_of(batch, paged) if visit["event_id"] not in keys])


def _record_pages_of(batch: Batch, visits: list[Entry]) -> list[RowMapping]:
    """Page views without an id of their own get the visit's and their place in it. → the visits that have new ones."""
    pages = [
        Entry(place, {"event_id": f"{visit.values['event_id']}/{number}"} | page | {"visit": visit.values["event_id"]})
        for place, (visit, number, page) in enumerate(
            (visit, number, page) for visit in visits for number, page in enumerate(visit.values["pages"], start=1)
        )
    ]
    inner = Batch(batch.connection, pages, batch.now, batch.destinations)
    grown = _record_pages(inner)
    wrong = {pages[refused.number].values["visit"]: refused.why for refused in inner.finish().refused}
    for visit in visits:
        if visit.values["event_id"] in wrong:
            batch.refuse(visit, f"pages: {wrong[visit.values['event_id']]}")
    return grown


def record_page_views(batch: Batch) -> None:
    """One row per page that was looked at during a visit, which goes to the CRM again with them."""
    _queue_again(batch, _record_pages(batch))


def _queue_again(batch: Batch, visits: Iterable[RowMapping]) -> None:
    people = {visit["visit_id"]: visit["contact_id"] for visit in visits}
    stands = winners(batch.connection, set(people.values()))
    batch.actions += [Action(Kind.VISIT, stands.get(person, person), visit_id) for visit_id, person in people.items()]


def _record_pages(batch: Batch) -> list[RowMapping]:
    """→ the visits of the page views that are new."""
    visit = references(batch, "visit", web_visits.c.event_id)
    names = ("url", "title", "at")
    compared = {entry.number: {"visit_id": visit[entry.values["visit"]]["visit_id"]} | given(entry, *names) for entry in batch.open()}
    settle_known(batch, page_views, compared)
    rows = [
        {"event_id": entry.values["event_id"], "visit_id": visit[entry.values["visit"]]["visit_id"]}
        | {name: entry.values.get(name) for name in names}
        for entry in batch.open()
    ]
    insert_rows(batch.connection, page_views, rows)
    return [visit[entry.values["visit"]] for entry in batch.open()]


def record_tasks(batch: Batch) -> None:
    """One row per task for a user of the CRM."""
    names = ("subject", "description", "due_at", "created_by")
    compared = {entry.number: given(entry, *names, "priority", "created_at") for entry in batch.open()}
    settle_known(batch, tasks, compared)
    keys = {entry.number: address_key(entry.values["owner"]) for entry in batch.open() if "owner" in entry.values}
    owners = rows_by(batch.connection, users.c.email_key, {key for key in keys.values() if key})
    for entry in list(batch.open()):
        if entry.number in keys and keys[entry.number] not in owners:
            batch.refuse(entry, "owner: no user has this address; users come from the CRM")
    find_people(batch)
    rows = [
        {"event_id": entry.values["event_id"], "contact_id": batch.people[entry.number]}
        | {name: entry.values.get(name) for name in names}
        | {"priority": entry.values.get("priority", "normal"), "created_at": entry.values.get("created_at", batch.now)}
        | {"owner_id": owners[keys[entry.number]]["user_id"] if entry.number in keys else None}
        for entry in batch.open()
    ]
    added = insert_rows(batch.connection, tasks, rows)
    batch.actions += [Action(Kind.TASK, row["contact_id"], added[row["event_id"]]) for row in rows]
