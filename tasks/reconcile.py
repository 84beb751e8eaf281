"""Market and CRM are compared slice by slice: ids, and the hashes of whole records. What differs is healed by the road that all take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from prefect import task

from adapters.market.removals import RECONCILIATION
from adapters.staging import Parcel, slicing
from sync.errors import ConfigError
from sync.reconciled import Compared
from sync.records import EVERY_KEY, Filter, Kind, ParcelRef, ReadRequest, Removal, RunRef, Window
from sync.slices import Slice, cut, cut_again, is_too_large, joined, stalest_first
from tasks.commit import COMMITTED
from tasks.extract import fields_of, stage_request
from tasks.overtaken import began
from tasks.progress import Step, tell
from tasks.reconciled import keep_compared
from tasks.report import forget_empty_part
from tasks.rerun import note_finished
from tasks.schema import readings_of
from tasks.wiring import RETRY, Installation, installation, now, open_crm, settings_of

SLICE, UNREAD, IN_CRM = "slice", "slice-unread", "slice-in-crm"
"""Purposes of parcels: a slice; records of it that Market has and that did not come; which of these exist whatever the filter says."""

_GOES_ON_S = 3_600  # an older slice that a stopped run left is read afresh


def kinds_to_compare(run: RunRef, kinds: tuple[Kind, ...], only: str | None) -> tuple[Kind, ...]:
    """The kinds of this run: all that are pulled, or one. Raises ConfigError where that one is no kind, or is not pulled."""
    if only is None:
        return kinds
    chosen = tuple(kind for kind in kinds if only in (kind.value, kind.plural))
    if not chosen:
        words = ", ".join(kind.plural for kind in kinds)
        raise ConfigError(f'"{only}" is no kind that {run.connector} pulls', where="--kind", todo=f"One of {words}.")
    return chosen


def minutes_to_compare(run: RunRef, given: float | None) -> float:
    """How long one run goes on."""
    return settings_of(run).reconcile_minutes if given is None else given


@task(name="choose slices", task_run_name="choose slices of {run.connector}", **RETRY)
def choose_slices(run: RunRef, kinds: tuple[Kind, ...]) -> tuple[Slice, ...]:
    """All slices of these kinds, the stalest first. Kinds that were never cut are cut; slices that grew are cut again, empty ones join."""
    return stalest_first(one for kind in kinds for one in _slices_of(run, kind))


def _slices_of(run: RunRef, kind: Kind) -> tuple[Slice, ...]:
    market, n = installation(run.config).market.slices, settings_of(run).reconcile_slice_rows
    there = market.all(run.connector, kind)
    if not there:
        wanted = cut(kind, market.every_nth_id(run.connector, kind, n, EVERY_KEY))
    else:
        edges = [one.keys.low for one in there if one.keys.low]
        wanted = joined(
            [
                part
                for one in there
                for part in (
                    cut_again(one, market.every_nth_id(run.connector, kind, n, one.keys), edges) if is_too_large(one, n) else (one,)
                )
            ]
        )
    if wanted != there:
        market.put(run.connector, kind, wanted)
    return wanted


@task(name="extract slice", task_run_name="extract {one.kind.plural} of {run.connector} from {one.begins} on", **RETRY)
def extract_slice(run: RunRef, one: Slice, schema: str) -> ParcelRef:
    """Stages every record of one slice that meets the filter; goes on with the parcel that a stopped run left of it lately."""
    _discard_other(run, one)
    return _stage(run, one, SLICE, schema, (), settings_of(run).filters.get(one.kind, Filter()))


def _discard_other(run: RunRef, one: Slice) -> None:
    """What another slice, or this one long ago, left behind says nothing about now."""
    home = installation(run.config)
    ref = home.parcels.find(run.connector, one.kind, SLICE)
    if ref is None:
        return
    with home.parcels.open(ref) as parcel:
        same = (parcel.told("low"), parcel.told("high")) == (one.keys.low, one.keys.high)
        age = now() - datetime.fromisoformat(parcel.told("began_at") or "1970-01-01T00:00:00+00:00")
    if not same or age > timedelta(seconds=_GOES_ON_S) or home.market.cursors.is_committed(ref.parcel_id):
        home.parcels.discard(ref)


def _stage(
    run: RunRef, one: Slice, purpose: str, schema: str, ids: tuple[str, ...], where: Filter, *, names_only: bool = False
) -> ParcelRef:
    """`ids`: these records instead of the range. `names_only`: nothing but the ids."""
    readings = readings_of(run, schema, one.kind)
    if names_only:
        readings = tuple(reading for reading in readings if reading.column == "crm_id")
    keys = EVERY_KEY if ids else one.keys
    request = ReadRequest(one.kind, fields_of(readings), Window(), where, ids, keys, removals=bool(ids))
    return stage_request(run, request, purpose, readings, began(open_crm(run.config, run.connector), one.keys))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing one slice told. `alike`: Market has each of the `records` that came as it came, so there is nothing to commit.
    `unread`: records that Market has in this range and that did not come."""

    records: int
    alike: bool
    unread: tuple[str, ...] = ()


