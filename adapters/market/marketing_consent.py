"""Unsubscribes and re-subscribes that a marketing application records, many at once (CONSENT-8, CONSENT-10)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, delete, false, func, null, or_, select, true, update

from adapters.market.consent_facts import OPT_OUT
from adapters.market.marketing_batch import Batch
from adapters.market.schema import contacts
from adapters.market.schema_books import consent_ledger, outbox
from adapters.market.types import BIGINT, INSTANT
from adapters.market.unsubscribing import SOURCE, queue_opt_outs
from adapters.market.watch import LedgerEntry, Watched, put_on_watch, write_entries
from sync.address import address_key
from sync.push import State
from sync.records import Kind

WHO = "marketing application"


def record_unsubscribes(batch: Batch) -> None:
    """The person is out at once, the address is guarded, every CRM whose option is on is told (CONSENT-8).

    An address means everybody who has it; one that nobody has is guarded all the same. Known: the ledger has it of the same instant.
    """
    found = _people(batch)
    said = _said(batch, found, new=True)
    entries: list[LedgerEntry] = []
    watched: list[Watched] = []
    outs: dict[int, datetime] = {}
    for entry in sorted(batch.open(), key=lambda each: (each.values["at"], each.number)):
        at, who, why = entry.values["at"], entry.values.get("who", WHO), entry.values["why"]
        keys = {row["email_key"] for row in found[entry.number]}
        keys |= {address_key(entry.values["address"])} if "contact_id" not in entry.values else set()
        fresh = [row for row in found[entry.number] if (row["contact_id"], at) not in said]
        guarded = [Watched(key, entry.values.get("campaign", ""), at, why, who) for key in sorted(filter(None, keys))]
        if not fresh and (found[entry.number] or not _new_on_watch(batch, guarded, watched)):
            batch.know(entry)
            continue
        for row in fresh:
            said.add((row["contact_id"], at))
            entries.append(
                LedgerEntry(row["contact_id"], row["email_key"], at, who, SOURCE, row["opt_out"] or row["contact_id"] in outs, True, why)
            )
            outs.setdefault(row["contact_id"], at)
        watched += guarded
    if entries:
        write_entries(batch.connection, entries)
    _put_out(batch, outs)
    put_on_watch(batch.connection, watched)
    push = [to.connector for to in batch.destinations if Kind.OPT_OUT in to.kinds]
    batch.opt_outs = queue_opt_outs(batch.connection, sorted(outs), push, batch.now)


def _new_on_watch(batch: Batch, guarded: list[Watched], before: list[Watched]) -> bool:
    there = {(each.address, each.campaign) for each in before}
    return any((each.address, each.campaign) not in there for each in guarded) and put_on_watch(batch.connection, guarded, dry_run=True) > 0


def _put_out(batch: Batch, outs: dict[int, datetime]) -> None:
    if outs:
        since = func.coalesce(contacts.c.opt_out_date, bindparam("since", type_=INSTANT))
        values = {"opt_out": true(), "opt_out_date": since, "updated_at": bindparam("now", type_=INSTANT)}
        which = contacts.c.contact_id == bindparam("person", type_=BIGINT)
        rows = [{"person": person, "since": at, "now": batch.now} for person, at in outs.items()]
        batch.connection.execute(update(contacts).where(which).values(values), rows)


def record_resubscribes(batch: Batch) -> None:
    """An explicit re-subscribe that is newer than every word against it; the guarded watch stays until an operator releases it.

    No CRM is told. An opt-out of ours that no CRM has seen yet does not go out any more.
    """
    found = _people(batch)
    said = _said(batch, found, new=False)
    last = _last_outs(batch, {row["contact_id"] for rows in found.values() for row in rows})
    entries, people = [], set()
    for entry in list(batch.open()):
        at, rows = entry.values["at"], found[entry.number]
        if not rows:
            batch.refuse(entry, "address: nobody has it")
            continue
        out = [row for row in rows if row["opt_out"] and row["contact_id"] not in people]
        if not out or all((row["contact_id"], at) in said for row in rows):
            batch.know(entry)
            continue
        newest = max((last[row["contact_id"]] for row in out if row["contact_id"] in last), default=None)
        newest = max(filter(None, [newest, *(row["opt_out_date"] for row in out)]), default=None)
        if newest is not None and newest >= at:
            batch.refuse(entry, f"at: they opted out at {newest.isoformat()}; only a newer re-subscribe counts (CONSENT-10)")
            continue
        who, why = entry.values.get("who", WHO), entry.values["why"]
        entries += [LedgerEntry(row["contact_id"], row["email_key"], at, who, SOURCE, True, False, why) for row in out]
        people |= {row["contact_id"] for row in out}
    if entries:
        write_entries(batch.connection, entries)
        batch.connection.execute(
            update(contacts).where(contacts.c.contact_id.in_(people)).values(opt_out=false(), opt_out_date=null(), updated_at=batch.now)
        )
        unseen = outbox.c.kind == OPT_OUT, outbox.c.state == State.PENDING.value, outbox.c.tried_at.is_(None)
        batch.connection.execute(delete(outbox).where(*unseen, outbox.c.contact_id.in_(people)))


def _people(batch: Batch) -> dict[int, list[RowMapping]]:
    """Line → the rows that stand for whom it names; an address names everybody who has it, as `unsubscribing` takes it."""
    ids = {entry.values["contact_id"] for entry in batch.open() if "contact_id" in entry.values}
    keys = {entry.number: address_key(entry.values["address"]) for entry in batch.open() if "contact_id" not in entry.values}
    asked, person = contacts.alias("asked"), contacts.alias("person")
    stands = person.c.contact_id == func.coalesce(asked.c.merged_into, asked.c.contact_id)
    columns = [person.c.contact_id, person.c.email_key, person.c.opt_out, person.c.opt_out_date]
    query = select(asked.c.contact_id.label("asked_id"), asked.c.email_key.label("asked_key"), *columns).join_from(asked, person, stands)
    wanted = or_(asked.c.contact_id.in_(sorted(ids)), asked.c.email_key.in_(sorted(filter(None, keys.values()))))
    by_id: dict[int, dict[int, RowMapping]] = {}
    by_key: dict[str, dict[int, RowMapping]] = {}
    for row in batch.connection.execute(query.where(wanted).order_by(person.c.contact_id)).mappings():
        by_id.setdefault(row["asked_id"], {})[row["contact_id"]] = row
        by_key.setdefault(row["asked_key"], {})[row["contact_id"]] = row
    found: dict[int, list[RowMapping]] = {}
    for entry in list(batch.open()):
        named = entry.values.get("contact_id")
        rows = by_key.get(keys[entry.number] or "", {}) if named is None else by_id.get(named, {})
        if named is not None and not rows:
            batch.refuse(entry, f"contact_id: there is no person {named}")
        found[entry.number] = list(rows.values())
    return found


def _said(batch: Batch, found: dict[int, list[RowMapping]], *, new: bool) -> set[tuple[int | None, Any]]:
    """(contact_id, instant) of what the ledger has already."""
    people = {row["contact_id"] for rows in found.values() for row in rows}
    theirs = consent_ledger.c.contact_id.in_(sorted(people)), consent_ledger.c.new.is_(new), consent_ledger.c.source == SOURCE
    return {(row[0], row[1]) for row in batch.connection.execute(select(consent_ledger.c.contact_id, consent_ledger.c.at).where(*theirs))}


def _last_outs(batch: Batch, people: set[int]) -> dict[int, Any]:
    """contact_id → when they, or somebody who was merged into them, last opted out, from wherever."""
    stands = func.coalesce(contacts.c.merged_into, contacts.c.contact_id)
    query = select(stands, func.max(consent_ledger.c.at)).join_from(
        consent_ledger, contacts, contacts.c.contact_id == consent_ledger.c.contact_id
    )
    theirs = or_(contacts.c.contact_id.in_(sorted(people)), contacts.c.merged_into.in_(sorted(people)))
    query = query.where(theirs, consent_ledger.c.new).group_by(stands)
    return {row[0]: row[1] for row in batch.connection.execute(query)}
