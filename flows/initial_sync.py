"""initial-sync: once per CRM. Schema, then users, accounts, leads, contacts, opportunities; then the counts are compared (INIT)."""

from __future__ import annotations

from datetime import datetime

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.lists import follow_lists
from flows.pull import bring_in, read_ahead
from sync.records import Kind, RunRef
from sync.report import RunReport
from tasks.extract_files import check_files
from tasks.operate import INITIAL_FLOW
from tasks.runs import INITIAL, begin, finished_kinds, is_complete, only_run
from tasks.schema import replicate_schema
from tasks.skipping import skipped_if_untimely
from tasks.verify import make_report, report_failure, verify
from tasks.wiring import config_path, now


@flow(name=INITIAL_FLOW, flow_run_name="initial sync of {connector}", persist_result=True)
@skipped_if_untimely
def initial_sync(
    connector: str, config: str | None = None, again: bool = False, files: str | None = None, exported_at: str | None = None
) -> str:
    """Brings everything that the connector's CRM has into Market, and explains every difference.

    Args:
        connector: The name of the connector in the configuration file.
        config: The configuration file; by default the environment's MARKETSYNC_CONFIG, else marketsync.toml.
        again: Read everything once more although the initial sync is complete. Harmless: equal rows are not written.
        files: A directory of files exported from the CRM (leads.csv, contacts.parquet …); a kind without a file is read over HTTP.
        exported_at: When that export began, such as 2026-01-31T08:00:00Z. Not told: a day before the newest record of each file.

    A run that was stopped goes on where it stopped (INIT-7). Returns the place of the quality report.
    """
    run = RunRef(str(flow_run.get_id()), INITIAL_FLOW, connector, config_path(config))
    with only_run(run):
        started_at = now()
        try:
            _sync(run, begin(run), again=again, files=files, exported_at=exported_at)
        except BaseException as error:
            report_failure(run, started_at, error)
            raise
        return _close(run, started_at)


def _sync(run: RunRef, kinds: tuple[Kind, ...], *, again: bool, files: str | None, exported_at: str | None) -> None:
    logger = get_run_logger()
    if is_complete(run) and not again:
        logger.info("the initial sync of %s is complete; nothing to do", run.connector)
        return
    done = frozenset() if again else finished_kinds(run, kinds)
    schema = replicate_schema(run)
    exported = check_files(run, kinds, schema, files, exported_at)
    futures = read_ahead(run, tuple(kind for kind in kinds if kind not in done), INITIAL, schema, exported)
    for kind, future in futures.items():
        counts = bring_in(run, future.result(), schema)
        logger.info("%s: %s came, %s new, %s held back", kind.plural, counts.read, counts.inserted, counts.held)
    follow_lists(run, schema, now(), whole=again)
    verify(run)


def _close(run: RunRef, started_at: datetime) -> str:
    report: RunReport = make_report(run, started_at)
    return report.run_id