@task(name="compare slice", task_run_name="compare {one.kind.plural} of {run.connector} from {one.begins} on", **RETRY)
def compare_slice(run: RunRef, one: Slice, ref: ParcelRef) -> Comparison:
    """Compares ids and hashes, and notes which columns differ most (names only). A parcel in which nothing differs goes at once."""
    home = installation(run.config)
    with home.parcels.open(ref) as parcel:
        parcel.learn("slice_links", home.market.slices.links(run.connector, one.kind, one.keys))
        unread = slicing.unread(parcel)
        _withdraw_removals(home, one, parcel)
        compared = Comparison(slicing.records(parcel), slicing.is_alike(parcel), unread)
        if not compared.alike:
            keep_compared(run, "compare", one.keys.low, Compared(one.kind, columns=_differing_columns(run, home, parcel)))
    if compared.alike:
        note_finished(run, ref)
        home.parcels.discard(ref)
    return compared


def _withdraw_removals(home: Installation, one: Slice, parcel: Parcel) -> None:
    """What waits to be removed, held by the brake perhaps, and is here again is not to be removed any more (DEL-2)."""
    slices, connector = home.market.slices, parcel.ref.connector
    began_at = datetime.fromisoformat(parcel.told("began_at") or now().isoformat())
    waiting = slices.waiting_removals(connector, one.kind, one.keys, began_at)
    back = slicing.came(parcel, waiting) if waiting else ()
    if back:
        slices.withdraw_removals(connector, one.kind, back)


def _differing_columns(run: RunRef, home: Installation, parcel: Parcel) -> dict[str, int]:
    rows = slicing.differing_rows(parcel)
    if not rows:
        return {}
    parcel.learn("slice_rows", home.market.slices.rows(parcel.ref.kind, slicing.compared_columns(parcel), rows))
    return slicing.differing_columns(parcel, _silent_before(run, parcel.ref.kind))


@task(name="extract unread", task_run_name="extract {one.kind.plural} of {run.connector} that did not come", **RETRY)
def extract_unread(run: RunRef, one: Slice, schema: str, ids: tuple[str, ...]) -> ParcelRef:
    """Asks by name for the records that did not come: the CRM may order ids in another way than we do."""
    _discard_left(run, one.kind, UNREAD)
    return _stage(run, one, UNREAD, schema, ids, settings_of(run).filters.get(one.kind, Filter()))


def _discard_left(run: RunRef, kind: Kind, purpose: str) -> None:
    parcels = installation(run.config).parcels
    ref = parcels.find(run.connector, kind, purpose)
    if ref is not None:
        parcels.discard(ref)


