"""The push road's ends: outbox → parcel, and receipts → outbox (PUSH-2).

What a run that dies leaves, and what the next one makes of it:

| it died                             | the outbox says   | the next run                                                                |
|-------------------------------------|-------------------|-----------------------------------------------------------------------------|
| after staging, before sending began | as before         | throws the parcel away and collects the rows again                          |
| while sending                       | sending           | collects them as `repeated`: they are looked up before they are sent again  |
| after receipts were kept            | sending           | settles those receipts first; rows without one are looked up                |
| after settling                      | what became of it | settles once more: at worst a refusal counts twice                          |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from prefect import task

from adapters.market.outbox import Settled
from adapters.staging import Parcel, outgoing
from adapters.staging.outgoing_written import written
from sync.happened import of_pushes
from sync.push import rows_affordable
from sync.records import CommitCounts, Finding, Kind, ParcelRef, RunRef
from tasks.commit import COMMITTED
from tasks.happened import note_happened
from tasks.progress import Step, tell
from tasks.push_needs import needs_of
from tasks.push_new_leads import Found, refuse_owned
from tasks.report import PUSH_PARKED, PUSH_REFUSED, keep_counts, note_findings
from tasks.rerun import note_finished
from tasks.wiring import RETRY, Installation, installation, now, open_crm, settings_of

SENT_AT, CUT_SHORT = "sent_at", "cut_short"


@dataclass(frozen=True, slots=True)
class Batch:
    """Outgoing rows of one kind in their parcel. `full`: more may wait behind it. `words`: how many of what."""

    ref: ParcelRef
    rows: int
    full: bool = False

    @property
    def words(self) -> str:
        return self.ref.kind.counted(self.rows)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a batch. `written`: the people's records that were written, by kind; they are read back (PUSH-6).

    `cut_short`: the CRM had no time for all of it; there is no use in going on now.
    """

    written: tuple[tuple[Kind, tuple[str, ...]], ...] = ()
    cut_short: bool = False


@task(name="collect", task_run_name="collect {kind.plural} of {run.connector}", **RETRY)
def collect(run: RunRef, kind: Kind, step: str, found: Found | None = None) -> Batch | None:
    """Stages what is ready, at most a batch of it and what the CRM's allowance has room for; None: nothing.

    `step` tells this batch from the run's others. `found`: of new leads, what the CRM knows (MATCH-10); who was queued since waits.
    """
    home = installation(run.config)
    _settle_left_over(home, run, kind)
    most = open_crm(run.config, run.connector).rows_per_batch(kind)
    rows = home.market.outbox.collect(run.connector, kind, now(), limit=most, needs=needs_of(run))
    if found is not None:
        rows = tuple(row for row in rows if row.targets or row.outbox_id in found.asked_for)
    rows = rows[: _affordable(run, kind, len(rows))]
    if not rows:
        return None
    ref = outgoing.stage(home.parcels, run.connector, kind, _purpose(run), rows)
    if found is not None and found.any:
        with home.parcels.open(ref) as parcel:
            outgoing.keep_receipts(parcel, refuse_owned(run, rows))
    tell(Step(run.run_id, kind.value, "collect", len(rows), len(rows), ended=True))
    return Batch(ref, len(rows), full=len(rows) == most)


@task(name="settle", task_run_name="settle {batch.words} of {run.connector}", **RETRY)
def settle(run: RunRef, batch: Batch) -> Pushed:
    """What the CRM, or the gate in its stead, said of each row goes into the outbox."""
    home, ref = installation(run.config), batch.ref
    with opened(home, ref) as parcel:
        if parcel is None:
            return Pushed()
        tell(Step(run.run_id, ref.kind.value, "settle", 0, batch.rows))
        settled = _settle_parcel(home, run, parcel)
        pushed = Pushed(_written(run, parcel), parcel.told(CUT_SHORT) is not None or settled.postponed > 0)
        tell(Step(run.run_id, ref.kind.value, "settle", batch.rows, batch.rows, ended=True))
    keep_counts(run, ref, CommitCounts(read=batch.rows, updated=settled.accepted, held=settled.refused + settled.parked))
    note_finished(run, ref)
    home.parcels.keep_aside(ref, COMMITTED)
    return pushed


