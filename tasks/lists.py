"""Marketing lists: which changed (LIST-1), and whose members are read in this cycle."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prefect import task

from sync.disk import disk_errors
from sync.lists import due_at_once, in_turn, unlinked_findings
from sync.records import Kind, ParcelRef, ReadRequest, RunRef, Window
from sync.stock_mappings import STOCK_LISTS
from sync.watermark import next_window
from tasks.changes import CHANGES, set_committed_aside
from tasks.extract import fields_of, stage_request
from tasks.report import note_findings
from tasks.runs import INITIAL
from tasks.wiring import RETRY, Installation, installation, open_crm, settings_of

AT_ONCE = "at-once"
IN_TURN = "in-turn"


@dataclass(frozen=True, slots=True)
class MembersDue:
    """CRM ids of lists. `at_once`: new or changed, read whole now. `in_turn`: compared without a reason, by one call per cycle."""

    at_once: tuple[str, ...]
    in_turn: tuple[str, ...]


def follows_lists(run: RunRef) -> bool:
    """Whether the connector's pull option is on (CONN-5)."""
    return settings_of(run).pull.marketing_lists.on


@task(name="extract lists", task_run_name="extract lists of {run.connector}", **RETRY)
def extract_lists(run: RunRef, whole: bool = False) -> ParcelRef:
    """Stages the lists that changed since the cursor, and which were deleted; every list when `whole`, or where there is no cursor."""
    home, connector = installation(run.config), settings_of(run)
    crm, cursor = open_crm(run.config, run.connector), home.market.cursors.read(run.connector, Kind.LIST)
    readings = STOCK_LISTS[connector.crm]
    window = Window() if whole or cursor is None else next_window(cursor.at, crm.overlap, crm.now())
    changes = window != Window()
    purpose = CHANGES if changes else INITIAL
    set_committed_aside(home, run, Kind.LIST, purpose)
    request = ReadRequest(Kind.LIST, fields_of(readings), window, removals=changes and connector.pull.deletions.on)
    return stage_request(run, request, purpose, readings, {"whole": "no" if changes else "yes"})


def is_whole(run: RunRef, ref: ParcelRef) -> bool:
    """Whether the parcel holds every list: it is committed even when there is none, because from then on changes are asked for."""
    with installation(run.config).parcels.open(ref) as parcel:
        return parcel.told("whole") == "yes"


@task(name="choose lists", task_run_name="choose the lists of {run.connector} whose members are read", **RETRY)
def members_due(run: RunRef, whole: bool = False) -> MembersDue:
    """Whose members are read now. `whole`: everybody's. A turn that takes several cycles goes on, unless one of its lists changed."""
    home = installation(run.config)
    states = home.market.lists.states(run.connector)
    if whole:
        return MembersDue(tuple(state.crm_id for state in states), ())
    at_once = due_at_once(states)
    begun = _turn_begun(home, run, frozenset(state.crm_id for state in states) - frozenset(at_once))
    most = settings_of(run).page_rows
    return MembersDue(at_once, begun or in_turn(states, compared_lists(run), most))


def _turn_begun(home: Installation, run: RunRef, open_lists: frozenset[str]) -> tuple[str, ...]:
    """The lists of a turn that an earlier cycle began; one that was overtaken is dropped."""
    ref = home.parcels.find(run.connector, Kind.LIST_MEMBER, IN_TURN)
    if ref is None:
        return ()
    with home.parcels.open(ref) as parcel:
        begun = tuple(json.loads(parcel.told("lists") or "[]"))
    if open_lists.issuperset(begun) and not home.market.cursors.is_committed(ref.parcel_id):
        return begun
    home.parcels.discard(ref)
    return ()


@task(name="tell of members without a row", task_run_name="tell who stands on lists of {run.connector} and has no row", **RETRY)
def report_unlinked(run: RunRef) -> None:
    """LIST-2: who stands on a list and is not in Market is told, with a few CRM ids."""
    unlinked = installation(run.config).market.lists.unlinked(run.connector)
    note_findings(run, unlinked_findings(unlinked, settings_of(run).pull.kinds()))


def compared_lists(run: RunRef) -> dict[str, datetime]:
    """When lists were last found as Market has them, ours, UTC.

    Kept beside the parcels, because a cycle without changes writes nothing to Market.
    """
    path = _compared_path(installation(run.config), run)
    if not path.exists():
        return {}
    return {crm_id: datetime.fromisoformat(at) for crm_id, at in json.loads(path.read_text(encoding="utf-8")).items()}


def keep_compared(run: RunRef, crm_ids: Iterable[str], at: datetime) -> None:
    """Notes that these lists were compared; forgets lists that are gone."""
    home = installation(run.config)
    living = {state.crm_id for state in home.market.lists.states(run.connector)}
    found = {**compared_lists(run), **dict.fromkeys(crm_ids, at)}
    path = _compared_path(home, run)
    with disk_errors(f"connector {run.connector}, lists"):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps({one: when.isoformat() for one, when in found.items() if one in living}), encoding="utf-8")
        draft.replace(path)


def _compared_path(home: Installation, run: RunRef) -> Path:
    return home.data_dir / "lists" / f"{run.connector}.json"
