"""One parcel into Market: one transaction with everything that belongs to it, or nothing (PULL-2)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text, tuple_, update

from adapters.market.backfilling import fill_columns
from adapters.market.books import commit_mark
from adapters.market.columns import current_table
from adapters.market.database import Database
from adapters.market.described import close_backfills
from adapters.market.holding import hold, release
from adapters.market.linking import put_links
from adapters.market.lists import put_members
from adapters.market.loading import incoming, is_lite, load, quote, run
from adapters.market.merging import merge_people, part_people
from adapters.market.policies import UpdatePolicy as UpdatePolicy
from adapters.market.policies import written_value
from adapters.market.removals import CHANGES, note_removals
from adapters.market.schema_books import consent_ledger, cursors, key_sequences, outbox, parcels
from adapters.market.schema_custom import table_of
from adapters.market.scope import leave_scope
from adapters.market.unsubscribing import last_entry, queue_elsewhere
from adapters.market.waiting import link_waiting
from adapters.market.watch import guard_addresses
from sync.records import CommitCounts, Cursor, Kind, ParcelRef, Removal, Rows
from sync.settings import LeftScope

# PostgreSQL's statistics are refreshed at once, not when autovacuum comes by: from so many rows on, or from some on in a small table.
_MANY_ROWS, _SOME_ROWS = 20_000, 500
_SMALL_TABLE = 10  # times what came
_APPENDED = {table.name: table for table in (consent_ledger, outbox)}


class Commit:
    """The verbs of one commit. Nothing is visible to others before the block ends; writers take turns.

    `already_committed`: this parcel was committed before, by a run that died afterwards; then no verb may be called.
    `mark`: what `Market.mark` said before this commit; a plan made for another mark must be made anew.
    """

    def __init__(self, connection: Connection, parcel: ParcelRef, run_id: str, now: datetime) -> None:
        self._connection = connection
        self._parcel = parcel
        self._run_id = run_id
        self._now = now
        self._tables: dict[str, Table] = {}
        self._grown: Counter[str] = Counter()
        self._new_accounts: list[tuple[int, int]] = []
        found = connection.execute(select(parcels.c.parcel_id).where(parcels.c.parcel_id == parcel.parcel_id)).first()
        self.already_committed = found is not None
        self.mark = commit_mark(connection)
        self._ledger_before = last_entry(connection)
        self.finished = False
        self.abandoned = False

    def allocate(self, table: str, n: int) -> int:
        """→ the first of `n` keys that were never given away before (users, accounts, contacts, opportunities)."""
        sequence = key_sequences.c
        statement = (
            update(key_sequences).where(sequence.table_name == table).values(next_key=sequence.next_key + n).returning(sequence.next_key)
        )
        first = int(self._open().execute(statement).scalar_one()) - n
        if table == "accounts" and n:
            self._new_accounts.append((first, first + n - 1))
        return first

    def insert(self, table: str, rows: Rows) -> int:
        """Adds rows, in bulk. → how many."""
        if rows.count == 0:
            return 0
        load(self._open(), self._table(table), rows)
        self._note(table, rows.count)
        return rows.count

    def update(self, table: str, rows: Rows, policies: Mapping[str, UpdatePolicy | str] | None = None) -> int:
        """Changes rows by key, which is the first column; a column without a policy is overwritten.

        A row that would stay as it is, `updated_at` aside, is not written (PULL-8). → how many were.
        """
        if rows.count == 0:
            return 0
        target = self._table(table)
        with incoming(self._open(), list(target.c), rows) as new:
            if table == "accounts":
                self._note_renamed(new)
            return self._connection.execute(_update_statement(target, new, policies or {})).rowcount

    def put_links(self, rows: Rows, kind: Kind | None = None) -> int:
        """Inserts or updates links by (connector, kind, crm_id); columns that the rows do not have stay.

        All rows are of one connector and kind: the parcel's, or its connector and `kind`. → how many.
        """
        if rows.count:
            put_links(self._open(), self._parcel.connector, kind or self._parcel.kind, rows, self._now)
            self._note("crm_links", rows.count)
        return rows.count

    def put_members(self, rows: Rows) -> int:
        """Changes members of marketing lists by (list_id, kind, crm_id); the rows' other columns are overwritten. → how many differed."""
        return put_members(self._open(), rows) if rows.count else 0

    def tell_other_crms(self, connectors: Collection[str]) -> int:
        """CONSENT-8: whom this commit has put out is to be put out in the CRMs of these connectors too, after the links are put. → how many
        rows wait for that."""
        return queue_elsewhere(self._open(), self._ledger_before, connectors, self._now) if connectors else 0

    def append(self, table: str, rows: Rows) -> int:
        """Adds entries to consent_ledger or outbox. → how many."""
        if rows.count:
            load(self._open(), _APPENDED[table], rows)
        return rows.count

    def hold(self, rows: Rows) -> int:
        """Puts records into quarantine: columns crm_id, rule, reason, row; those of an open entry replace it (GATE-2).

        connector, kind and parcel_id may be given, else they are the parcel's. → how many entries are new.
        """
        return hold(self._open(), self._parcel, rows, self._now) if rows.count else 0

    def release(self, connector: str, kind: Kind, crm_ids: Rows, reason: str, now: datetime) -> int:
        """Closes the open entries of records that passed now; one column, crm_id. → how many records were released."""
        return release(self._open(), connector, kind, crm_ids, reason, now) if crm_ids.count else 0

    def link_waiting_accounts(self) -> int:
        """PULL-6, PULL-7: what waited for an account, an owner or a person that is here now is linked. → how many rows."""
        return link_waiting(self._open(), self._new_accounts, self._now)

    def merge_people(self, rows: Rows, *, who: str = "sync") -> int:
        """MATCH-7, MATCH-8: (loser_id, winner_id): links, activity and opt-out of the loser move to the winner. → how many."""
        return merge_people(self._open(), rows, who, self._now) if rows.count else 0

    def part_people(self, rows: Rows) -> int:
        """DEL-2, MATCH-8: (crm_id, contact_id) of records that were merged away and live again, before their links are put. → how many."""
        return part_people(self._open(), self._parcel.connector, self._parcel.kind, rows, self._now) if rows.count else 0

    def note_removals(self, removed: Iterable[Removal]) -> int:
        """DEL-1: records of the parcel's kind that the CRM no longer has; they wait until removals are applied. → how many are new."""
        parcel = self._parcel
        return note_removals(self._open(), parcel.connector, parcel.kind, removed, found_by=CHANGES, run_id=self._run_id, now=self._now)

    def leave_scope(self, crm_ids: Iterable[str], behaviour: LeftScope) -> int:
        """FILT-2: records that no longer meet the filter. → how many are so since now."""
        parcel = self._parcel
        return leave_scope(self._open(), parcel.connector, parcel.kind, crm_ids, behaviour, run_id=self._run_id, now=self._now)

    def guard_addresses(self, rows: Rows, *, who: str = "sync") -> int:
        """CONSENT-10: (contact_id, address) of people who are out, after the rows are written: an address that a row no longer carries
        goes on the guarded watch. → how many are new there."""
        return guard_addresses(self._open(), rows, who, self._now) if rows.count else 0

    def fill(self, rows: Rows, policies: Mapping[str, UpdatePolicy | str], began: datetime) -> int:
        """PULL-4: new columns of known records: crm_id, crm_modified_at, their values. `began`: the reading of them. → how many rows."""
        if rows.count == 0:
            return 0
        table = self._table(self._parcel.kind.table)
        return fill_columns(self._open(), table, self._parcel.connector, self._parcel.kind, rows, policies, began, self._now)

    def close_backfills(self, fields: Iterable[str], began: datetime, rows: int) -> None:
        """The fields of this parcel are filled in, unless they were asked for anew since the read `began`."""
        close_backfills(self._open(), self._parcel.connector, self._parcel.kind, tuple(fields), began, rows, self._now)

    def move_cursor(self, cursor: Cursor) -> None:
        """PULL-2: the only place where a cursor moves."""
        which = (cursors.c.connector == cursor.connector) & (cursors.c.kind == cursor.kind.value)
        values = {"at": cursor.at, "updated_at": self._now}
        if self._open().execute(update(cursors).where(which).values(**values)).rowcount == 0:
            self._connection.execute(insert(cursors).values(connector=cursor.connector, kind=cursor.kind.value, **values))

    def finish(self, counts: CommitCounts) -> None:
        """Writes the parcel's own row: the last verb, without which nothing is kept."""
        self._open().execute(
            insert(parcels).values(
                parcel_id=self._parcel.parcel_id,
                connector=self._parcel.connector,
                kind=self._parcel.kind.value,
                run_id=self._run_id,
                committed_at=self._now,
                counts=json.dumps(asdict(counts)),
            )
        )
        if not is_lite(self._connection):
            for table, count in sorted(self._grown.items()):
                if count >= _MANY_ROWS or (count >= _SOME_ROWS and self._counted_in(table) < count * _SMALL_TABLE):
                    run(self._connection, f"ANALYZE {quote(table)} ({', '.join(map(quote, _searched(table)))})")
        self.finished = True

    def abandon(self) -> None:
        """Ends the block without writing anything; no verb may be called before or after."""
        self.abandoned = True

    def _open(self) -> Connection:
        if self.already_committed or self.finished or self.abandoned:
            raise RuntimeError(f"parcel {self._parcel.parcel_id} is committed; nothing may be added to it")
        return self._connection

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = current_table(self._connection, name)
        return self._tables[name]

    def _note(self, table: str, count: int) -> None:
        self._grown[table] += count

    def _counted_in(self, table: str) -> float:
        """PostgreSQL's own count of the rows when it last looked; negative: it never did, and would search ten thousand rows one by one."""
        counted = text("SELECT reltuples FROM pg_class WHERE oid = CAST(:table AS regclass)")
        return float(self._connection.execute(counted, {"table": table}).scalar_one())

    def _note_renamed(self, new: Table) -> None:
        """Accounts whose name changes may be what a lead waits for."""
        if "account_name" not in new.c:
            return
        target = self._table("accounts")
        renamed = target.c.account_name.is_distinct_from(new.c.account_name)
        query = select(target.c.account_id).join(new, new.c.account_id == target.c.account_id).where(renamed)
        self._new_accounts += [(key, key) for key in self._connection.execute(query).scalars()]


