"""Who may be mailed: the ledger of opt-outs, and the guarded watch (CONSENT-7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, insert, select

from adapters.market.database import Database, name_key
from adapters.market.schema import contacts
from adapters.market.schema_books import consent_ledger, guarded_watch
from sync.errors import ConfigError

WATCH = "guarded watch"  # the ledger's `source` for changes of the watch


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One change of an opt-out: who, when (UTC), source, old, new, why. `email_key` is trimmed and in lower case."""

    contact_id: int | None
    email_key: str | None
    at: datetime
    who: str
    source: str
    old: bool | None
    new: bool
    why: str


@dataclass(frozen=True, slots=True)
class Watched:
    """One address that may not be mailed; `campaign` is empty when none was the cause."""

    address: str
    campaign: str
    added_at: datetime
    reason: str
    who: str


class Consent:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Appends to the ledger. Entries that belong to a commit go through `Commit.append` instead."""
        if entries:
            with self._database.writing() as connection:
                write_entries(connection, entries)

    def ledger(self, *, contact_id: int | None = None, address: str | None = None) -> tuple[LedgerEntry, ...]:
        """The entries of one person or one address, the oldest first."""
        query = select(*(consent_ledger.c[name] for name in LedgerEntry.__dataclass_fields__)).order_by(consent_ledger.c.entry_id)
        if contact_id is not None:
            query = query.where(consent_ledger.c.contact_id == contact_id)
        if address is not None:
            query = query.where(consent_ledger.c.email_key == name_key(address))
        with self._database.reading() as connection:
            return tuple(LedgerEntry(*row) for row in connection.execute(query))

    def watched(self, address: str | None = None) -> tuple[Watched, ...]:
        """The guarded watch, or what it says of one address."""
        query = select(*(guarded_watch.c[name] for name in Watched.__dataclass_fields__)).order_by(guarded_watch.c.address)
        if address is not None:
            query = query.where(guarded_watch.c.address == name_key(address))
        with self._database.reading() as connection:
            return tuple(Watched(*row) for row in connection.execute(query))

    def watch(self, entries: Sequence[Watched]) -> int:
        """Puts addresses on the watch, each with an entry in the ledger; one that is there stays as it is. → how many are new."""
        with self._database.writing() as connection:
            return put_on_watch(connection, entries)

    def unwatch(self, address: str, *, who: str, why: str, now: datetime) -> int:
        """An operator's act with a reason, in the ledger. → how many entries of the address went. Raises ConfigError without a reason."""
        if not why.strip() or not who.strip():
            raise ConfigError("an address leaves the guarded watch only by somebody and for a reason", where=WATCH, todo="name both")
        key = name_key(address) or ""
        with self._database.writing() as connection:
            gone = connection.execute(delete(guarded_watch).where(guarded_watch.c.address == key)).rowcount
            if gone:
                write_entries(connection, [LedgerEntry(None, key, now, who, WATCH, True, False, why)])
        return gone

    def may_be_mailed(self, address: str) -> bool:
        """CONSENT-7: no while the address is on the watch, and no while a person with it has opted out, deleted or not (CONSENT-10).

        Nobody living is known under the address: no, because nobody agreed.
        """
        key = name_key(address) or ""
        one = contacts.c.email_key == key
        living = func.sum(case((contacts.c.deleted_date.is_(None), 1), else_=0))
        out = func.sum(case((contacts.c.opt_out, 1), else_=0))
        people = select(living, out).where(one, contacts.c.merged_into.is_(None))
        with self._database.reading() as connection:
            if connection.execute(select(guarded_watch.c.address).where(guarded_watch.c.address == key)).first() is not None:
                return False
            known, refused = connection.execute(people).one()
        return bool(known) and not refused


def write_entries(connection: Connection, entries: Sequence[LedgerEntry]) -> None:
    names = LedgerEntry.__dataclass_fields__
    connection.execute(insert(consent_ledger), [{name: getattr(entry, name) for name in names} for entry in entries])


def put_on_watch(connection: Connection, entries: Sequence[Watched]) -> int:
    """→ how many were not there yet."""
    new = {}
    for entry in entries:
        key = (name_key(entry.address) or "", entry.campaign)
        there = select(guarded_watch.c.address).where(guarded_watch.c.address == key[0], guarded_watch.c.campaign == key[1])
        if key[0] and key not in new and connection.execute(there).first() is None:
            new[key] = entry
    rows = [
        {"address": address, "campaign": campaign, "added_at": entry.added_at, "reason": entry.reason, "who": entry.who}
        for (address, campaign), entry in new.items()
    ]
    if rows:
        connection.execute(insert(guarded_watch), rows)
        write_entries(
            connection,
            [LedgerEntry(None, address, e.added_at, e.who, WATCH, False, True, e.reason) for (address, _), e in new.items()],
        )
    return len(rows)
