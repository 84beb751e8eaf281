"""The pull road: extract → plan → check → commit, for one kind after the other (PULL-5), reading ahead in parallel."""

from __future__ import annotations

from flows.rerun import Ahead, reading
from sync.errors import GateRejected
from sync.exported_files import NO_FILES, ExportedFiles
from sync.records import CommitCounts, Kind, ParcelRef, RunRef
from tasks.check import check
from tasks.commit import commit
from tasks.extract import extract, extract_named
from tasks.extract_files import extract_file
from tasks.plan import plan
from tasks.runs import set_rejected_aside

OWNERS = "owners"


def read_ahead(
    run: RunRef, kinds: tuple[Kind, ...], purpose: str, schema: str, exported: ExportedFiles = NO_FILES
) -> dict[Kind, Ahead[ParcelRef]]:
    """Starts to read every kind at once, from its file where there is one (INIT-8); the order matters only where Market is written."""
    return {
        kind: Ahead(extract_file, run, kind, purpose, schema, exported)
        if kind in exported.kinds
        else Ahead(extract, run, kind, purpose, schema)
        for kind in kinds
    }


def bring_in(run: RunRef, ref: ParcelRef, schema: str, *, cursor_moves: bool = True) -> CommitCounts:
    """One staged parcel into Market. Owners that nobody knows are fetched in between, and then it is planned again (PULL-7)."""
    unknown = plan(run, ref)
    if unknown and ref.kind is not Kind.USER:
        owners = reading(extract_named, run, Kind.USER, f"{run.flow}-{OWNERS}-of-{ref.kind.plural}", schema, unknown)
        bring_in_checked(run, owners, cursor_moves=False, planned=False)
        plan(run, ref, again=True)
    return bring_in_checked(run, ref, cursor_moves=cursor_moves)


def bring_in_checked(run: RunRef, ref: ParcelRef, *, cursor_moves: bool = True, planned: bool = True) -> CommitCounts:
    if not planned:
        plan(run, ref)
    try:
        check(run, ref)
    except GateRejected:
        set_rejected_aside(run, ref)
        raise
    return commit(run, ref, cursor_moves)