def _searched(table: str) -> list[str]:
    """The columns that queries search by; statistics of all the others would cost a second per commit."""
    indexed = {column.name for index in table_of(table).indexes for column in index.columns}
    return sorted(indexed | set(table_of(table).primary_key.columns.keys()))


@contextmanager
def committing(database: Database, parcel: ParcelRef, run_id: str, now: datetime) -> Iterator[Commit]:
    with database.writing(bulk=True) as connection:
        commit = Commit(connection, parcel, run_id, now)
        yield commit
        if not (commit.already_committed or commit.finished or commit.abandoned):
            raise RuntimeError(f"the commit of parcel {parcel.parcel_id} was not finished; nothing was kept")


def _update_statement(target: Table, new: Table, policies: Mapping[str, UpdatePolicy | str]) -> Any:
    key, *names = new.c.keys()
    values = {name: written_value(target.c[name], new.c[name], UpdatePolicy(policies.get(name, "overwrite"))) for name in names}
    compared = [name for name in names if name != "updated_at"]
    # As rows, not as a chain of ORs: SQLite refuses chains of a thousand.
    differs = tuple_(*(target.c[name] for name in compared)).is_distinct_from(tuple_(*(values[name] for name in compared)))
    return update(target).where(target.c[key] == new.c[key]).where(differs).values(values)
