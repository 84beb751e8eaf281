"""reconciliation: Market and CRM are compared slice by slice in spare time, because some changes and deletions leave no trace."""

from __future__ import annotations

from datetime import datetime, timedelta

from prefect import flow
from prefect.runtime import flow_run

from flows.changes import follow_removals
from flows.pull import bring_in
from flows.rerun import reading
from sync.errors import GateRejected
from sync.records import Kind, ParcelRef, RunRef
from sync.slices import Slice
from tasks.reconcile import (
    choose_slices,
    compare_slice,
    extract_slice,
    extract_unread,
    kinds_to_compare,
    minutes_to_compare,
    note_absent,
    settle_slice,
)
from tasks.reconciled import RECONCILIATION_FLOW, note_reconciled
from tasks.removals import refuse_green
from tasks.runs import begin_following, only_run
from tasks.schema import follow_schema
from tasks.skipping import skipped_if_untimely
from tasks.verify import make_report, report_failure
from tasks.wiring import config_path, now


@flow(name=RECONCILIATION_FLOW, flow_run_name="reconciliation of {connector}", persist_result=True)
@skipped_if_untimely
def reconciliation(
    connector: str, config: str | None = None, kind: str | None = None, minutes: float | None = None, everything: bool = False
) -> str:
    """Compares Market with the connector's CRM, heals what differs, and finds what was deleted without a trace.

    Args:
        connector: The name of the connector in the configuration file.
        config: The configuration file; by default the environment's MARKETSYNC_CONFIG, else marketsync.toml.
        kind: Only users, accounts, leads, contacts, opportunities or a custom object, as custom_NAME.
        minutes: How long to go on; by default the setting reconcile_minutes. The slice that is at work when they end is finished.
        everything: Compare every slice, however long it takes.

    What was compared longest ago comes first. Returns the run's id.
    """
    run = RunRef(str(flow_run.get_id()), RECONCILIATION_FLOW, connector, config_path(config))
    with only_run(run):
        started_at = now()
        try:
            kinds = kinds_to_compare(run, begin_following(run), kind)
            until = None if everything else started_at + timedelta(minutes=minutes_to_compare(run, minutes))
            _reconcile(run, kinds, started_at, until)
        except BaseException as error:
            report_failure(run, started_at, error)
            raise
        return make_report(run, started_at).run_id


def _reconcile(run: RunRef, kinds: tuple[Kind, ...], started_at: datetime, until: datetime | None) -> None:
    schema = follow_schema(run)
    rejected: list[GateRejected] = []
    try:
        for one in choose_slices(run, kinds):
            if until is not None and now() >= until:
                break
            try:
                _compare(run, one, schema)
            except GateRejected as rejection:  # the other slices go on; the run fails at its end (GATE-3)
                rejected.append(rejection)
        follow_removals(run, kinds, schema, started_at)
    finally:
        note_reconciled(run)
    if rejected:
        raise rejected[0]
    refuse_green(run)


def _compare(run: RunRef, one: Slice, schema: str) -> None:
    ref = reading(extract_slice, run, one, schema)
    compared = compare_slice(run, one, ref)
    refs: list[ParcelRef] = []
    if not compared.alike:
        bring_in(run, ref, schema, cursor_moves=False)
        refs.append(ref)
    if compared.unread:
        named = reading(extract_unread, run, one, schema, compared.unread)
        note_absent(run, one, named, schema, compared.unread)
        bring_in(run, named, schema, cursor_moves=False)
        refs.append(named)
    settle_slice(run, one, compared, tuple(refs))
