"""time-sensitive-sync: every 2 minutes. Opt-outs, new leads and what people just did go to the CRM (PUSH-U, -L, -R, -T, -W, -P, -V)."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from flows.push_only import push_only
from sync.push import TIME_SENSITIVE
from sync.records import RunRef
from tasks.operate import TIME_SENSITIVE_FLOW
from tasks.skipping import skipped_if_untimely
from tasks.wiring import config_path


@flow(name=TIME_SENSITIVE_FLOW, flow_run_name="time-sensitive sync of {connector}", persist_result=True)
@skipped_if_untimely
def time_sensitive_sync(connector: str, config: str | None = None) -> str:
    """Writes to the connector's CRM what must not wait: opt-outs first, then people, then what they did.

    Args:
        connector: The name of the connector in the configuration file.
        config: The configuration file; by default the environment's MARKETSYNC_CONFIG, else marketsync.toml.

    Makes no call when nothing waits, and writes nothing then. Returns the id of the run.
    """
    return push_only(RunRef(str(flow_run.get_id()), TIME_SENSITIVE_FLOW, connector, config_path(config)), TIME_SENSITIVE)
