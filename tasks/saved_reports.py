"""Saved reports at work: auto-deletion and segments at the end of a pull (DEL-3), and what an operator asks by hand (REPORT-1, DEL-4)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from prefect import task

from adapters.market.mass_delete import Warrant, refuse_deleting_by
from adapters.market.saved_reports_sql import listed_columns
from sync.brake import Answer
from sync.errors import ConfigError
from sync.records import Finding, RunRef
from sync.saved_reports import BrakeLimits, Deletion, Explanation, Preview, SavedReport, SegmentChange, brake_subject
from sync.settings import Settings
from tasks.report import BRAKED, note_findings
from tasks.typed import typed_command
from tasks.wiring import RETRY, Installation, installation, now, read_settings

_ALL = ""  # the brake's questions about reports are about all of Market, not about one connector


@task(name="auto-delete", task_run_name="auto-delete by saved reports", **RETRY)
def auto_delete(run: RunRef) -> tuple[Deletion, ...]:
    """DEL-3: every row that meets an auto-deletion report is deleted in Market. → what each report deleted, or waits to delete.

    Costs nothing where there is no such report, and writes nothing where no row meets one. What the brake holds is a finding of this
    and of every later run until somebody answers (DEL-8). Raises ConfigError when a report can't be answered; then nothing is deleted.
    """
    home = installation(run.config)
    reports = [report for report in home.settings.saved_reports.values() if report.auto_delete]
    if not reports:
        return ()
    home.market.saved_reports.check(reports)
    found = tuple(_delete(home, report, _warrant(home, run.run_id, "auto-deletion", "")) for report in reports)
    note_findings(run, [_finding(run.config, each) for each in found if each.rows])
    return tuple(each for each in found if each.rows and not each.refused)


@task(name="refresh segments", task_run_name="refresh segments", **RETRY)
def refresh_segments(run: RunRef) -> tuple[SegmentChange, ...]:
    """Segments follow their reports, by difference. → those that changed. Without segments it costs nothing."""
    home = installation(run.config)
    reports = [report for report in home.settings.saved_reports.values() if report.segment]
    if not reports:
        return ()
    changes = home.market.segments.refresh(reports, now())
    note_findings(run, [_change(each) for each in changes if each.joined or each.left])
    return changes


def _warrant(home: Installation, run_id: str, who: str, why: str) -> Warrant:
    return Warrant(run_id, who, why, now(), _limits(home.settings))


def _limits(settings: Settings) -> BrakeLimits:
    return BrakeLimits(settings.gate.mass_deletion_share, settings.gate.min_rows_for_share)


def _delete(home: Installation, report: SavedReport, warrant: Warrant) -> Deletion:
    """Looks first, in a transaction that can't write; asks the brake if it has to; deletes last."""
    warrant = replace(warrant, do_not_pull=warrant.do_not_pull or report.do_not_pull)
    seen = home.market.saved_reports.preview(report, warrant.now, warrant.limits)
    if not seen.rows:
        return Deletion(report.name, report.of, 0)
    if not warrant.limits.holds(seen.rows, seen.rows_before):
        return home.market.mass_delete.delete(report, warrant)
    asked = {"rows_affected": seen.rows, "rows_before": seen.rows_before, "limit_share": warrant.limits.limit_share}
    answer = home.market.brakes.ask(_ALL, brake_subject(report.name), **asked, run_id=warrant.run_id, now=warrant.now)  # type: ignore[arg-type]
    if answer is not Answer.ALLOW:
        return Deletion(report.name, report.of, seen.rows, braked=True, examples=seen.examples, refused=answer is Answer.REFUSE)
    return home.market.mass_delete.delete(report, replace(warrant, allowed_rows=seen.rows))


def _finding(config: str, done: Deletion) -> Finding:
    examples = done.examples[:5]
    if not done.braked:
        return Finding(
            None, "auto-deletion", f'{done.rows:,} {done.of} were deleted by the saved report "{done.report}"', done.rows, examples
        )
    if done.refused:
        what = f'the saved report "{done.report}" would delete {done.rows:,} {done.of}; somebody refused, and none was deleted'
        return Finding(None, "auto-deletion refused", what, done.rows, examples)
    look = typed_command(config, f"report preview {done.report}")
    answer = typed_command(config, "deletions list")
    what = (
        f'the saved report "{done.report}" would delete {done.rows:,} {done.of}, which is more than may go unasked; none was deleted. '
        f"`{look}` shows them, `{answer}` says how to answer"
    )
    return Finding(None, BRAKED, what, done.rows, examples)


def _change(change: SegmentChange) -> Finding:
    what = f'segment "{change.segment}": {change.joined:,} people joined, {change.left:,} left'
    return Finding(None, "segment", what, change.joined + change.left)


# -- by hand ------------------------------------------------------------------------------------------------------------


def reports_of(config: str) -> tuple[SavedReport, ...]:
    """The saved reports of the configuration, in the file's order."""
    return tuple(read_settings(config).saved_reports.values())


def report_named(config: str, name: str) -> SavedReport:
    """Raises ConfigError with near names."""
    return read_settings(config).saved_report(name)


def segment_sizes(config: str) -> dict[str, int]:
    """Segments that Market has, configured or not, with how many people are in them."""
    return installation(config).market.segments.sizes()


def run_report(config: str, name: str, limit: int | None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    """→ the names of the columns, and the rows as they are read. `limit` instead of the report's own."""
    report = report_named(config, name)
    return listed_columns(report), installation(config).market.saved_reports.rows(report, now(), limit)


def explain_report(config: str, name: str) -> Explanation:
    return installation(config).market.saved_reports.explain(report_named(config, name), now())


def preview_report(config: str, name: str) -> tuple[Preview, bool]:
    """DEL-4: what deleting by the report would do, and whether the brake would hold it. Raises ConfigError where it can't delete."""
    report = report_named(config, name)
    refuse_deleting_by(report)
    home = installation(config)
    seen = home.market.saved_reports.preview(report, now())
    return seen, _limits(home.settings).holds(seen.rows, seen.rows_before)


def delete_by_report(config: str, name: str, *, who: str, why: str, do_not_pull: bool) -> Deletion:
    """DEL-4, by hand. The brake holds here as well: a question is written down, and deleting again after a yes does it (DEL-8)."""
    if not why.strip():
        raise ConfigError("rows are deleted only for a reason", where=f"report {name}", todo='Say why: --reason "…".')
    report = report_named(config, name)
    refuse_deleting_by(report)
    home = installation(config)
    return _delete(home, report, replace(_warrant(home, f"by-hand-{uuid.uuid4()}", who, why), do_not_pull=do_not_pull))
