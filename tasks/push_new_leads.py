"""New leads: who is in the CRM already is found there by address before anybody is created (MATCH-10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prefect import task

from sync.outgoing import HELD_BACK
from sync.push import Outcome, Outgoing, Receipt
from sync.records import PEOPLE, Kind, RunRef
from tasks.push_needs import needs_of
from tasks.wiring import RETRY, installation, now, open_crm, settings_of

_OWNED = HELD_BACK + "the CRM has a lead or contact with this address already, which is somebody else's here or outside the sync filter"
_KINDS = tuple(kind for kind in Kind if kind in PEOPLE)


@dataclass(frozen=True, slots=True)
class Found:
    """`records`: those that the pull reads and so can match, by kind. `any`: whether the CRM knows any of the addresses. `asked_for`:
    outbox_id of the rows whose addresses were looked up; only they may be created."""

    records: tuple[tuple[Kind, tuple[str, ...]], ...] = ()
    any: bool = False
    asked_for: tuple[int, ...] = ()


@task(name="look up new leads", task_run_name="look up new leads of {run.connector} by address", **RETRY)
def look_up_new_leads(run: RunRef, step: str) -> Found:
    """Leads and contacts of the CRM that carry the address of somebody who is to be created. `step`: as in `collect`."""
    crm, outbox = open_crm(run.config, run.connector), installation(run.config).market.outbox
    most = crm.rows_per_batch(Kind.NEW_LEAD)
    rows = outbox.collect(run.connector, Kind.NEW_LEAD, now(), limit=most, needs=needs_of(run))
    addresses = tuple(_by_address(rows))
    found = crm.holders_of(_KINDS, addresses) if addresses else {}
    pulled = settings_of(run).pull.kinds()
    records = tuple((kind, found[kind]) for kind in pulled if found.get(kind))
    return Found(records, any(found.values()), tuple(row.outbox_id for row in rows))


def refuse_owned(run: RunRef, rows: Sequence[Outgoing]) -> tuple[Receipt, ...]:
    """After those whom the CRM knows were read and matched: receipts for rows that still have no record although their address has one.

    One more call, if nobody is left; a few more for each such address. What an earlier run made of a row itself is nobody else's (PUSH-3).
    """
    ours = {row.remote_id or row.push_key for row in rows}
    crm = open_crm(run.config, run.connector)
    unlinked = _by_address(rows)
    owned = taken_among(tuple(unlinked), lambda some: any(set(ids) - ours for ids in crm.holders_of(_KINDS, some).values()))
    return tuple(Receipt(row.outbox_id, row.version, Outcome.REFUSED, said=_OWNED) for address in owned for row in unlinked[address])


def taken_among(addresses: Sequence[str], is_taken: Callable[[Sequence[str]], bool]) -> tuple[str, ...]:
    """Which of these addresses are taken, where one can only ask whether any of several is: by halving."""
    if not addresses or not is_taken(addresses):
        return ()
    if len(addresses) == 1:
        return tuple(addresses)
    middle = len(addresses) // 2
    return taken_among(addresses[:middle], is_taken) + taken_among(addresses[middle:], is_taken)


def _by_address(rows: Sequence[Outgoing]) -> dict[str, list[Outgoing]]:
    """Of those who have no record in this CRM."""
    found: dict[str, list[Outgoing]] = {}
    for row in rows:
        address = str(row.values.get("address") or "").strip()
        if address and not row.targets:
            found.setdefault(address, []).append(row)
    return found
