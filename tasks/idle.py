"""May a recurring run begin, and is there anything to push? Most runs of the push flows find nothing and end here (FLOW-4).

Nothing is loaded for that but what talks to Market: not the flow engine, not the staging engine, no CRM. Keep it so: every import here
is paid every two minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from uuid import uuid4

from adapters.market.engine import hold_lock
from sync.disk import disk_errors
from sync.errors import MarketUnavailable
from sync.records import Kind, RunRef
from tasks.alerts import tell_after
from tasks.operate import data_dir, initial_sync_is_complete, lock_name
from tasks.pulse import keep_pulse
from tasks.recurring import initial_sync_missing
from tasks.wiring import installation, now, settings_of


@contextmanager
def only_run(run: RunRef) -> Iterator[None]:
    """FLOW-1: raises AlreadyRunning while another process runs this flow for this connector. The lock dies with the process."""
    home = installation(run.config)
    with disk_errors(str(home.data_dir)):
        home.data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(hold_lock(home.market, lock_name(run.flow, run.connector), home.lock_dir))
        except MarketUnavailable as away:  # the run has not begun, so that nobody else tells of it
            for finding in tell_after(run, away):
                away.add_note(finding.message)
            raise
        yield


def may_follow(run: RunRef) -> None:
    """Brings Market's tables up to date. Raises InitialSyncMissing while the initial sync has not completed (FLOW-2)."""
    installation(run.config).market.upgrade()
    if not initial_sync_is_complete(run.config, run.connector):
        raise initial_sync_missing(run.config, run.connector, run.flow)


def count_waiting(run: RunRef, kinds: Sequence[Kind]) -> frozenset[Kind]:
    """Of these kinds those that are pushed and of which something waits. One query, and no call (FLOW-4)."""
    pushed = settings_of(run).push.kinds()
    wanted = tuple(kind for kind in kinds if kind in pushed)
    if not wanted:
        return frozenset()
    waiting = installation(run.config).market.outbox.waiting(run.connector, wanted, now())
    return frozenset(kind for kind, rows in waiting.items() if rows)


def ended_idle(run: RunRef, kinds: Sequence[Kind], started_at: datetime) -> str | None:
    """The end of a run that has nothing to push: leaves its pulse, and no trace in Market. → what is said of it; None: it has work.

    A rerun of a run that pushed something has work as well: that has to be reported.
    """
    home = installation(run.config)
    if count_waiting(run, kinds) or home.market.runs.get(run.run_id) or (home.data_dir / "runs" / run.run_id).exists():
        return None
    said = nothing_waited(run.connector)
    keep_pulse(run, started_at, now(), said)
    return " ".join([said, *(finding.message for finding in tell_after(run))])


def nothing_waited(connector: str) -> str:
    return f"Nothing waited for {connector}."


def whole_idle_run(config: str, flow: str, connector: str, kinds: Sequence[Kind]) -> str | None:
    """A run without a flow engine, from its lock to its end, if nothing waits. → what is said of it; None: it has work, and was not begun.

    Raises AlreadyRunning (FLOW-1), InitialSyncMissing (FLOW-2), ConfigError, MarketUnavailable.
    """
    data_dir(config)
    run = RunRef(str(uuid4()), flow, connector, config)
    with only_run(run):
        started_at = now()
        may_follow(run)
        return ended_idle(run, kinds, started_at)
