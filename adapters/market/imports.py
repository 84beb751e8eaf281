"""People come from a file, or are changed by a template (DEL-5). Nothing of it waits for a CRM (PUSH-1)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, true, update

from adapters.market.brakes import use_answer
from adapters.market.columns import current_table, replicated
from adapters.market.database import Database
from adapters.market.marketing_batch import Batch, winners
from adapters.market.marketing_people import find_people, rows_with, write_values
from adapters.market.mass_delete import Warrant, note_deletion, soft_delete
from adapters.market.schema import contacts
from adapters.market.watch import LedgerEntry, write_entries
from sync.address import address_key
from sync.importing import SOURCE, Imported, imported_values
from sync.recording import Entry

_ALL = ""  # the brake's question is about all of Market
_FACTS = ("contact_id", "email_key", "opt_out", "deleted_date", "do_not_pull")
_BARRED = 'email: somebody who has it was deleted with "do not pull again"'


class Imports:
    """Raises MarketUnavailable; then nothing of the batch was kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def doomed(self, entries: Sequence[Entry]) -> frozenset[int]:
        """The living people whom these lines delete, for the brake (DEL-8)."""
        with self._database.reading() as connection:
            named = [entry.values for entry in entries if "deleted_date" in entry.values]
            by_id = winners(connection, {values["contact_id"] for values in named if "contact_id" in values})
            keys = {address_key(values["address"]) for values in named if "contact_id" not in values}
            found = set(by_id.values()) | set(rows_with(connection, {key for key in keys if key}).values())
            rows = _rows(connection, contacts, found)
            return frozenset(person for person, row in rows.items() if row["deleted_date"] is None)

    def living(self, most: int) -> int:
        """How many people live in Market, counted up to `most`."""
        some = select(contacts.c.contact_id).where(contacts.c.deleted_date.is_(None)).limit(most).subquery()
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(some)).scalar_one())

    def apply(self, entries: Sequence[Entry], warrant: Warrant, *, dry_run: bool = False) -> Imported:
        """One batch in one transaction. What can't be used is told and the other lines are kept. `dry_run`: nothing is kept."""
        with self._database.writing(kept=not dry_run) as connection:
            return _apply(Batch(connection, entries, warrant.now, ()), warrant)

    def close_question(self, now: datetime) -> None:
        """The brake's answer was acted upon, to the last batch."""
        with self._database.writing() as connection:
            use_answer(connection, _ALL, SOURCE, now)


def _apply(batch: Batch, warrant: Warrant) -> Imported:
    values = _values(batch)
    _settle_strangers(batch)
    find_people(batch, make=True)
    rows = _rows(batch.connection, current_table(batch.connection, "contacts"), set(batch.people.values()))
    _settle_dead(batch, rows, warrant)
    changed = _change(batch, rows, values) | batch.back
    out, kept_out = _opt_out(batch, rows, warrant)
    deleted = _delete(batch, warrant)
    people = {batch.people[entry.number] for entry in batch.open()}
    told = batch.finish()
    changed = (changed | out) - batch.made - deleted
    unchanged = told.known + len(people - batch.made - changed - deleted)
    return Imported(len(batch.made), len(changed), len(deleted), unchanged, kept_out, told.refused)


def _values(batch: Batch) -> dict[int, dict[str, Any]]:
    """Line → column → value, of the lines that give any."""
    types = replicated(batch.connection, "contacts")
    found: dict[int, dict[str, Any]] = {}
    for entry in list(batch.open()):
        values, faults = imported_values(entry.values["values"], types)
        if faults:
            batch.refuse(entry, "; ".join(faults))
        elif values:
            found[entry.number] = values
    return found


def _settle_strangers(batch: Batch) -> None:
    """Lines that name somebody by an address that nobody living has: a deletion makes nobody, and who was barred is not made again."""
    keys = {entry.number: address_key(entry.values["address"]) for entry in batch.open() if "contact_id" not in entry.values}
    wanted = {key for key in keys.values() if key}
    strangers = wanted - rows_with(batch.connection, wanted).keys()
    query = select(contacts.c.email_key, contacts.c.contact_id, contacts.c.do_not_pull).where(contacts.c.merged_into.is_(None))
    dead = batch.connection.execute(query.where(contacts.c.email_key.in_(sorted(strangers))).order_by(contacts.c.contact_id)).all()
    rows = {row.email_key: row.contact_id for row in dead}
    barred = {row.email_key for row in dead if row.do_not_pull}
    for entry in list(batch.open()):
        key = keys.get(entry.number)
        if key not in strangers:
            continue
        if "deleted_date" not in entry.values:
            if key in barred:
                batch.refuse(entry, _BARRED)
        elif key in rows:
            batch.people[entry.number] = rows[key]
        else:
            batch.refuse(entry, "email: nobody has it")


