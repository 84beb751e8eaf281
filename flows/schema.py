"""The backfill of new fields, in the time that a run has to spare: extract → plan → check → commit, per kind (PULL-4)."""

from __future__ import annotations

from datetime import datetime

from flows.rerun import reading
from sync.errors import GateRejected
from sync.records import RunRef
from tasks.backfill import backfills_end, commit_backfill, extract_backfill, kinds_to_backfill, plan_backfill
from tasks.check import check
from tasks.runs import note_running, set_rejected_aside


def backfill_fields(run: RunRef, schema: str, started_at: datetime) -> None:
    """Fills new fields in for the rows that were here before them; what the run has no time for goes on in the next one.

    After the pull, so that a field's newest values win. Does nothing, and asks the CRM nothing, when no field is new.
    """
    until = backfills_end(run)
    for kind in kinds_to_backfill(run):
        note_running(run, started_at)
        ref = reading(extract_backfill, run, kind, schema, until)
        if ref is None:
            continue
        plan_backfill(run, ref)
        try:
            check(run, ref)
        except GateRejected:
            set_rejected_aside(run, ref)
            raise
        commit_backfill(run, ref)
