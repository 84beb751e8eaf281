"""Rows on their way to a CRM and back: marked before the first byte goes out, settled by what the CRM said (PUSH-2, PUSH-4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, insert, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from adapters.market.consent_facts import PEOPLES_KINDS
from adapters.market.loading import is_lite
from adapters.market.outbox_ready import ASKED, PERSON, STANDS, unblock
from adapters.market.outbox_values import in_batches
from adapters.market.schema_books import crm_links, outbox
from adapters.market.unsubscribing import OPT_OUT_VALUE, acknowledge
from sync.push import Outcome, Receipt, Standing, State, settled
from sync.records import Kind

_SENDABLE = (State.PENDING.value, State.REFUSED.value, State.SENDING.value)
_READ = [outbox.c[name] for name in ("outbox_id", "version", "state", "attempts", "next_try_at", "remote_id", "refusal")]
_WRITTEN = ("state", "attempts", "next_try_at", "remote_id", "refusal")
_JUST_BEFORE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a batch, in rows. `changed_meanwhile`: the CRM's answer was about an older value, the newer one waits."""

    accepted: int = 0
    refused: int = 0
    parked: int = 0
    postponed: int = 0
    changed_meanwhile: int = 0


def mark_sending(connection: Connection, outbox_ids: Collection[int], at: datetime) -> frozenset[int]:
    """See `Outbox.mark_sending`. A row that is `sending` already is in doubt, and says so by its `next_try_at`, which it does not need."""
    is_sending, marked = outbox.c.state == State.SENDING.value, set[int]()
    doubt = case((is_sending, outbox.c.tried_at), else_=null())
    for some in in_batches(outbox_ids):
        rows = update(outbox).where(outbox.c.outbox_id.in_(some), outbox.c.state.in_(_SENDABLE))
        marking = rows.values(state=State.SENDING.value, tried_at=at, next_try_at=doubt).returning(outbox.c.outbox_id)
        marked |= set(connection.execute(marking).scalars())
    return frozenset(marked)


def settle(
    connection: Connection,
    receipts: Sequence[Receipt],
    *,
    at: datetime,
    crm_now: datetime,
    most_attempts: int,
) -> Settled:
    """See `Outbox.settle`. A receipt of a row that is gone (merged, purged) changes nothing."""
    before = _standings(connection, [receipt.outbox_id for receipt in receipts])
    known = [receipt for receipt in receipts if receipt.outbox_id in before]
    after = {receipt.outbox_id: settled(before[receipt.outbox_id], receipt, at, most_attempts) for receipt in known}
    taken = [row for row, standing in after.items() if standing.state is State.ACKNOWLEDGED]
    acknowledge(connection, taken, crm_now)
    changed = {row: standing for row, standing in after.items() if standing != before[row]}
    _write(connection, changed, at)
    return _counted(known, before, after)


def _standings(connection: Connection, outbox_ids: Sequence[int]) -> dict[int, Standing]:
    found: dict[int, Standing] = {}
    for some in in_batches(outbox_ids):
        for row in connection.execute(select(*_READ).where(outbox.c.outbox_id.in_(some))):
            texts = row.remote_id or "", row.refusal or ""
            found[row.outbox_id] = Standing(row.version, State(row.state), row.attempts, row.next_try_at, *texts)
    return found


def _write(connection: Connection, changed: dict[int, Standing], at: datetime) -> None:
    """Opt-outs were acknowledged on the CRM's clock (CONSENT-5): that stamp stays."""
    if not changed:
        return
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _WRITTEN}
    statement = update(outbox).where(outbox.c.outbox_id == bindparam("row")).values(values)
    connection.execute(statement, [_parameters(row, standing) for row, standing in changed.items()])
    taken = [row for row, standing in changed.items() if standing.state is State.ACKNOWLEDGED]
    for some in in_batches(taken):
        others = update(outbox).where(outbox.c.outbox_id.in_(some), outbox.c.kind != Kind.OPT_OUT.value)
        connection.execute(others.values(acknowledged_at=at))


