"""Counts, CRM against Market, and the report of the run (INIT-6, GATE-5)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.exceptions import TerminationSignal
from prefect.runtime import flow_run

from adapters.market.books import COMPLETED, FAILED, STOPPED, Run
from adapters.reports import Kept, prune, write_report
from adapters.staging.duck import staging_errors
from sync.errors import CredentialError, InitialSyncMissing, MarketsyncError, MarketUnavailable, VerificationFailed
from sync.records import Filter, Kind, RunRef
from sync.report import ParcelReport, RunReport, VerificationLine, headline, summary
from sync.verification import CountFacts, MemberCountFacts, verify_counts, verify_members
from tasks.alerts import tell_after
from tasks.contact import keep_accepted, keep_refused
from tasks.engine import shows_runs
from tasks.happened import kept_happened
from tasks.lists import follows_lists
from tasks.operate import CORE_FLOW, INITIAL_FLOW
from tasks.overview import write_overview
from tasks.pulse import artifact_key, keep_pulse
from tasks.reconciled import RECONCILIATION_FLOW
from tasks.report import keep_verification, kept_parts, kept_verification, next_steps, noted_findings, prune_runs, report_link, report_path
from tasks.runs import INITIAL, finished_kinds
from tasks.stopping import stop_reading, was_stopped
from tasks.summary import as_markdown
from tasks.wiring import RETRY, installation, now, open_crm, settings_of

_ASKING_FLOWS = (CORE_FLOW, RECONCILIATION_FLOW)
_STOPPED_BY_YOU = "Stopped by you; the same command goes on."


@task(name="verify", task_run_name="verify counts of {run.connector}", **RETRY)
def verify(run: RunRef) -> None:
    """Compares the counts of every kind. Raises VerificationFailed when a difference has no explanation."""
    kinds = settings_of(run).kinds()
    lines = tuple(_verify_kind(run, kind) for kind in kinds) + (_verify_lists(run) if follows_lists(run) else ())
    keep_verification(run, lines)
    unexplained = [line for line in lines if not line.explained]
    if unexplained:
        raise VerificationFailed(
            "; ".join(f"{line.kind.plural}: {line.lines[-1]}" for line in unexplained),
            where=f"connector {run.connector}",
            todo=f"Read {report_path(run)}; see whether the syncing user's rights changed, then run again with --again.",
        )


def _verify_kind(run: RunRef, kind: Kind) -> VerificationLine:
    home, connector = installation(run.config), settings_of(run)
    crm = open_crm(run.config, run.connector)
    cursor = home.market.cursors.read(run.connector, kind)
    since = cursor.at if cursor else crm.now()
    where = connector.filters.get(kind, Filter())
    filtered = crm.count(kind, where=where)
    market = home.market.counts(run.connector, kind)
    balanced = filtered == market.linked + market.held
    facts = CountFacts(
        crm_all=crm.count(kind) if where else filtered,
        crm_filtered=filtered,
        crm_since=0 if balanced else crm.count(kind, where=where, created_from=since),
        crm_deleted=0 if balanced else crm.count_deleted(kind, since),
        market_linked=market.linked,
        market_rows=market.rows,
        market_held=market.held,
        market_since=0 if balanced else home.market.counts(run.connector, kind, since).linked,
        expected=connector.expected(kind),
    )
    return verify_counts(kind, facts)


def _verify_lists(run: RunRef) -> tuple[VerificationLine, ...]:
    counts = installation(run.config).market.lists.counts(run.connector)
    facts = MemberCountFacts(counts.counted, counts.members, counts.unlinked)
    return (_verify_kind(run, Kind.LIST), verify_members(facts))


def make_report(run: RunRef, started_at: datetime, error: BaseException | None = None) -> RunReport:
    """Writes the run's page and summary artifact, and closes the run in Market. Also for a run that failed: then `error` says how."""
    home = installation(run.config)
    parts = kept_parts(home, run)
    rejected = any(part.rejected_because for part in parts)
    state = _state(error, rejected)
    report = RunReport(
        run_id=run.run_id,
        flow=run.flow,
        connector=run.connector,
        started_at=started_at,
        ended_at=now(),
        state=state,
        parcels=parts,
        verification=kept_verification(home, run),
        findings=noted_findings(home, run),
        error=_STOPPED_BY_YOU if state == STOPPED else "" if error is None else _told(error),
        happened=() if run.flow == INITIAL_FLOW else kept_happened(home, run),
        shown_at=flow_run.ui_url or "" if shows_runs() else "",
        error_type="" if error is None else type(error).__name__,
    )
    report = replace(report, next_steps=next_steps(run, report), earlier=_done_earlier(run, parts))
    with staging_errors(f"report of run {run.run_id}"):
        page = write_report(report, home.reports_dir)
        keep = home.settings.reports
        prune_runs(home, prune(home.reports_dir, Kept(keep.keep_days, keep.routine_days), now()))
        home.parcels.prune(timedelta(days=home.settings.staging.keep_committed_days).total_seconds(), now().timestamp())
    home.market.runs.start(Run(run.run_id, run.flow, run.connector, started_at))
    home.market.findings.save(run.run_id, run.connector, report.findings)
    closed = FAILED if state == "rejected" else state
    home.market.runs.finish(run.run_id, closed, now(), summary=summary(report), report=str(page))
    report = _told_on(run, report, error)
    _show(run, report, page)
    return report


