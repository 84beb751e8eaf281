"""New fields for rows that are already here, read in spare time (PULL-4): extract → plan → check → commit, with narrow records.

The cursor is not touched, and a change made in the CRM meanwhile is not lost. What a pull committed after this read began is left as the
pull wrote it, because every pull since then reads the new fields as well; what changes in the CRM after the last pull has a stamp at or
after the cursor less its overlap, so the next window reads it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from prefect import task

from adapters.staging import Parcel
from adapters.staging import backfill as staging
from adapters.staging.holding import held_rows
from sync.drift import FILLED_IN
from sync.fields import Reading
from sync.records import CommitCounts, Filter, Finding, Kind, ParcelRef, ReadRequest, RunRef
from tasks.commit import COMMITTED
from tasks.extract import READ, fields_of, read_streams
from tasks.progress import Step, tell
from tasks.report import counts_of, keep_counts, note_findings
from tasks.schema import readings_of
from tasks.wiring import RETRY, Installation, installation, now, open_crm, settings_of

BACKFILL = "backfill"


def kinds_to_backfill(run: RunRef) -> tuple[Kind, ...]:
    """The kinds that have a field to be filled in, in the order of the pull; one cheap query."""
    open_ = {each.kind for each in installation(run.config).market.described.open(run.connector)}
    return tuple(kind for kind in settings_of(run).kinds() if kind in open_)


def backfills_end(run: RunRef) -> datetime:
    """Until when this run may read for backfills, UTC."""
    return now() + timedelta(minutes=settings_of(run).backfill_minutes_per_run)


@task(name="extract backfill", task_run_name="extract new fields of {kind.plural} of {run.connector}", **RETRY)
def extract_backfill(run: RunRef, kind: Kind, schema: str, until: datetime) -> ParcelRef | None:
    """Stages id, stamp and the new fields of every record, or goes on with what an earlier run staged.

    None: it was not done by `until` (UTC), or there is nothing to do.
    """
    home, connector = installation(run.config), settings_of(run)
    readings = _narrow(readings_of(run, schema, kind), {each.crm_field for each in home.market.described.open(run.connector, kind)})
    if len(readings) <= len(staging.RECORD):
        return None
    ref = _parcel(home, run, kind, readings)
    crm = open_crm(run.config, run.connector)
    request = ReadRequest(kind, fields_of(readings), filter=connector.filters.get(kind, Filter()))
    with home.parcels.open(ref, filling=True) as parcel:
        if parcel.told("state") == READ:
            return ref
        finished = read_streams(run, crm, request, parcel, connector.connections, until)
        done = sum(stream.rows for stream in parcel.progress().values())
        if finished:
            parcel.tell("state", READ)
    home.market.described.note_progress(run.connector, kind, _new_fields(readings), done)
    return ref if finished else None


def _narrow(readings: Collection[Reading], wanted: Collection[str]) -> tuple[Reading, ...]:
    return tuple(each for each in readings if each.column in staging.RECORD or each.source in wanted)


def _new_fields(readings: Collection[Reading]) -> set[str]:
    return {each.source for each in readings if each.column not in staging.RECORD}


def _parcel(home: Installation, run: RunRef, kind: Kind, readings: tuple[Reading, ...]) -> ParcelRef:
    """The one that an earlier run left, if it is for the same fields and began after the last of them was asked for; else a new one."""
    ref = home.parcels.find(run.connector, kind, BACKFILL)
    if ref is not None and home.market.cursors.is_committed(ref.parcel_id):
        home.parcels.keep_aside(ref, COMMITTED)  # that run died before it could
        ref = None
    if ref is not None:
        asked = max(each.asked_at for each in home.market.described.open(run.connector, kind))
        with home.parcels.open(ref) as parcel:
            fits = parcel.readings == readings and _began(parcel) >= asked
        ref = ref if fits else None
    about = {"began": now().isoformat(), "whole": "no"}
    return ref or home.parcels.create(run.connector, kind, BACKFILL, fields_of(readings), readings, about)


def _began(parcel: Parcel) -> datetime:
    return datetime.fromisoformat(parcel.told("began") or now().isoformat())


@task(name="plan backfill", task_run_name="plan new fields of {ref.kind.plural} of {run.connector}", **RETRY)
def plan_backfill(run: RunRef, ref: ParcelRef) -> int:
    """Joins what was read to the records that Market knows and that live; returns how many. `check` then works as for any parcel."""
    home = installation(run.config)
    with home.parcels.open(ref) as parcel:
        tell(Step(run.run_id, ref.kind.value, "plan", 0, None))
        known = staging.plan_backfill(parcel, home.market.lookup_links(run.connector, ref.kind, staging.crm_ids(parcel)))
        tell(Step(run.run_id, ref.kind.value, "plan", known, known, ended=True))
    return known


@task(name="commit backfill", task_run_name="commit new fields of {ref.kind.plural} of {run.connector}", **RETRY)
def commit_backfill(run: RunRef, ref: ParcelRef) -> CommitCounts:
    """One transaction: the values, the quarantine, and the word that these fields are filled."""
    home = installation(run.config)
    earlier = counts_of(run, ref)
    if earlier is not None and not home.parcels.is_open(ref):
        return earlier
    with home.parcels.open(ref) as parcel:
        tell(Step(run.run_id, ref.kind.value, "commit", 0, None))
        counts = _commit(home, run, parcel)
        tell(Step(run.run_id, ref.kind.value, "commit", counts.updated, counts.updated, ended=True))
        fields = sorted(_new_fields(parcel.readings))
    keep_counts(run, ref, counts)
    note_findings(run, [_told(ref.kind, fields, counts)])
    home.parcels.keep_aside(ref, COMMITTED)
    return counts


def _commit(home: Installation, run: RunRef, parcel: Parcel) -> CommitCounts:
    """Links are read in the transaction itself, so nothing that was planned can be out of date."""
    read, held = parcel.rows(), staging.held(parcel)
    with home.market.commit(parcel.ref, run.run_id, now()) as tx:
        if tx.already_committed:
            return CommitCounts(read=read, unchanged=read - held, held=held)
        filled = tx.fill(staging.filled_rows(parcel), staging.policies(parcel), _began(parcel))
        tx.hold(held_rows(parcel))
        tx.close_backfills(_new_fields(parcel.readings), _began(parcel), filled)
        counts = CommitCounts(read=read, updated=filled, unchanged=max(0, read - filled - held), held=held)
        tx.finish(counts)
    return counts


def _told(kind: Kind, fields: list[str], counts: CommitCounts) -> Finding:
    names = ("field " if len(fields) == 1 else "fields ") + ", ".join(fields)
    rows = "1 row got a value" if counts.updated == 1 else f"{counts.updated:,} rows got a value"
    return Finding(kind, FILLED_IN, f"{names} of {kind.plural} filled in: {rows}", counts.updated)
