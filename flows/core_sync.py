"""core-sync: every 20 minutes. What changed in the CRM since the last run changes in Market (PULL); opt-outs and scores go out (PUSH)."""

from __future__ import annotations

from datetime import datetime

from prefect import flow
from prefect.runtime import flow_run

from flows.changes import follow_changes, follow_held, follow_opt_outs, follow_removals, follow_reports
from flows.lists import follow_lists
from flows.push import push_as_far_as_possible
from flows.schema import backfill_fields
from sync.push import CORE
from sync.records import Kind, RunRef
from tasks.operate import CORE_FLOW
from tasks.removals import refuse_green
from tasks.runs import begin_following, only_run
from tasks.schema import follow_schema
from tasks.skipping import skipped_if_untimely
from tasks.unsubscribes import begin_following_addresses
from tasks.verify import close_following, report_failure
from tasks.wiring import config_path, now


@flow(name=CORE_FLOW, flow_run_name="core sync of {connector}", persist_result=True)
@skipped_if_untimely
def core_sync(connector: str, config: str | None = None) -> str:
    """Brings what changed in the connector's CRM into Market (fields, records, opt-outs, deletions), and opt-outs and scores into the CRM.

    Args:
        connector: The name of the connector in the configuration file.
        config: The configuration file; by default the environment's MARKETSYNC_CONFIG, else marketsync.toml.

    Costs one call per object when nothing changed, and writes nothing then. Returns the id of the run.
    """
    run = RunRef(str(flow_run.get_id()), CORE_FLOW, connector, config_path(config))
    with only_run(run):
        started_at = now()
        try:
            _follow(run, begin_following(run), started_at)
        except BaseException as error:
            report_failure(run, started_at, error)
            raise
        close_following(run, started_at)
    return run.run_id


def _follow(run: RunRef, kinds: tuple[Kind, ...], started_at: datetime) -> None:
    """PULL-5: schema, users, accounts, leads, contacts, opportunities, marketing lists, unsubscribes, deletions; then the pushes.

    Opt-outs go out before everything else (CONSENT-9): nothing that the pull may meet, a batch that is stopped or a field that is gone,
    keeps one from the CRM. CONSENT-5 makes that safe: whatever the CRM says meanwhile, our opt-out wins. Those that the pull itself
    queues (CONSENT-1) follow it at once, ahead of the scores. A push that is stopped keeps nothing back either: the run fails at its end.
    """
    stopped = push_as_far_as_possible(run, (Kind.OPT_OUT,), started_at, "first-")
    schema = follow_schema(run)
    begin_following_addresses(run)
    follow_changes(run, kinds, schema, started_at)
    follow_held(run, kinds, schema, started_at)
    follow_lists(run, schema, started_at)
    follow_opt_outs(run, schema, started_at)
    follow_removals(run, kinds, schema, started_at)
    stopped = push_as_far_as_possible(run, CORE, started_at) or stopped
    follow_reports(run, started_at)
    backfill_fields(run, schema, started_at)
    if stopped is not None:
        raise stopped
    refuse_green(run)
