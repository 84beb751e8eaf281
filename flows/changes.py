"""The pull road for changes: what moved since the cursor, kind after kind (PULL-5), and records that are read again by name."""

from __future__ import annotations

from datetime import datetime

from flows.pull import OWNERS, bring_in_checked
from flows.rerun import Ahead, braked, reading
from sync.errors import GateRejected
from sync.records import Kind, ParcelRef, RunRef
from tasks.changes import Planned, drop_unchanged, extract_again, extract_changes, plan_changes
from tasks.check import check
from tasks.commit import commit
from tasks.extract import extract_named
from tasks.held import note_read, read_held
from tasks.removals import apply_removals
from tasks.runs import note_running, set_rejected_aside
from tasks.saved_reports import auto_delete, refresh_segments
from tasks.unsubscribes import extract_flagged, settle_flagged


def follow_changes(run: RunRef, kinds: tuple[Kind, ...], schema: str, started_at: datetime) -> None:
    """Every kind is read at once; they are committed in their order. A kind in which nothing moved costs one call."""
    ahead = [Ahead(extract_changes, run, kind, schema) for kind in kinds]
    for each in ahead:
        ref = each.result()
        if ref is not None:
            _bring_in(run, ref, schema, started_at, cursor_moves=True)


def read_again(run: RunRef, kind: Kind, purpose: str, schema: str, ids: tuple[str, ...], started_at: datetime) -> None:
    """These records, if they meet the filter, although no window brings them."""
    if ids:
        ref = reading(extract_again, run, kind, f"{run.flow}-{purpose}", schema, ids)
        _bring_in(run, ref, schema, started_at, cursor_moves=False)


def read_back(run: RunRef, kind: Kind, purpose: str, schema: str, ids: tuple[str, ...], started_at: datetime) -> None:
    """PUSH-6: these records were written by us just now: what they say comes in at once, and is no change of the next run's.

    Whatever somebody else changed in the same moment comes in as well: values decide, never who modified.
    """
    if ids:
        ref = reading(extract_again, run, kind, f"{run.flow}-{purpose}", schema, ids, echo=True)
        _bring_in(run, ref, schema, started_at, cursor_moves=False, echo=True)


def follow_held(run: RunRef, kinds: tuple[Kind, ...], schema: str, started_at: datetime) -> None:
    """Held records that an operator asked for, or that were left alone long enough: those that pass now come in (GATE-2)."""
    for kind in kinds:
        ids = read_held(run, kind)
        read_again(run, kind, "held", schema, ids, started_at)
        note_read(run, kind, ids)


def follow_opt_outs(run: RunRef, schema: str, started_at: datetime) -> None:
    """Opt-outs that a CRM keeps with the address: whoever carries a flagged one is read again."""
    flagged = extract_flagged(run)
    if flagged.at is None:
        return
    note_running(run, started_at)
    for kind, ids in flagged.records:
        read_again(run, kind, "flagged", schema, ids, started_at)
    settle_flagged(run, flagged)


def follow_removals(run: RunRef, kinds: tuple[Kind, ...], schema: str, started_at: datetime) -> None:
    """What was deleted is deleted here; a row that another record holds takes that record's values."""
    heirs = braked(apply_removals, run, kinds)
    for kind in kinds:
        read_again(run, kind, "heirs", schema, tuple(crm_id for heir, crm_id in heirs if heir is kind), started_at)


def follow_reports(run: RunRef, started_at: datetime) -> None:
    """What saved reports ask for at the end of a pull: rows are deleted (DEL-3), and segments follow."""
    deleted, changed = auto_delete(run), refresh_segments(run)
    if deleted or changed:
        note_running(run, started_at)


def _bring_in(run: RunRef, ref: ParcelRef, schema: str, started_at: datetime, *, cursor_moves: bool, echo: bool = False) -> None:
    planned = _planned(run, ref, schema, cursor_moves=cursor_moves)
    if not planned.worth_committing:
        drop_unchanged(run, ref)
        return
    note_running(run, started_at)
    if planned.rows:
        try:
            check(run, ref)
        except GateRejected:
            set_rejected_aside(run, ref)
            raise
    commit(run, ref, cursor_moves, echo)


def _planned(run: RunRef, ref: ParcelRef, schema: str, *, cursor_moves: bool) -> Planned:
    """Owners that nobody knows are fetched in between, and then it is planned again (PULL-7)."""
    planned = plan_changes(run, ref, cursor_moves)
    if planned.unknown_owners and planned.worth_committing and ref.kind is not Kind.USER:
        purpose = f"{run.flow}-{OWNERS}-of-{ref.kind.plural}"
        owners = reading(extract_named, run, Kind.USER, purpose, schema, planned.unknown_owners)
        bring_in_checked(run, owners, cursor_moves=False, planned=False)
        planned = plan_changes(run, ref, cursor_moves, again=True)
    return planned
