"""The gate over one planned parcel: what fails is set aside with its reason, or stops the batch (GATE)."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task

from adapters.staging import Parcel, holding, planning
from expectations.rules import CheckRule
from sync.disk import disk_errors
from sync.gate import BatchContext, Verdict
from sync.records import CommitCounts, ParcelRef, RunRef
from sync.report import HeldRow, parcel_report, shorten
from tasks.progress import Step, tell
from tasks.report import keep_part, report_path
from tasks.wiring import RETRY, installation

REJECTED = "rejected"


@task(name="check", task_run_name="check {ref.kind.plural} of {run.connector}", **RETRY)
def check(run: RunRef, ref: ParcelRef) -> int:
    """Runs the checks and sets aside the rows that fail; returns how many. Raises GateRejected when the whole batch is bad (GATE-3)."""
    with installation(run.config).parcels.open(ref) as parcel:
        tell(Step(run.run_id, ref.kind.value, "check", 0, None))
        verdict = check_parcel(run, parcel)
        tell(Step(run.run_id, ref.kind.value, "check", verdict.staged_rows, verdict.staged_rows, ended=True))
    if not verdict.passed:
        raise verdict.rejection(str(report_path(run)))
    return verdict.held_rows


def check_parcel(run: RunRef, parcel: Parcel) -> Verdict:
    """The verdict, which is also kept as this parcel's part of the report."""
    return judge_parcel(run, parcel, _context(run, parcel))


def judge_parcel(run: RunRef, parcel: Parcel, context: BatchContext, rules: Sequence[CheckRule] | None = None) -> Verdict:
    """The same by other rules than the kind's own; None: its own."""
    from expectations.gate import run_gate  # the import costs seconds, and only a batch needs it

    docs = _DataDocs(run, parcel.ref) if installation(run.config).settings.reports.data_docs else None
    verdict = run_gate(parcel, context, rules, docs)
    held = holding.set_aside(parcel, verdict.held_query)
    rows = tuple(
        HeldRow(crm_id or "", rule, reason, column or "", shorten(value))
        for crm_id, rule, reason, column, value in holding.held_shown(parcel)
    )
    counts = CommitCounts(read=parcel.rows(), held=held)
    state = "checked" if verdict.passed else REJECTED
    if not verdict.passed:
        parcel.tell("state", REJECTED)  # should the run die now, the next one reads afresh all the same
    keep_part(run, parcel_report(verdict, counts, state=state, held=rows, data_docs=docs.files if docs else ()))
    return verdict


class _DataDocs:
    """Keeps Great Expectations' page beside the run's report. `files`: its name, once there is one."""

    def __init__(self, run: RunRef, ref: ParcelRef) -> None:
        self._page = report_path(run).with_name(f"data-docs-{ref.kind}-{ref.parcel_id}.html")
        self.files: tuple[str, ...] = ()

    def __call__(self, page: str) -> None:
        with disk_errors(f"Data Docs {self._page}"):
            self._page.parent.mkdir(parents=True, exist_ok=True)
            self._page.write_text(page, encoding="utf-8")
        self.files = (self._page.name,)


def _context(run: RunRef, parcel: Parcel) -> BatchContext:
    home, kind = installation(run.config), parcel.ref.kind
    limits = home.settings.gate
    actions = planning.action_counts(parcel)
    judged = actions.get("update", 0) + actions.get("fill", 0) >= limits.min_rows_for_share
    whole = parcel.told("whole") == "yes"
    return BatchContext(
        connector=run.connector,
        kind=kind,
        parcel_id=parcel.ref.parcel_id,
        columns={reading.column: reading.type for reading in parcel.readings},
        rows_read=parcel.rows(),
        known_rows=home.market.counts(run.connector, kind).linked if whole else 0,  # a window is not compared with history
        previous_rows=None,
        max_held_share=limits.max_held_share,
        mass_blanking_share=limits.mass_blanking_share,
        collapse_share=limits.collapse_share,
        min_rows_for_share=limits.min_rows_for_share,
        blank_shares=home.market.blank_shares(kind, planning.sample_of_updates(parcel)) if judged else {},
        whole=whole,
        held_before=frozenset(home.market.quarantine.open_ids(run.connector, kind)),
    )
