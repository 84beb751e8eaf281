"""A run begins: Market is there and up to date, nobody else is at it, and it is written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from prefect import task

from adapters.market.books import Run
from adapters.market.engine import hold_lock
from adapters.staging.duck import staging_errors
from sync.errors import ConfigError, MarketUnavailable
from sync.records import Kind, ParcelRef, RunRef
from sync.served import not_served
from tasks.alerts import tell_after
from tasks.check import REJECTED
from tasks.commit import COMMITTED
from tasks.operate import initial_sync_is_complete, lock_name
from tasks.recurring import initial_sync_missing
from tasks.report import note_findings
from tasks.wiring import RETRY, Installation, installation, now, settings_of

INITIAL = "initial"


@contextmanager
def only_run(run: RunRef) -> Iterator[None]:
    """FLOW-1: raises AlreadyRunning while another process runs this flow for this connector. The lock dies with the process."""
    home = installation(run.config)
    with staging_errors(str(home.data_dir)):
        home.data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(hold_lock(home.market, lock_name(run.flow, run.connector), home.lock_dir))
        except MarketUnavailable as away:  # the run has not begun, so that nobody else tells of it
            for finding in tell_after(run, away):
                away.add_note(finding.message)
            raise
        yield


def begin(run: RunRef) -> tuple[Kind, ...]:
    """Brings Market's tables up to date and writes the run down; returns the kinds that the connector pulls, in order (INIT-1)."""
    home, connector = installation(run.config), settings_of(run)
    kinds = connector.pull.kinds()
    if not kinds:
        raise ConfigError(
            "all pull options are off", where=f"connectors.{run.connector}.pull", todo="Switch on what is to come from the CRM."
        )
    home.market.upgrade()
    home.market.runs.start(Run(run.run_id, run.flow, run.connector, now()))
    note_findings(run, not_served(connector))
    _set_committed_aside(home, run, kinds)
    return kinds


def begin_following(run: RunRef) -> tuple[Kind, ...]:
    """For the recurring flows: returns the kinds that are pulled. Writes nothing into Market: most runs have nothing to do (FLOW-4).

    Raises InitialSyncMissing while the initial sync has not completed (FLOW-2).
    """
    home, connector = installation(run.config), settings_of(run)
    home.market.upgrade()
    if not initial_sync_is_complete(run.config, run.connector):
        raise initial_sync_missing(run.config, run.connector, run.flow)
    note_findings(run, not_served(connector))
    return connector.pull.kinds()


def note_running(run: RunRef, started_at: datetime) -> None:
    """A recurring run is written down when it has something to write. Once is enough."""
    installation(run.config).market.runs.start(Run(run.run_id, run.flow, run.connector, started_at))


def _set_committed_aside(home: Installation, run: RunRef, kinds: tuple[Kind, ...]) -> None:
    """A run that died between its commit and its tidying left the parcel open; read again, it would pass for what the CRM has now."""
    for kind in kinds:
        ref = home.parcels.find(run.connector, kind, INITIAL)
        if ref is not None and home.market.cursors.is_committed(ref.parcel_id):
            home.parcels.keep_aside(ref, COMMITTED)


def finished_kinds(run: RunRef, kinds: tuple[Kind, ...]) -> frozenset[Kind]:
    """The kinds that an earlier, stopped initial sync has committed already (INIT-7)."""
    cursors = installation(run.config).market.cursors
    return frozenset(kind for kind in kinds if cursors.read(run.connector, kind) is not None)


def is_complete(run: RunRef) -> bool:
    """Whether this connector's initial sync came to its end (FLOW-2)."""
    return initial_sync_is_complete(run.config, run.connector)


@task(name="set rejected batch aside", **RETRY)
def set_rejected_aside(run: RunRef, ref: ParcelRef) -> None:
    """A rejected parcel is kept for a look; the next run reads afresh, so that corrections made in the CRM are seen."""
    installation(run.config).parcels.keep_aside(ref, REJECTED)
