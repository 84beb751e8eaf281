"""Staged → Market: one transaction with the rows, their links, the ledger, the quarantine and the cursor (PULL-2)."""

from __future__ import annotations

from datetime import datetime
from itertools import count

from prefect import task

from adapters.market.commit import Commit
from adapters.staging import Parcel, export, following, held_consent, holding, noticing, planning, staged
from sync.columns import FIXED_COLUMNS
from sync.happened import of_counts
from sync.records import PEOPLE, CommitCounts, Cursor, Kind, ParcelRef, RunRef
from tasks.check import check_parcel
from tasks.happened import note_happened
from tasks.plan import plan_parcel
from tasks.progress import Step, tell
from tasks.report import counts_of, forget_echo, keep_counts, report_path
from tasks.wiring import RETRY, Installation, installation, now, settings_of

COMMITTED = "committed"
_POLITE = 2  # so often a plan is made beside the work of others


@task(name="commit", task_run_name="commit {ref.kind.plural} of {run.connector}", **RETRY)
def commit(run: RunRef, ref: ParcelRef, cursor_moves: bool = True, echo: bool = False) -> CommitCounts:
    """Commits the parcel, or finds that it is committed; then it is set aside for whoever wants to look at it.

    `echo`: what we wrote ourselves a moment ago, which is not told as news (PUSH-6).
    """
    home = installation(run.config)
    earlier = counts_of(run, ref)
    if earlier is not None and not home.parcels.is_open(ref):
        return earlier  # a try that died after its last act
    with home.parcels.open(ref) as parcel:
        tell(Step(run.run_id, ref.kind.value, "commit", 0, None))
        counts = commit_parcel(home, run, parcel, cursor_moves=cursor_moves)
        told = of_counts(ref.kind, counts, echo=echo)
        note_happened(run, ref.parcel_id, (*told, *noticing.happenings(parcel)))
        written = counts.inserted + counts.updated
        tell(Step(run.run_id, ref.kind.value, "commit", written, written, ended=True))
    keep_counts(run, ref, counts)
    if echo:
        forget_echo(run, ref)
    home.parcels.keep_aside(ref, COMMITTED)
    return counts


def commit_parcel(home: Installation, run: RunRef, parcel: Parcel, *, cursor_moves: bool) -> CommitCounts:
    """Plans and checks again if Market has moved since the plan was made; a plan is only good for the Market it was made for.

    Where others commit all the time it would never be: so the third time it is planned while nobody else can write.
    """
    for attempt in count():
        at = now()
        with home.market.commit(parcel.ref, run.run_id, at) as tx:
            if tx.already_committed:
                return _counts(parcel, 0)
            if tx.mark != parcel.told("market_mark") and attempt >= _POLITE:
                _plan_anew(run, parcel)
            if tx.mark == parcel.told("market_mark"):
                return _write(home, run, parcel, tx, at, cursor_moves)
            tx.abandon()
        _plan_anew(run, parcel)
    raise AssertionError("counting has no end")


def _plan_anew(run: RunRef, parcel: Parcel) -> None:
    plan_parcel(run, parcel)
    verdict = check_parcel(run, parcel)
    if not verdict.passed:
        raise verdict.rejection(str(report_path(run)))


def _write(home: Installation, run: RunRef, parcel: Parcel, tx: Commit, at: datetime, cursor_moves: bool) -> CommitCounts:
    parcel.feed()
    kind = parcel.ref.kind
    new = planning.keys_needed(parcel)
    load = export.Load(
        parcel, export.Stamp(run.connector, kind, at), staged.staged_columns(parcel), tx.allocate(kind.table, new) if new else 0
    )
    if kind is Kind.USER:
        tx.update(kind.table, load.released_keys())
    tx.insert(kind.table, load.new_rows())
    tx.update(kind.table, load.changed_rows(), load.update_policies())
    tx.update(kind.table, load.restored_rows())
    if kind in PEOPLE:
        tx.update(kind.table, load.filling_rows(), load.fill_policies())
        tx.update(kind.table, load.taken_back())
        tx.append("consent_ledger", load.ledger())
        tx.append("outbox", load.queued_opt_outs())
        tx.guard_addresses(load.addresses_left())
        _opt_out_held(parcel, load.stamp, tx)
        tx.part_people(load.parted())
    tx.put_links(load.links())
    if kind in PEOPLE:
        tx.merge_people(load.absorbed())
        tx.tell_other_crms(_pushing_opt_outs(home, run.connector))
    if kind.is_custom or "left_scope" in FIXED_COLUMNS.get(kind.table, ()):
        tx.update(kind.table, following.returned_rows(parcel, kind.key))
    tx.note_removals(following.gone(parcel))
    tx.leave_scope(following.left(parcel), settings_of(run).scope.left)
    tx.link_waiting_accounts()
    newly_held = tx.hold(holding.held_rows(parcel))
    released = tx.release(
        run.connector, kind, holding.passed_ids(parcel, home.market.quarantine.open_ids(run.connector, kind)), "passed its checks", at
    )
    if cursor_moves:
        tx.move_cursor(Cursor(run.connector, kind, datetime.fromisoformat(parcel.told("baseline") or at.isoformat())))
    counts = _counts(parcel, released, newly_held)
    tx.finish(counts)
    return counts


def _pushing_opt_outs(home: Installation, besides: str) -> frozenset[str]:
    """The connectors, besides this one, whose CRMs are told of opt-outs."""
    others = (each for each in home.settings.connectors.values() if each.name != besides)
    return frozenset(each.name for each in others if Kind.OPT_OUT in each.push.kinds())


def _opt_out_held(parcel: Parcel, stamp: export.Stamp, tx: Commit) -> None:
    """A record that is held back keeps its values to itself, but not its opt-out."""
    tx.update(stamp.kind.table, held_consent.opted_out_rows(parcel, stamp))
    tx.append("consent_ledger", held_consent.ledger(parcel, stamp))
    tx.put_links(held_consent.links(parcel, stamp))


def _counts(parcel: Parcel, released: int, newly_held: int = 0) -> CommitCounts:
    counted = staged.counts(parcel)
    return CommitCounts(**counted, released=released, newly_held=min(newly_held, counted["held"]))
