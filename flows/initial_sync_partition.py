"""initial-sync-partition: one share of a large kind, read on whichever worker takes it, for the initial sync that started it (INIT-7)."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from sync.records import RunRef
from tasks.extract_share import extract_share, kind_named
from tasks.operate import PARTITION_FLOW
from tasks.shown import progress_shown
from tasks.wiring import config_path


@flow(name=PARTITION_FLOW, flow_run_name="share {number} of {kind} of {connector}", persist_result=True)
def initial_sync_partition(connector: str, kind: str, number: int, share: str, config: str | None = None) -> int:
    """Reads one share of a large kind into a file of its own. The initial sync that is at work starts it, and takes in what it has read.

    Args:
        connector: The name of the connector in the configuration file.
        kind: Users, accounts, leads, contacts, opportunities or a custom object, as custom_NAME.
        number: Which of the shares, from 1.
        share: Its id. Only the initial sync that made the share knows it.
        config: The configuration file; by default the environment's MARKETSYNC_CONFIG, else marketsync.toml.

    Nothing of it reaches Market before the initial sync has taken it in. Retried, it goes on where it stopped. Returns its records.
    """
    run = RunRef(str(flow_run.get_id()), PARTITION_FLOW, connector, config_path(config))
    with progress_shown(run):
        return extract_share(run, kind_named(run, kind), number, share)