def _parameters(row: int, standing: Standing) -> dict[str, Any]:
    return {
        "row": row,
        "new_state": standing.state.value,
        "new_attempts": standing.attempts,
        "new_next_try_at": standing.next_try_at,
        "new_remote_id": standing.remote_id or None,
        "new_refusal": standing.refusal or None,
    }


def _counted(receipts: Sequence[Receipt], before: dict[int, Standing], after: dict[int, Standing]) -> Settled:
    accepted = refused = parked = postponed = changed = 0
    for receipt in receipts:
        if receipt.outcome is Outcome.POSTPONED:
            postponed += 1
        elif receipt.version != before[receipt.outbox_id].version:
            changed += 1
        elif receipt.outcome is Outcome.ACCEPTED:
            accepted += 1
        elif after[receipt.outbox_id].state is State.PARKED:
            parked += 1
        else:
            refused += 1
    return Settled(accepted, refused, parked, postponed, changed)


def link_created(connection: Connection, connector: str, create_as: Kind, receipts: Sequence[Receipt], now: datetime) -> int:
    """The records that new leads became are linked to their people, unless a pull was faster. → how many links are new.

    Somebody who is out is queued for the new record, unless they surely were when it was queued: an attempt before this one may have made
    the record when it said in, and an opt-out may be recorded with an instant of long ago.
    """
    made = {receipt.outbox_id: receipt.remote_id for receipt in receipts if receipt.outcome is Outcome.ACCEPTED and receipt.remote_id}
    rows = [row for some in in_batches(made) for row in connection.execute(_creators(some))]
    links = [_link(connector, create_as, row, made[row.outbox_id], now) for row in rows]
    there = _linked(connection, connector, [link["crm_id"] for link in links])
    new = [link for link in links if link["crm_id"] not in there]
    if new:
        insert_link = (sqlite.insert if is_lite(connection) else postgresql.insert)(crm_links)
        connection.execute(insert_link.on_conflict_do_nothing(), new)
        late = [link for link in new if link["crm_opt_out"] is None]
        if late:
            connection.execute(insert(outbox), [_opt_out(link, now) for link in late])
        people = select(crm_links.c.market_id).where(
            crm_links.c.connector == connector,
            crm_links.c.kind == create_as.value,
            crm_links.c.crm_id.in_([link["crm_id"] for link in new]),
        )
        unblock(connection, connector, people)
    return len(new)


def _creators(outbox_ids: Sequence[int]) -> Any:
    return (
        select(outbox.c.outbox_id, outbox.c.created_at, PERSON.c.contact_id, PERSON.c.opt_out, PERSON.c.updated_at)
        .join_from(outbox, ASKED, ASKED.c.contact_id == outbox.c.contact_id)
        .join(PERSON, STANDS)
        .where(outbox.c.outbox_id.in_(outbox_ids))
    )


def _link(connector: str, create_as: Kind, row: Row[Any], crm_id: str, now: datetime) -> dict[str, Any]:
    """`crm_opt_out` as it was written; None where nobody can say. Every change of an opt-out moves `updated_at`, by our clock."""
    long_out = row.opt_out and row.updated_at is not None and row.updated_at < row.created_at - _JUST_BEFORE
    return {
        "connector": connector,
        "kind": create_as.value,
        "crm_id": crm_id,
        "market_id": row.contact_id,
        "living": True,
        "origin": False,
        "left_scope": False,
        "crm_opt_out": bool(row.opt_out) if long_out or not row.opt_out else None,
        "first_seen_at": now,
        "written_at": now,
    }


def _linked(connection: Connection, connector: str, crm_ids: Sequence[str]) -> set[str]:
    link = crm_links.c
    query = select(link.crm_id).where(link.connector == connector, link.kind.in_(PEOPLES_KINDS), link.crm_id.in_(crm_ids))
    return set(connection.execute(query).scalars())


def _opt_out(link: dict[str, Any], now: datetime) -> dict[str, Any]:
    record = {"connector": link["connector"], "contact_id": link["market_id"], "crm_kind": link["kind"], "crm_id": link["crm_id"]}
    return {**record, "kind": Kind.OPT_OUT.value, "value": OPT_OUT_VALUE, "created_at": now}
