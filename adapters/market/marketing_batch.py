"""One batch of recorded lines on its way into Market: what is open, what is refused, what was there, and what a CRM is to be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, RowMapping, Table, func, insert, select

from adapters.market.queueing import Queued, queue
from adapters.market.schema import contacts
from sync.near_names import did_you_mean
from sync.recording import Entry, Refused, Told
from sync.recording_pushes import Action, Destination, pushes_of

_MOST_NAMES = 2_000


@dataclass
class Batch:
    """`people`: line → the row that stands for its person. `made`: new rows; `back`: rows that were deleted and live again. `opt_outs` are
    counted by those who queue them."""

    connection: Connection
    entries: Sequence[Entry]
    now: datetime
    destinations: Sequence[Destination]
    people: dict[int, int] = field(default_factory=dict)
    made: set[int] = field(default_factory=set)
    back: set[int] = field(default_factory=set)
    actions: list[Action] = field(default_factory=list)
    opt_outs: int = 0
    _refused: dict[int, str] = field(default_factory=dict)
    _known: set[int] = field(default_factory=set)
    _repeats: dict[int, int] = field(default_factory=dict)

    def open(self) -> Iterator[Entry]:
        """The lines that nothing has been said about yet."""
        settled = self._refused.keys() | self._known | self._repeats.keys()
        return (entry for entry in self.entries if entry.number not in settled)

    def refuse(self, entry: Entry, why: str) -> None:
        self._refused.setdefault(entry.number, why)

    def know(self, entry: Entry) -> None:
        """It is there already, the same."""
        self._known.add(entry.number)

    def repeat(self, entry: Entry, first: Entry) -> None:
        """It says what an earlier line of the batch says, and fares as that one does."""
        self._repeats[entry.number] = first.number

    def finish(self) -> Told:
        """Queues what the CRMs are to be told. → what became of every line."""
        queued: dict[str, int] = {"opt-out": self.opt_outs} if self.opt_outs else {}
        by_kind: dict[str, list[Queued]] = {}
        for push in pushes_of(self.actions, self.destinations):
            row = Queued(push.connector, push.kind, push.contact_id, push.subject_id, push.value)
            by_kind.setdefault(push.kind.value, []).append(row)
        for kind, rows in by_kind.items():
            count = queue(self.connection, rows, self.now)
            if count:
                queued[kind] = count
        for number, first in self._repeats.items():
            if first in self._refused:
                self._refused[number] = self._refused[first]
        refused = tuple(Refused(number, why) for number, why in sorted(self._refused.items()))
        known = len((self._known | self._repeats.keys()) - self._refused.keys())
        return Told(len(self.entries) - known - len(refused), known, len(self.made), refused, queued)


def rows_by(connection: Connection, column: Column[Any], keys: set[Any], *columns: Column[Any]) -> dict[Any, RowMapping]:
    """Key → row, of those that exist. One query."""
    if not keys:
        return {}
    query = select(*(columns or column.table.c)).where(column.in_(sorted(keys)))
    if columns:
        query = query.add_columns(column.label("wanted_key"))
        return {row["wanted_key"]: row for row in connection.execute(query).mappings()}
    return {row[column.name]: row for row in connection.execute(query).mappings()}


def references(batch: Batch, field_name: str, column: Column[Any]) -> dict[str, RowMapping]:
    """Name → row of what the open lines name in a field; a line that names what is not there is refused, with near names."""
    named = {entry.values[field_name] for entry in batch.open() if field_name in entry.values}
    found = rows_by(batch.connection, column, named)
    missing = named - found.keys()
    if missing:
        known = batch.connection.execute(select(column).order_by(column).limit(_MOST_NAMES)).scalars().all()
        for entry in batch.open():
            name = entry.values.get(field_name)
            if name in missing:
                batch.refuse(entry, f'{field_name}: "{name}" is not recorded{did_you_mean(name, known)}')
    return found


def winners(connection: Connection, people: set[int]) -> dict[int, int]:
    """contact_id → the row that stands for it: another one after a merge (MATCH-8)."""
    if not people:
        return {}
    stands = func.coalesce(contacts.c.merged_into, contacts.c.contact_id)
    return {row[0]: row[1] for row in connection.execute(select(contacts.c.contact_id, stands).where(contacts.c.contact_id.in_(people)))}


def settle_known(batch: Batch, table: Table, wanted: Mapping[int, Mapping[str, Any]]) -> None:
    """Lines whose event_id is there already, in Market or in this batch: the same again is known, other content is refused.

    `wanted`: line → column → value as the line gives it; what a line leaves open is not compared.
    """
    ids = {entry.values["event_id"] for entry in batch.open()}
    stored = rows_by(batch.connection, table.c.event_id, ids)
    given = {entry.values["contact_id"] for entry in batch.open() if "contact_id" in entry.values}
    there = {row["contact_id"] for row in stored.values() if "contact_id" in row}
    stand = winners(batch.connection, given | there) if given and stored else {}
    first: dict[str, Entry] = {}
    for entry in batch.open():
        event_id = entry.values["event_id"]
        if event_id in stored:
            row = stored[event_id]
            other = [name for name, value in wanted[entry.number].items() if row[name] != value]
            asked = entry.values.get("contact_id")
            if asked is not None and "contact_id" in row and stand.get(asked, asked) != stand.get(row["contact_id"], row["contact_id"]):
                other.append("contact_id")
            _same_or_refused(batch, entry, event_id, other, "was recorded")
        elif event_id in first:
            before = first[event_id].values
            other = [name for name in sorted(before.keys() | entry.values.keys()) if before.get(name) != entry.values.get(name)]
            if other:
                _same_or_refused(batch, entry, event_id, other, f"stands in line {first[event_id].number}")
            else:
                batch.repeat(entry, first[event_id])
        else:
            first[event_id] = entry


def _same_or_refused(batch: Batch, entry: Entry, event_id: str, other: list[str], where: str) -> None:
    if other:
        batch.refuse(entry, f'event_id "{event_id}" {where} with another {", ".join(other)}; another event needs an id of its own')
    else:
        batch.know(entry)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Adds rows at once. → event_id → the new key."""
    if not rows:
        return {}
    key = next(iter(table.primary_key.columns))
    return {row[0]: row[1] for row in connection.execute(insert(table).returning(table.c.event_id, key), list(rows))}
