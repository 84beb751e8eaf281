"""Changes since the last run: the window is read, and what it comes to is planned (PULL-1, PULL-3, DEL-1, FILT-2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prefect import task

from adapters.staging import Parcel, following, noticing
from adapters.staging.planning import ECHO
from sync.crm import Crm
from sync.errors import ConfigError
from sync.fields import Reading
from sync.records import EVERYTHING, PEOPLE, Kind, Page, ParcelRef, ReadRequest, Removal, RunRef, Window
from sync.watermark import next_window
from tasks.commit import COMMITTED
from tasks.extract import fields_of, stage_request
from tasks.plan import owners_to_fetch, plan_parcel
from tasks.report import note_findings
from tasks.rerun import note_finished
from tasks.schema import readings_of
from tasks.wiring import RETRY, Installation, installation, open_crm, settings_of

CHANGES = "changes"
_MARKS = "marks"


@dataclass(frozen=True, slots=True)
class Planned:
    """What a parcel of changes comes to. `unknown_owners` are CRM ids (PULL-7). Not `worth_committing`: Market has it all (FLOW-4)."""

    rows: int
    unknown_owners: tuple[str, ...]
    worth_committing: bool


@task(name="extract changes", task_run_name="extract changed {kind.plural} of {run.connector}", **RETRY)
def extract_changes(run: RunRef, kind: Kind, schema: str) -> ParcelRef | None:
    """Stages what changed since the cursor; None when nothing did, which costs one call.

    Without a sync filter one read tells of changes and deletions. With one, the ids of all that moved are read first: who is among them
    and not in the filtered read has left the filter.
    """
    home, connector = installation(run.config), settings_of(run)
    crm = open_crm(run.config, run.connector)
    readings = readings_of(run, schema, kind)
    set_committed_aside(home, run, kind)
    window = _window(home, run, kind, crm)
    where = connector.filters.get(kind, EVERYTHING)
    deletions = connector.pull.deletions.on
    if where:
        return _stage_filtered(run, crm, ReadRequest(kind, fields_of(readings), window, where), readings, removals=deletions)
    request = ReadRequest(kind, fields_of(readings), window, removals=deletions)
    first = _first_page(crm, request)
    if first is not None and _brings_nothing(home, run, kind, first):
        return None
    return stage_request(run, request, CHANGES, readings, {"whole": "no"}, (first,) if first else ())


@task(name="extract again", task_run_name="extract {kind.plural} of {run.connector} once more", **RETRY)
def extract_again(run: RunRef, kind: Kind, purpose: str, schema: str, ids: tuple[str, ...], echo: bool = False) -> ParcelRef:
    """Stages those of these records that meet the filter now, and tells which of them were deleted. `echo`: we have just written them.

    What a run that died had staged for this is thrown away: the window may have brought a newer state of these records since.
    """
    parcels = installation(run.config).parcels
    left = parcels.find(run.connector, kind, purpose)
    if left is not None:
        parcels.discard(left)
    readings, connector = readings_of(run, schema, kind), settings_of(run)
    where = connector.filters.get(kind, EVERYTHING)
    request = ReadRequest(kind, fields_of(readings), filter=where, ids=ids, removals=connector.pull.deletions.on)
    return stage_request(run, request, purpose, readings, {"whole": "no", ECHO: "yes" if echo else "no"})


def _window(home: Installation, run: RunRef, kind: Kind, crm: Crm) -> Window:
    cursor = home.market.cursors.read(run.connector, kind)
    if cursor is None:
        raise ConfigError(
            f"{kind.plural} were never synced",
            where=f"connector {run.connector}",
            todo="Run the initial sync once more with --again: it brings what was switched on since.",
        )
    return next_window(cursor.at, crm.overlap, crm.now())


def _first_page(crm: Crm, request: ReadRequest) -> Page | None:
    """The first page of a read that is one stream: nearly always it is all of it."""
    streams = crm.streams(request)
    return next(iter(crm.pages(request, streams[0]))) if len(streams) == 1 else None


def _brings_nothing(home: Installation, run: RunRef, kind: Kind, page: Page) -> bool:
    """Deletions that Market knows of come again for as long as the window overlaps them."""
    if page.rows or page.position is not None:
        return False
    return not home.market.removals.known_living(run.connector, kind, (gone.crm_id for gone in page.removed))


def _stage_filtered(run: RunRef, crm: Crm, request: ReadRequest, readings: tuple[Reading, ...], *, removals: bool) -> ParcelRef | None:
    """First the ids of all that moved, then the records among them that meet the filter."""
    home, kind = installation(run.config), request.kind
    key = next(reading.source for reading in readings if reading.column == "crm_id")
    pages = list(_all_pages(crm, ReadRequest(kind, (key,), request.window, removals=removals)))
    ids = following.ids_in(pages, key)
    gone = tuple(each for page in pages for each in page.removed)
    if not ids and not home.market.removals.known_living(run.connector, kind, (each.crm_id for each in gone)):
        return None
    ref = stage_request(run, request, CHANGES, readings, {"whole": "no"}, (Page(_MARKS, b"", 0, None, 0, gone),))
    with home.parcels.open(ref) as parcel:
        following.prepare(parcel)
        following.keep_changed(parcel, ids)
        moved = home.market.removals.in_scope(run.connector, kind, following.candidates_to_leave(parcel, key))
        following.keep_left(parcel, sorted(moved - _still_within(crm, request, key, tuple(sorted(moved)))))
    return ref


def _still_within(crm: Crm, request: ReadRequest, key: str, ids: tuple[str, ...]) -> frozenset[str]:
    """Of these records those that meet the filter now: they may have changed once more while we read."""
    if not ids:
        return frozenset()
    return frozenset(following.ids_in(_all_pages(crm, ReadRequest(request.kind, (key,), filter=request.filter, ids=ids)), key))


def _all_pages(crm: Crm, request: ReadRequest) -> Iterator[Page]:
    for stream in crm.streams(request):
        yield from crm.pages(request, stream)


def set_committed_aside(home: Installation, run: RunRef, kind: Kind, purpose: str = CHANGES) -> None:
    """A run that died between its commit and its tidying left the parcel where the next window's belongs."""
    ref = home.parcels.find(run.connector, kind, purpose)
    if ref is not None and home.market.cursors.is_committed(ref.parcel_id):
        home.parcels.keep_aside(ref, COMMITTED)