@contextmanager
def opened(home: Installation, ref: ParcelRef) -> Iterator[Parcel | None]:
    """None: another run has taken the batch over since (a rerun comes late)."""
    if not home.parcels.is_open(ref):
        yield None
        return
    with home.parcels.open(ref) as parcel:
        yield parcel if parcel.told("parcel_id") == ref.parcel_id else None


def _settle_left_over(home: Installation, run: RunRef, kind: Kind) -> None:
    """What a run that died knew of the CRM's answers is not forgotten; the rest of its batch is collected afresh."""
    ref = home.parcels.find(run.connector, kind, _purpose(run))
    if ref is None:
        return
    with home.parcels.open(ref) as parcel:
        answered = parcel.told(SENT_AT) is not None
        if answered:
            _settle_parcel(home, run, parcel)
    if answered:
        home.parcels.keep_aside(ref, COMMITTED)
    else:
        home.parcels.discard(ref)


def _settle_parcel(home: Installation, run: RunRef, parcel: Parcel) -> Settled:
    """The CRM's clock is that of the moment when it had answered, however late its answers are settled (CONSENT-5)."""
    kind, sent_at, connector = parcel.ref.kind, parcel.told(SENT_AT), settings_of(run)
    receipts = (*outgoing.receipts(parcel), *outgoing.refused_by_gate(parcel))
    settled = home.market.outbox.settle(
        run.connector,
        kind,
        receipts,
        at=now(),
        crm_now=datetime.fromisoformat(sent_at) if sent_at else open_crm(run.config, run.connector).now(),
        most_attempts=connector.push_limits.most_attempts,
        create_as=connector.create_as,
    )
    note_happened(run, parcel.ref.parcel_id, of_pushes(kind, settled.accepted, settled.refused, settled.parked))
    note_findings(run, _findings(kind, settled))
    return settled


def _written(run: RunRef, parcel: Parcel) -> tuple[tuple[Kind, tuple[str, ...]], ...]:
    connector = settings_of(run)
    pulled = connector.pull.kinds()
    return tuple((kind, ids) for kind, ids in written(parcel, connector.create_as) if kind in pulled)


def _findings(kind: Kind, settled: Settled) -> Iterator[Finding]:
    if settled.refused:
        message = f"{_were(kind, settled.refused)} refused, and will be tried again; the outbox says why"
        yield Finding(kind, PUSH_REFUSED, message, settled.refused)
    if settled.parked:
        message = f"{_were(kind, settled.parked)} refused too often, or for good, and parked until you say so; the outbox says why"
        yield Finding(kind, PUSH_PARKED, message, settled.parked)
    if settled.postponed:
        message = f"{_were(kind, settled.postponed)} postponed: the CRM was too busy, or its allowance of calls is used up"
        yield Finding(kind, "push postponed", message, settled.postponed)


def _were(kind: Kind, count: int) -> str:
    return f"{kind.counted(count)} {'was' if count == 1 else 'were'}"


def _affordable(run: RunRef, kind: Kind, waiting: int) -> int:
    """How many rows may go out now: the reserve of calls is for opt-outs (CONSENT-9). Nobody is asked when nothing waits."""
    if not waiting:
        return 0
    crm = open_crm(run.config, run.connector)
    share = settings_of(run).push_limits.opt_out_reserve_share
    most = rows_affordable(kind, crm.quota(), share, crm.rows_per_call(kind))
    if most is None or most >= waiting:
        return waiting
    message = f"{kind.plural} wait: what is left of the CRM's allowance of calls is kept for opt-outs"
    note_findings(run, [Finding(kind, "push postponed", message, waiting - most)])
    return most


def _purpose(run: RunRef) -> str:
    """One open batch per flow and kind: so a run finds what an earlier one left."""
    return f"{run.flow}-push"
