"""The guarded watch and the ledger of opt-outs, as the transactions of others write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, insert, select

from adapters.market.schema import contacts
from adapters.market.schema_books import consent_ledger, guarded_watch
from sync.address import address_key
from sync.records import Rows

WATCH = "guarded watch"  # the ledger's `source` for changes of the watch
_AT_ONCE = 500
_LEFT_BEHIND = "opted out, and the address is no longer that of the person's row"


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


def write_entries(connection: Connection, entries: Sequence[LedgerEntry]) -> None:
    names = LedgerEntry.__dataclass_fields__
    connection.execute(insert(consent_ledger), [{name: getattr(entry, name) for name in names} for entry in entries])


def put_on_watch(connection: Connection, entries: Iterable[Watched], *, dry_run: bool = False) -> int:
    """One entry per address and campaign; what is there stays as it is. → how many were not there yet."""
    wanted: dict[tuple[str, str], Watched] = {}
    for entry in entries:
        key = address_key(entry.address)
        if key:
            wanted.setdefault((key, entry.campaign), replace(entry, address=key))
    there = _there(connection, sorted({address for address, _ in wanted}))
    new = [entry for key, entry in wanted.items() if key not in there]
    if new and not dry_run:
        connection.execute(insert(guarded_watch), [{name: getattr(e, name) for name in Watched.__dataclass_fields__} for e in new])
        write_entries(connection, [LedgerEntry(None, e.address, e.added_at, e.who, WATCH, False, True, e.reason) for e in new])
    return len(new)


def guard_addresses(connection: Connection, rows: Rows, who: str, now: datetime) -> int:
    """(contact_id, address) of people who are out: an address that their row does not carry now goes on the watch.

    Nobody else who has it, or gets it later, may be mailed because the person now stands under another address (CONSENT-10).
    """
    said = {(int(person), str(address)) for batch in rows.tuples() for person, address in batch}
    people = sorted({person for person, _ in said})
    carried: dict[int, str | None] = {}
    for first in range(0, len(people), _AT_ONCE):
        query = select(contacts.c.contact_id, contacts.c.email_key).where(contacts.c.contact_id.in_(people[first : first + _AT_ONCE]))
        carried |= {row.contact_id: row.email_key for row in connection.execute(query)}
    left = [Watched(address, "", now, _LEFT_BEHIND, who) for person, address in sorted(said) if carried.get(person) != address]
    return put_on_watch(connection, left)


def _there(connection: Connection, addresses: Sequence[str]) -> set[tuple[str, str]]:
    there: set[tuple[str, str]] = set()
    for first in range(0, len(addresses), _AT_ONCE):
        some = guarded_watch.c.address.in_(addresses[first : first + _AT_ONCE])
        query = select(guarded_watch.c.address, guarded_watch.c.campaign).where(some)
        there |= {(address, campaign) for address, campaign in connection.execute(query)}
    return there