@task(name="note absent", task_run_name="note absent {one.kind.plural} of {run.connector}", **RETRY)
def note_absent(run: RunRef, one: Slice, ref: ParcelRef, schema: str, ids: tuple[str, ...]) -> None:
    """Of the records that were asked for by name those that do not exist any more are noted as removals, as far as deletions are pulled;
    those that exist and no longer meet the filter leave its scope (FILT-2)."""
    home, connector = installation(run.config), settings_of(run)
    with home.parcels.open(ref) as parcel:
        absent = slicing.absent(parcel, ids)
        _withdraw_removals(home, one, parcel)
    gone, left = _told_apart(run, one, schema, absent)
    at = now()
    if gone and connector.pull.deletions.on:
        home.market.removals.note(run.connector, one.kind, gone, found_by=RECONCILIATION, run_id=run.run_id, now=at)
    if left and one.kind is not Kind.USER:  # owners are fetched whether or not they meet the filter (PULL-7)
        home.market.scope.leave(run.connector, one.kind, left, connector.scope.left, run_id=run.run_id, now=at)
    examples = tuple(each.crm_id for each in gone[:5])
    keep_compared(run, "absent", one.keys.low, Compared(one.kind, gone=len(gone), left=len(left), examples=examples))


def _told_apart(run: RunRef, one: Slice, schema: str, absent: tuple[Removal, ...]) -> tuple[tuple[Removal, ...], frozenset[str]]:
    """→ what is gone, and what the CRM still shows when it is asked without the filter."""
    unsaid = tuple(each.crm_id for each in absent if each.at is None)
    if not unsaid or not settings_of(run).filters.get(one.kind):
        return absent, frozenset()
    _discard_left(run, one.kind, IN_CRM)
    ref = _stage(run, one, IN_CRM, schema, unsaid, Filter(), names_only=True)
    parcels = installation(run.config).parcels
    with parcels.open(ref) as parcel:
        gone = slicing.absent(parcel, unsaid)
    parcels.discard(ref)
    said = tuple(each for each in absent if each.at is not None)
    return (*said, *gone), frozenset(unsaid) - {each.crm_id for each in gone}


@task(name="settle slice", task_run_name="settle {one.kind.plural} of {run.connector} from {one.begins} on", **RETRY)
def settle_slice(run: RunRef, one: Slice, compared: Comparison, refs: tuple[ParcelRef, ...]) -> None:
    """The slice is compared: what its committed parcels came to is counted, and its turn is over. Done twice, it is done once."""
    home = installation(run.config)
    silent_before = _silent_before(run, one.kind)
    alike = slicing.SliceOutcome(compared.records if compared.alike else 0)
    found = slicing.total([alike, *(_outcome(home, ref, silent_before) for ref in refs)])
    home.market.slices.note_checked(run.connector, one, records=found.compared, healed=found.healed + found.missing, now=now())
    counted = Compared(one.kind, 1, found.compared, found.healed, found.missing, recent=found.recent)
    keep_compared(run, "settle", one.keys.low, counted)
    for ref in refs:
        forget_empty_part(run, ref)
    note = f"{one.kind.plural} from {one.begins} on: {found.compared:,} compared, {found.healed + found.missing:,} healed"
    tell(Step(run.run_id, one.kind.value, "settle", found.compared, found.compared, ended=True, note=note))


def _outcome(home: Installation, ref: ParcelRef, silent_before: datetime) -> slicing.SliceOutcome:
    path = Path(ref.path)
    with home.parcels.open(replace(ref, path=str(path.parent / COMMITTED / path.name))) as parcel:
        return slicing.outcome(parcel, silent_before)


def _silent_before(run: RunRef, kind: Kind) -> datetime:
    """Changes with this stamp or a later one are no silent ones: the next core sync asks for them anyway (PULL-1)."""
    cursor = installation(run.config).market.cursors.read(run.connector, kind)
    crm = open_crm(run.config, run.connector)
    return (cursor.at if cursor else crm.now()) - crm.overlap
