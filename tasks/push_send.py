"""Batch → CRM. What the CRM answered is kept in the parcel before anything else happens (PUSH-3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from prefect import task

from adapters.staging import Parcel, outgoing
from sync.errors import Transient
from sync.push import Outgoing
from sync.records import Finding, Kind, RunRef
from tasks.progress import Step, tell
from tasks.push import CUT_SHORT, SENT_AT, Batch, opened
from tasks.report import note_findings
from tasks.wiring import RETRY, installation, now, open_crm

_BEGAN = "sending_began"


@task(name="send", task_run_name="send {batch.words} of {run.connector}", **RETRY)
def send(run: RunRef, batch: Batch) -> None:
    """Hands the batch to the CRM, but for what the gate held and what has its receipt already (FLOW-3).

    Before the first byte goes out, the rows are `sending` in Market. A CRM that is too busy ends the step and not the run: what it did not
    take is postponed. Whatever else it raises leaves the rows `sending`: nobody knows what became of them, and the next run looks.
    """
    home = installation(run.config)
    with opened(home, batch.ref) as parcel:
        if parcel is None:
            return
        rows = outgoing.outgoing(parcel)
        if parcel.told(_BEGAN):
            rows = tuple(replace(row, repeated=True) for row in rows)
        marked = home.market.outbox.mark_sending(outgoing.outbox_ids(parcel), now())
        rows = tuple(row for row in rows if row.outbox_id in marked)
        parcel.tell(_BEGAN, now().isoformat())
        try:
            for kind, group in _groups(batch.ref.kind, rows):
                _send_group(run, parcel, kind, group)
        except Transient as trouble:
            parcel.tell(CUT_SHORT, trouble.what)
            note_findings(run, [Finding(batch.ref.kind, "push postponed", f"{batch.ref.kind.plural} wait: {trouble.what}", len(rows))])


def _send_group(run: RunRef, parcel: Parcel, kind: Kind, group: Sequence[Outgoing]) -> None:
    crm, told = open_crm(run.config, run.connector), parcel.ref.kind.value
    tell(Step(run.run_id, told, "send", 0, len(group)))
    receipts = crm.send(kind, group)
    tell(Step(run.run_id, told, "send", len(group), len(group)))
    outgoing.keep_receipts(parcel, receipts)
    parcel.tell(SENT_AT, crm.now().isoformat())
    tell(Step(run.run_id, told, "send", len(group), len(group), ended=True))


def _groups(kind: Kind, rows: Sequence[Outgoing]) -> Iterator[tuple[Kind, tuple[Outgoing, ...]]]:
    """A new lead whom the CRM turned out to know is a record update there (MATCH-10)."""
    known = tuple(replace(row, kind=Kind.UPDATE) for row in rows if kind is Kind.NEW_LEAD and row.targets)
    if known:
        yield Kind.UPDATE, known
    new = tuple(row for row in rows if not (kind is Kind.NEW_LEAD and row.targets))
    if new:
        yield kind, new
