"""What the CRM deleted is deleted here, unless it is so much that a person has to be asked (DEL-1, DEL-8)."""

from __future__ import annotations

from prefect import task

from adapters.market.applying import Removed
from sync.brake import Answer, must_ask, rows_worth_counting
from sync.errors import DeletionHeld
from sync.happened import Happened, What
from sync.records import Finding, Kind, RunRef
from tasks.happened import note_happened
from tasks.report import BRAKED, forget_findings, note_findings, noted_findings
from tasks.wiring import RETRY, installation, now


@task(name="apply removals", task_run_name="apply removals of {run.connector}", **RETRY)
def apply_removals(run: RunRef, kinds: tuple[Kind, ...]) -> tuple[tuple[Kind, str], ...]:
    """Everything that waits, kind by kind. Returns the records that own a row now whose owner was deleted: read them again by name.

    What a brake holds waits on; it is a finding of this and of every later run until somebody answers.
    """
    heirs: list[tuple[Kind, str]] = []
    for kind in kinds:
        removed = _apply(run, kind)
        counts = {What.DELETED: removed.deleted, What.MERGED: removed.merged}
        note_happened(run, f"removals-{kind}", [Happened(kind, what, count) for what, count in counts.items() if count])
        heirs += removed.heirs
    return tuple(heirs)


def _apply(run: RunRef, kind: Kind) -> Removed:
    home = installation(run.config)
    market, limits = home.market, home.settings.gate
    if not market.removals.waiting(run.connector, kind):
        return Removed()
    brake = {"limit_share": limits.mass_deletion_share, "min_rows": limits.min_rows_for_share}
    waiting = market.removals.waiting(run.connector, kind)
    measured = market.removals.measure(run.connector, kind, rows_worth_counting(waiting, **brake))  # type: ignore[arg-type]
    if must_ask(measured.rows, measured.of, **brake):  # type: ignore[arg-type]
        asked = {"rows_affected": measured.rows, "rows_before": measured.of, "limit_share": limits.mass_deletion_share}
        answer = market.brakes.ask(run.connector, kind.value, **asked, run_id=run.run_id, now=now())  # type: ignore[arg-type]
        if answer is Answer.REFUSE:
            market.removals.drop(run.connector, kind, now=now())
            return Removed()
        if answer is Answer.WAIT:
            note_findings(run, [_braked(run, kind, measured.rows, measured.of)])
            return Removed()
    return market.removals.apply(run.connector, kind, run_id=run.run_id, now=now())


def forget_braked(run: RunRef, kinds: tuple[Kind, ...]) -> bool:
    """Whether a brake held for these kinds in an earlier try of this run; what was found of it is forgotten."""
    return forget_findings(run, lambda finding: finding.topic == BRAKED and finding.kind in kinds)


def refuse_green(run: RunRef) -> None:
    """DEL-8: a run in which a brake held does not end as if all were well. Raises DeletionHeld, when everything else is done."""
    held = [finding.message for finding in noted_findings(installation(run.config), run) if finding.topic == BRAKED]
    if held:
        raise DeletionHeld(
            "; ".join(held), where=f"connector {run.connector}", todo="Answer, and run again: `marketsync deletions list` says how."
        )


def _braked(run: RunRef, kind: Kind, rows: int, of: int) -> Finding:
    share = rows / of
    message = f"{rows:,} {kind.plural} ({share:.0%}) would be deleted, which is more than may go unasked; none was"
    return Finding(kind, BRAKED, message, rows)