def _settle_dead(batch: Batch, rows: Mapping[int, RowMapping], warrant: Warrant) -> None:
    """A row that is named by its key must be the one that the line means, and living unless the line deletes. What is deleted already is
    not deleted again, but may become so for good."""
    final: set[int] = set()
    for entry in list(batch.open()):
        row = rows[batch.people[entry.number]]
        address = address_key(entry.values.get("address"))
        if address is not None and row["email_key"] != address:
            batch.refuse(entry, f"email: contact_id {entry.values['contact_id']} has another one; an import changes no address")
        elif row["deleted_date"] is not None and "deleted_date" in entry.values:
            batch.know(entry)
            final.add(row["contact_id"])
        elif row["deleted_date"] is not None:
            batch.refuse(entry, f"contact_id: the person was deleted on {row['deleted_date']:%Y-%m-%d}")
    if warrant.do_not_pull and final:
        barred = update(contacts).where(contacts.c.contact_id.in_(final), contacts.c.do_not_pull.is_not(true()))
        batch.connection.execute(barred.values(do_not_pull=True, updated_at=batch.now))


def _change(batch: Batch, rows: Mapping[int, RowMapping], values: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """What differs is written (PULL-8); of a person whom several lines name the last one counts, column by column. → whose row changed."""
    wanted: dict[int, dict[str, Any]] = {}
    for entry in batch.open():
        wanted.setdefault(batch.people[entry.number], {}).update(values.get(entry.number, {}))
    differing = {person: {name: value for name, value in new.items() if rows[person][name] != value} for person, new in wanted.items()}
    changes = {person: new for person, new in differing.items() if new}
    write_values(batch, changes)
    return set(changes)


def _opt_out(batch: Batch, rows: Mapping[int, RowMapping], warrant: Warrant) -> tuple[set[int], int]:
    """Out is out, with an entry in the ledger; in is said to nobody who is out (CONSENT-10). → who is out since now, how many stay so."""
    said = {batch.people[entry.number]: False for entry in batch.open() if "opt_out" in entry.values}
    for entry in batch.open():
        if entry.values.get("opt_out"):
            said[batch.people[entry.number]] = True
    new = sorted(person for person, out in said.items() if out and not rows[person]["opt_out"])
    if new:
        why = f"imported as opted out: {warrant.why}"
        entries = [LedgerEntry(person, rows[person]["email_key"], batch.now, warrant.who, SOURCE, False, True, why) for person in new]
        write_entries(batch.connection, entries)
        since = {"opt_out": True, "opt_out_date": batch.now, "updated_at": batch.now}
        batch.connection.execute(update(contacts).where(contacts.c.contact_id.in_(new)).values(since))
    return set(new), sum(1 for person, out in said.items() if not out and rows[person]["opt_out"])


def _delete(batch: Batch, warrant: Warrant) -> set[int]:
    """DEL-5. → who is deleted since now."""
    dates: dict[datetime, set[int]] = {}
    doomed: set[int] = set()
    for entry in batch.open():
        person = batch.people[entry.number]
        if "deleted_date" in entry.values and person not in doomed:
            doomed.add(person)
            dates.setdefault(entry.values["deleted_date"], set()).add(person)
    for at, some in dates.items():
        soft_delete(batch.connection, "contacts", some, now=batch.now, do_not_pull=warrant.do_not_pull, deleted_at=at)
    if doomed:
        about = {"deleted": len(doomed), "do_not_pull": warrant.do_not_pull, "who": warrant.who, "why": warrant.why}
        note_deletion(batch.connection, run_id=warrant.run_id, what="people", now=batch.now, about=about)
    return doomed


def _rows(connection: Connection, table: Any, people: Collection[int]) -> dict[int, RowMapping]:
    return {row["contact_id"]: row for some in _some(sorted(people)) for row in connection.execute(_with(table, some)).mappings()}


def _with(table: Any, people: Sequence[int]) -> Any:
    columns = [table.c[name] for name in _FACTS] if table is contacts else list(table.c)
    return select(*columns).where(table.c.contact_id.in_(people))


def _some(people: Sequence[int], most: int = 5_000) -> Iterator[Sequence[int]]:
    return (people[first : first + most] for first in range(0, len(people), most))
