"""Marketing lists: those that changed, then who stands on them (LIST-1, LIST-2). Follows when the pull option is on."""

from __future__ import annotations

from datetime import datetime

from flows.changes import read_again
from flows.pull import bring_in_checked
from flows.rerun import braked, reading
from sync.errors import GateRejected
from sync.records import Kind, RunRef
from tasks.changes import drop_unchanged, plan_changes
from tasks.list_members import MembersPlan, ask_missing, check_members, commit_members, extract_members, note_compared, plan_members
from tasks.lists import AT_ONCE, IN_TURN, extract_lists, follows_lists, is_whole, members_due, report_unlinked
from tasks.removals import apply_removals
from tasks.runs import note_running, set_rejected_aside


def follow_lists(run: RunRef, schema: str, started_at: datetime, *, whole: bool = False) -> bool:
    """What changed of lists and their members into Market, after the people (INIT-1, PULL-5). → whether anything was written.

    `schema` is what `replicate_schema` returned: members that Market lacks are fetched by it. `whole`: everything is read once more. The
    first time everything is read as well. Without news it costs one call for the lists and one for the members whose turn it is, and
    writes nothing to Market (FLOW-4).
    """
    if not follows_lists(run):
        return False
    changed = _follow_records(run, started_at, whole)
    braked(apply_removals, run, (Kind.LIST,))
    due = members_due(run, whole)
    for purpose, list_ids in ((AT_ONCE, due.at_once), (IN_TURN, due.in_turn)):
        changed = (bool(list_ids) and _follow_members(run, schema, started_at, purpose, list_ids)) or changed
    if changed:
        report_unlinked(run)
    return changed


def _follow_records(run: RunRef, started_at: datetime, whole: bool) -> bool:
    ref = reading(extract_lists, run, whole)
    if not plan_changes(run, ref, True).worth_committing and not is_whole(run, ref):
        drop_unchanged(run, ref)
        return False
    note_running(run, started_at)
    bring_in_checked(run, ref)
    return True


def _follow_members(run: RunRef, schema: str, started_at: datetime, purpose: str, list_ids: tuple[str, ...]) -> bool:
    """False: nothing was written, or the turn goes on in the next cycle."""
    ref = reading(extract_members, run, purpose, list_ids)
    if ref is None:
        return False
    found = plan_members(run, ref)
    if found.unknown or found.missing:
        _complete(run, found, schema, started_at)
        found = plan_members(run, ref, again=True)
    if not found.news:
        note_compared(run, ref, list_ids)
        return False
    note_running(run, started_at)
    try:
        check_members(run, ref)
    except GateRejected:
        set_rejected_aside(run, ref)
        raise
    commit_members(run, ref)
    return True


def _complete(run: RunRef, found: MembersPlan, schema: str, started_at: datetime) -> None:
    """Fetches the records that Market lacks (LIST-2), and asks whether those that are missing on their list live (DEL-6)."""
    for kind, ids in found.unknown.items():
        read_again(run, kind, "on-lists", schema, ids, started_at)
    for kind, ids in found.missing.items():
        ask_missing(run, found.ref, kind, ids)
