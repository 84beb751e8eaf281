"""email-activity-sync: every 10 minutes. Mails that were sent, opened and clicked go to the CRM (PUSH-ES, PUSH-EO, PUSH-EC)."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from flows.push_only import push_only
from sync.push import EMAIL_ACTIVITY
from sync.records import RunRef
from tasks.operate import EMAIL_FLOW
from tasks.skipping import skipped_if_untimely
from tasks.wiring import config_path


@flow(name=EMAIL_FLOW, flow_run_name="email activity sync of {connector}", persist_result=True)
@skipped_if_untimely
def email_activity_sync(connector: str, config: str | None = None) -> str:
    """Writes to the connector's CRM which mails people got, opened and clicked since the last run.

    Args:
        connector: The name of the connector in the configuration file.
        config: The configuration file; by default the environment's MARKETSYNC_CONFIG, else marketsync.toml.

    Makes no call when nothing waits, and writes nothing then. Returns the id of the run.
    """
    return push_only(RunRef(str(flow_run.get_id()), EMAIL_FLOW, connector, config_path(config)), EMAIL_ACTIVITY)
