"""Who stands on the lists: extract, plan, check, commit (LIST-1, LIST-2)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect import task

from adapters.market.commit import Commit
from adapters.staging import Parcel, holding, list_members
from adapters.staging.export import Stamp
from expectations.list_rules import member_rules
from sync.crm import Crm
from sync.gate import BatchContext, Verdict
from sync.happened import of_counts
from sync.lists import MEMBER_FIELDS, decide_member, unread_finding
from sync.records import CommitCounts, Kind, ParcelRef, ReadRequest, RunRef
from tasks.check import judge_parcel
from tasks.commit import COMMITTED
from tasks.extract import READ
from tasks.happened import note_happened
from tasks.lists import IN_TURN, keep_compared
from tasks.progress import Step, tell
from tasks.report import counts_of, keep_counts, note_findings, report_path
from tasks.rerun import note_finished
from tasks.wiring import RETRY, Installation, installation, now, open_crm, settings_of


@dataclass(frozen=True, slots=True)
class MembersPlan:
    """What planning found. `unknown`: records that Market lacks, to be fetched (LIST-2); `missing`: records that stand on no list any more,
    of which nobody knows whether they live (DEL-6). `news`: whether there is anything to commit."""

    ref: ParcelRef
    news: bool
    unknown: dict[Kind, tuple[str, ...]]
    missing: dict[Kind, tuple[str, ...]]


@task(name="extract list members", task_run_name="extract the members of lists of {run.connector}, {purpose}", **RETRY)
def extract_members(run: RunRef, purpose: str, list_ids: tuple[str, ...]) -> ParcelRef | None:
    """Stages who stands on these lists, or goes on with what an earlier run staged of them.

    In turn it makes one call; None: the next cycle goes on.
    """
    home, crm = installation(run.config), open_crm(run.config, run.connector)
    ref = _left_over(home, run, purpose, list_ids)
    if ref is None:
        about = {"begun": now().isoformat(), "lists": json.dumps(list_ids)}
        ref = home.parcels.create(run.connector, Kind.LIST_MEMBER, purpose, MEMBER_FIELDS, (), about)
    with home.parcels.open(ref) as parcel:
        if parcel.told("state") != READ and _stage(crm, parcel, list_ids, 1 if purpose == IN_TURN else None):
            parcel.tell("state", READ)
        return ref if parcel.told("state") == READ else None


def _left_over(home: Installation, run: RunRef, purpose: str, list_ids: tuple[str, ...]) -> ParcelRef | None:
    ref = home.parcels.find(run.connector, Kind.LIST_MEMBER, purpose)
    if ref is None:
        return None
    with home.parcels.open(ref) as parcel:
        same = tuple(json.loads(parcel.told("lists") or "[]")) == list_ids
    if same and not home.market.cursors.is_committed(ref.parcel_id):
        return ref
    home.parcels.discard(ref)
    return None


def _stage(crm: Crm, parcel: Parcel, list_ids: tuple[str, ...], most_pages: int | None) -> bool:
    """Each page is on disk before the next one is asked for. → whether the end was reached."""
    request = ReadRequest(Kind.LIST_MEMBER, MEMBER_FIELDS, ids=list_ids)
    progress, pages = parcel.progress(), 0
    spool = parcel.spool()
    try:
        for stream in crm.streams(request):
            known = progress.get(stream.name)
            if known is not None and known.ended:
                continue
            for page in crm.pages(request, stream, known.position if known else None):
                spool.add(page)
                spool.flush()
                pages += 1
                if pages == most_pages and page.position is not None:
                    return False
    finally:
        spool.close()
    return True


@task(name="plan list members", task_run_name="plan the members of lists of {run.connector}", **RETRY)
def plan_members(run: RunRef, ref: ParcelRef, again: bool = False) -> MembersPlan:
    """Compares who came with who is in Market (`again`: once more, now that records were fetched or asked for)."""
    with installation(run.config).parcels.open(ref) as parcel:
        plan_parcel_of_members(run, parcel)
        note_findings(run, [unread_finding(kind, lists) for kind, lists in list_members.unread(parcel).items()])
        news = not ref.path.endswith(f"-{IN_TURN}.duckdb") or list_members.changes(parcel) > 0
        return MembersPlan(ref, news, list_members.unknown_members(parcel), list_members.members_to_ask(parcel))


def plan_parcel_of_members(run: RunRef, parcel: Parcel) -> None:
    """Makes knowledge and plan afresh, because Market may have moved."""
    market, pulled = installation(run.config).market, settings_of(run).pull.kinds()
    parcel.tell("market_mark", market.mark())
    list_members.forget(parcel, pulled)
    parcel.learn("known_lists", market.lists.known(run.connector, list_members.named_lists(parcel)))
    parcel.learn("known_members", market.lists.members(list_members.known_lists(parcel)))
    for kind in pulled:
        list_members.keep_references(parcel, kind, market.lookup_links(run.connector, kind, list_members.record_ids(parcel, kind)))
    decisions = {number: decide_member(facts) for number, facts in list_members.situations(parcel).items()}
    list_members.write_plan(parcel, decisions)


@task(name="ask for missing members", task_run_name="ask whether {kind.plural} of {run.connector} live", **RETRY)
def ask_missing(run: RunRef, ref: ParcelRef, kind: Kind, ids: tuple[str, ...]) -> None:
    """DEL-6: which of these records the CRM still shows. Whoever it does not show is deleted or hidden, and stays on the list."""
    crm = open_crm(run.config, run.connector)
    request = ReadRequest(kind, ("id",), ids=ids)
    living = [line for stream in crm.streams(request) for page in crm.pages(request, stream) for line in _ids(page.body)]
    with installation(run.config).parcels.open(ref) as parcel:
        list_members.keep_asked(parcel, kind, ids, living)


def _ids(body: bytes) -> Iterator[str]:
    """The key, as any of the CRMs spells it."""
    found = (json.loads(line) for line in body.splitlines() if line)
    return (str(next(value for name, value in record.items() if name.lower() == "id")) for record in found)


@task(name="check list members", task_run_name="check the members of lists of {run.connector}", **RETRY)
def check_members(run: RunRef, ref: ParcelRef) -> int:
    """Runs the checks and sets aside the members that fail; → how many. Raises GateRejected when the whole batch is bad (GATE-3)."""
    with installation(run.config).parcels.open(ref) as parcel:
        verdict = _judge(run, parcel)
    if not verdict.passed:
        raise verdict.rejection(str(report_path(run)))
    return verdict.held_rows


def _judge(run: RunRef, parcel: Parcel) -> Verdict:
    home = installation(run.config)
    limits = home.settings.gate
    context = BatchContext(
        connector=run.connector,
        kind=Kind.LIST_MEMBER,
        parcel_id=parcel.ref.parcel_id,
        columns={},
        rows_read=parcel.rows(),
        known_rows=0,
        previous_rows=None,
        max_held_share=limits.max_held_share,
        mass_blanking_share=limits.mass_blanking_share,
        collapse_share=limits.collapse_share,
        min_rows_for_share=limits.min_rows_for_share,
        held_before=frozenset(home.market.quarantine.open_ids(run.connector, Kind.LIST_MEMBER)),
    )
    return judge_parcel(run, parcel, context, member_rules(limits.mass_leaving_share, limits.min_rows_for_share))


@task(name="commit list members", task_run_name="commit the members of lists of {run.connector}", **RETRY)
def commit_members(run: RunRef, ref: ParcelRef) -> CommitCounts:
    """Commits the parcel, or finds that it is committed; then it is set aside for whoever wants to look at it."""
    home = installation(run.config)
    earlier = counts_of(run, ref)
    if earlier is not None and not home.parcels.is_open(ref):
        return earlier  # a try that died after its last act
    with home.parcels.open(ref) as parcel:
        counts = _commit(home, run, parcel)
        note_happened(run, ref.parcel_id, of_counts(ref.kind, counts))
        tell(Step(run.run_id, Kind.LIST_MEMBER.value, "commit", counts.inserted + counts.updated, counts.read, ended=True))
    keep_counts(run, ref, counts)
    home.parcels.keep_aside(ref, COMMITTED)
    return counts


def _commit(home: Installation, run: RunRef, parcel: Parcel) -> CommitCounts:
    """Plans and checks again if Market has moved since the plan was made."""
    while True:
        at = now()
        with home.market.commit(parcel.ref, run.run_id, at) as tx:
            if tx.already_committed:
                return CommitCounts(**list_members.counts(parcel))
            if tx.mark == parcel.told("market_mark"):
                return _write(home, run, parcel, tx, at)
            tx.abandon()
        plan_parcel_of_members(run, parcel)
        verdict = _judge(run, parcel)
        if not verdict.passed:
            raise verdict.rejection(str(report_path(run)))


def _write(home: Installation, run: RunRef, parcel: Parcel, tx: Commit, at: datetime) -> CommitCounts:
    stamp = Stamp(run.connector, Kind.LIST_MEMBER, at)
    tx.insert(Kind.LIST_MEMBER.table, list_members.joined_rows(parcel, stamp))
    tx.put_members(list_members.changed_rows(parcel, stamp))
    tx.update(Kind.LIST.table, list_members.read_rows(parcel, parcel.told("begun") or at.isoformat()))
    tx.hold(holding.held_rows(parcel))
    passed = holding.passed_ids(parcel, home.market.quarantine.open_ids(run.connector, Kind.LIST_MEMBER))
    released = tx.release(run.connector, Kind.LIST_MEMBER, passed, "passed its checks", at)
    counts = CommitCounts(**list_members.counts(parcel), released=released)
    tx.finish(counts)
    return counts


@task(name="note lists as compared", task_run_name="note that lists of {run.connector} are as they were", **RETRY)
def note_compared(run: RunRef, ref: ParcelRef, list_ids: Sequence[str]) -> None:
    """A turn that found nothing leaves no trace in Market, only its place in the order of turns (FLOW-4)."""
    home = installation(run.config)
    with home.parcels.open(ref) as parcel:
        begun = datetime.fromisoformat(parcel.told("begun") or now().isoformat())
    keep_compared(run, list_ids, begun)
    note_finished(run, ref)
    home.parcels.discard(ref)