@task(name="plan changes", task_run_name="plan changed {ref.kind.plural} of {run.connector}", **RETRY)
def plan_changes(run: RunRef, ref: ParcelRef, cursor_moves: bool, again: bool = False) -> Planned:
    """Plans what changed, what was deleted and merged, and what left the filter (`again`: once more, now that owners were fetched).

    A window of several pages is committed even when it brought nothing new: the next one would have to read them all again.
    """
    home = installation(run.config)
    with home.parcels.open(ref) as parcel:
        rows = plan_parcel(run, parcel)
        _plan_removals(home, run, parcel)
        worth = not following.is_idle(parcel) or (cursor_moves and following.pages(parcel) > 1)
        if worth:
            note_findings(run, noticing.findings(parcel))
        return Planned(rows, owners_to_fetch(run, parcel), worth)


def _plan_removals(home: Installation, run: RunRef, parcel: Parcel) -> None:
    """Keeps the removals that are news to Market, with the record that each was merged into (MATCH-8)."""
    kind = parcel.ref.kind
    told = following.removed(parcel)
    living = home.market.removals.known_living(run.connector, kind, (each.crm_id for each in told))
    news = [each for each in told if each.crm_id in living]
    following.keep_gone(parcel, news)
    if kind in PEOPLE and news:
        links = home.market.lookup_links(run.connector, kind, following.gone_ids(parcel))
        people = home.market.lookup_people(market_ids=following.row_keys(parcel, links), connector=run.connector)
        winners = following.find_merges(parcel, people)
        following.keep_gone(parcel, [Removal(each.crm_id, each.at, each.merged_into or winners.get(each.crm_id)) for each in news])


@task(name="drop unchanged batch", task_run_name="drop {ref.kind.plural} of {run.connector}: nothing new in them", **RETRY)
def drop_unchanged(run: RunRef, ref: ParcelRef) -> None:
    """The window brought only what Market has: nothing is kept of it."""
    note_finished(run, ref)
    installation(run.config).parcels.discard(ref)