def _told_on(run: RunRef, report: RunReport, error: BaseException | None) -> RunReport:
    """The run is over and written down: what its standing says is kept, and whoever is to know of it is told. → the report, with what went
    wrong with that."""
    home = installation(run.config)
    if report.state == COMPLETED:
        keep_pulse(run, report.started_at, report.ended_at, headline(report))
    if _crm_answered(report, error):
        keep_accepted(run.config, run.connector)
    untold = tell_after(run, error)
    write_overview(run.config)
    if untold:
        home.market.findings.save(run.run_id, run.connector, untold)
        report = replace(report, findings=(*report.findings, *untold))
        with staging_errors(f"report of run {run.run_id}"):
            write_report(report, home.reports_dir)
    return report


def _show(run: RunRef, report: RunReport, page: Path) -> None:
    """On the run's page in the Prefect UI: the summary, and a link to the whole report where one can be followed."""
    link = report_link(run)
    create_markdown_artifact(as_markdown(report, link, page), key=artifact_key(run), description=headline(report))
    if link:
        told = "Every check, and the rows that were held back."
        create_link_artifact(link, "The quality report of this run", key=artifact_key(run, "report"), description=told)


def close_following(run: RunRef, started_at: datetime, idle: str = "") -> None:
    """The end of a recurring run that went well. One that did nothing leaves its pulse and an artifact, and no trace in Market (FLOW-4).

    `idle`: what is said of that one.
    """
    home = installation(run.config)
    if kept_happened(home, run) or kept_parts(home, run) or home.market.runs.get(run.run_id) is not None:
        make_report(run, started_at)
        return
    said = idle or f"Nothing had changed in {run.connector}."
    keep_pulse(run, started_at, now(), said)
    if run.flow in _ASKING_FLOWS:  # a push that had nothing to do has not asked the CRM anything
        keep_accepted(run.config, run.connector)
    for finding in tell_after(run):
        get_run_logger().warning(finding.message)
    create_markdown_artifact(said, key=artifact_key(run), description=said)
    shutil.rmtree(home.run_dir(run.run_id))


def _crm_answered(report: RunReport, error: BaseException | None) -> bool:
    """Whether the run shows that the login is good."""
    if isinstance(error, CredentialError):
        return False
    asked = error is None and report.flow in _ASKING_FLOWS
    return asked or bool(report.pulled) or any(part.counts.updated for part in report.pushed)


def _done_earlier(run: RunRef, parts: tuple[ParcelReport, ...]) -> tuple[Kind, ...]:
    """The kinds that this run had not to read again (INIT-7). What was fetched on the side for another kind is no reading of a kind."""
    if run.flow != INITIAL_FLOW:
        return ()
    read = {part.kind for part in parts if part.parcel_id.startswith(f"{run.connector}-{part.kind}-{INITIAL}-")}
    try:
        kinds = settings_of(run).kinds()
        return tuple(sorted(finished_kinds(run, kinds) - read, key=lambda kind: kind.place))
    except MarketsyncError:
        return ()  # a run that failed because Market is away has a page all the same


def _state(error: BaseException | None, rejected: bool) -> str:
    """Ctrl-C and SIGTERM are no failures, whatever error a library made of them."""
    if error is None:
        return COMPLETED
    if rejected:
        return "rejected"
    return STOPPED if isinstance(error, (KeyboardInterrupt, TerminationSignal)) or was_stopped() else FAILED


def report_failure(run: RunRef, started_at: datetime, error: BaseException) -> None:
    """The report of a run that failed. What keeps it from being made is noted on `error`, and never takes its place."""
    if isinstance(error, InitialSyncMissing):  # nothing has begun, and every two minutes a report would say so
        return
    if isinstance(error, TerminationSignal):
        stop_reading()
    try:
        if isinstance(error, CredentialError):
            keep_refused(run.config, run.connector, error)
        make_report(run, started_at, error)
    except (MarketsyncError, ValueError) as trouble:  # ValueError: a part of it was cut off when the disk was full
        error.add_note(f"The report of this run is not complete: {trouble}")
        if isinstance(trouble, MarketUnavailable):
            tell_after(run, trouble)


def _told(error: BaseException) -> str:
    """Errors of ours are written for people; of others only the type is told, since their text may hold anything."""
    return str(error) if isinstance(error, MarketsyncError) else f"{type(error).__name__}: see the log of the run"
