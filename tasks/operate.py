"""What an operator asks between the runs: is the connection right, where does the sync stand, what is held back. No flow is needed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters.market.books import Run
from adapters.market.described import Backfill as Backfill
from adapters.market.engine import hold_lock
from adapters.market.purge import PurgeCounts
from adapters.market.quarantine import HeldCount
from adapters.market.upgrading import refuse_other, revision
from adapters.market.verify import MarketCounts
from sync.crm import CheckLine
from sync.errors import ConfigError, CredentialError
from sync.records import PEOPLE, PULL_ORDER, Kind
from sync.report import RunReport, from_json
from sync.settings import ConnectorSettings, Settings
from tasks.contact import keep_accepted, keep_refused
from tasks.fitting import field_lines, folder_lines, score_lines
from tasks.wiring import installation, now, open_crm, read_settings

INITIAL_FLOW = "initial-sync"
PARTITION_FLOW = "initial-sync-partition"
CORE_FLOW = "core-sync"
EMAIL_FLOW = "email-activity-sync"
TIME_SENSITIVE_FLOW = "time-sensitive-sync"


@dataclass(frozen=True, slots=True)
class LastRun:
    """A connector's latest run. `report`: the page that people read; empty while there is none."""

    run_id: str
    report: str


@dataclass(frozen=True, slots=True)
class KindStatus:
    """One kind of one connector. `synced_until`: the CRM's clock, UTC; None: never committed."""

    kind: Kind
    synced_until: datetime | None
    counts: MarketCounts
    held: tuple[HeldCount, ...]


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """One connector: its kinds in the order of the pull, the fields still to be filled in, and its latest runs, the last one first."""

    name: str
    url: str
    complete: bool
    kinds: tuple[KindStatus, ...]
    runs: tuple[Run, ...]
    backfills: tuple[Backfill, ...] = ()


def connector_named(config: str, name: str | None) -> str:
    """The connector of that name, or the only one. Raises ConfigError that lists what there is."""
    settings = read_settings(config)
    if name is not None:
        return settings.connector(name).name
    if len(settings.connectors) == 1:
        return next(iter(settings.connectors))
    there = ", ".join(settings.connectors)
    raise ConfigError(
        f"several connectors are configured: {there}" if there else "no connector is configured",
        where=config,
        todo="Say which one: --connector NAME." if there else "Add a table [connectors.NAME]; `marketsync init` shows what stands in it.",
    )


def connectors_named(config: str, name: str | None) -> tuple[str, ...]:
    """All connectors, or the one of that name."""
    settings = read_settings(config)
    return tuple(settings.connectors) if name is None else (settings.connector(name).name,)


def kinds_of(config: str, name: str) -> tuple[Kind, ...]:
    """The kinds that somebody may name for a connector: the core ones, pulled or not, and its custom objects."""
    return (*PULL_ORDER, *read_settings(config).connector(name).custom_objects)


def data_dir(config: str) -> Path:
    """The data directory, made if need be. Raises ConfigError when there can be none."""
    folder = Path(read_settings(config).data_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        todo = "Let data_dir name a folder that this user may make and write."
        raise ConfigError(f"the data directory can't be made: {error.strerror}", where=f"data_dir, {folder}", todo=todo) from error
    return folder


def not_at_work(config: str, flow: str, name: str) -> None:
    """FLOW-1, before anything is started for it: raises AlreadyRunning while another process runs this flow for this connector."""
    home = installation(config)
    with hold_lock(home.market, lock_name(flow, name), home.lock_dir):
        return


def has_market(config: str) -> bool:
    """Whether Market has its tables; False before the first run. Makes nothing.

    Raises MarketUnavailable; ConfigError for a Market of an older or a newer version of marketsync.
    """
    found = market_revision(config)
    if found is not None:
        refuse_other(found, installation(config).market.database.where)
    return found is not None


def ready_market(config: str) -> bool:
    """The same for a run: an older Market is brought up to date. Raises ConfigError for a newer one."""
    if market_revision(config) is None:
        return False
    installation(config).market.upgrade()
    return True


def market_revision(config: str) -> str | None:
    """Of the Market's tables; None: there are none yet. Raises MarketUnavailable."""
    file = _sqlite_file(read_settings(config))
    if file is not None and not file.exists():
        return None
    with installation(config).market.database.reading() as connection:
        return revision(connection)


def _sqlite_file(settings: Settings) -> Path | None:
    kind, _, path = settings.market.url.partition(":///")
    return Path(path) if kind == "sqlite" else None


def market_place(config: str) -> str:
    """The Market's address without a password; of SQLite the file."""
    settings = read_settings(config)
    return str(_sqlite_file(settings) or settings.market.url)


def check_connector(config: str, name: str) -> tuple[CheckLine, ...]:
    """CONN-3: every finding about this machine, the CRM and what the configuration asks of it. Changes nothing in the CRM.

    Raises what the CRM's adapter raises. Where a folder can't be written the CRM is not asked: the session could not be kept.
    """
    connector = read_settings(config).connector(name)
    there = has_market(config)
    place = market_place(config)
    market = CheckLine(True, "Market", place if there else f"{place}: not there yet; the first run makes it")
    readable = (*connector.kinds(), *((Kind.LIST,) if connector.pull.marketing_lists.on else ()))
    folders = folder_lines(Path(read_settings(config).data_dir), _sqlite_file(read_settings(config)))
    if folders:
        return (market, *folders)
    crm = open_crm(config, name)
    try:
        probe = crm.probe(readable, _writable(connector))
    except CredentialError as error:
        keep_refused(config, name, error)
        raise
    keep_accepted(config, name)
    return (
        market,
        *probe.lines,
        *(field_lines(crm, connector, connector.kinds()) if probe.ok else ()),
        *(score_lines(crm, connector)),
    )


def _writable(connector: ConnectorSettings) -> tuple[Kind, ...]:
    """The records that the push options change, and the kinds that they push."""
    push = connector.push
    people = push.scores or push.unsubscribes or push.record_updates
    wanted = {*(PEOPLE if people else ()), *((connector.create_as,) if push.new_leads else ())}
    return (*(kind for kind in PULL_ORDER if kind in wanted), *push.kinds())


def status_of(config: str, name: str, runs: int = 5) -> ConnectorStatus:
    """Where one connector stands. Needs `has_market`."""
    home = installation(config)
    connector = home.settings.connector(name)
    held = home.market.quarantine.counts(name)
    kinds = tuple(_kind_status(config, name, kind, tuple(each for each in held if each.kind is kind)) for kind in connector.kinds())
    if connector.pull.marketing_lists.on:
        kinds += lists_status(config, name, held)
    complete = initial_sync_is_complete(config, name)
    backfills = home.market.described.open(name)
    return ConnectorStatus(name, connector.url, complete, kinds, home.market.runs.list(name, limit=runs), backfills)


def _kind_status(config: str, name: str, kind: Kind, held: tuple[HeldCount, ...]) -> KindStatus:
    market = installation(config).market
    cursor = market.cursors.read(name, kind)
    return KindStatus(kind, cursor.at if cursor else None, market.counts(name, kind), held)


def lists_status(config: str, name: str, held: tuple[HeldCount, ...]) -> tuple[KindStatus, ...]:
    """Marketing lists, and who stands on them. Members are compared in turn: `synced_until` is when the longest waiting list was."""
    market = installation(config).market
    members = market.lists.counts(name)
    held_back = tuple(each for each in held if each.kind is Kind.LIST_MEMBER)
    counts = MarketCounts(members.members, members.people, sum(each.records for each in held_back), 0, 0, members.left)
    lists = _kind_status(config, name, Kind.LIST, tuple(each for each in held if each.kind is Kind.LIST))
    return (lists, KindStatus(Kind.LIST_MEMBER, members.read_at, counts, held_back))


def last_run(config: str, name: str) -> LastRun | None:
    """The latest run of a connector; None before the first one."""
    if not has_market(config):
        return None
    found = installation(config).market.runs.list(name, limit=1)
    return LastRun(found[0].run_id, found[0].report) if found else None


def completed_at(config: str, name: str) -> datetime | None:
    """When the connector's initial sync came to its end, UTC; None: it has not (FLOW-2)."""
    if not ready_market(config) or not initial_sync_is_complete(config, name):
        return None
    runs = installation(config).market.runs.list(name, flow=INITIAL_FLOW, limit=1_000)
    return next((run.ended_at for run in runs if run.state == "completed"), None)


def initial_sync_is_complete(config: str, name: str) -> bool:
    """FLOW-2: an initial sync came to its end, and every kind that is pulled now was committed since (a purge takes that back)."""
    home = installation(config)
    kinds = home.settings.connector(name).kinds()
    return home.market.runs.has_completed(name, INITIAL_FLOW) and all(home.market.cursors.read(name, kind) for kind in kinds)


def report_of(config: str, run_id: str) -> tuple[RunReport, Path]:
    """The report of a run, and the page that people read."""
    folder = installation(config).reports_dir / run_id
    return from_json((folder / "report.json").read_text(encoding="utf-8")), folder / "index.html"


def purge_connector(config: str, name: str, who: str) -> PurgeCounts:
    """INIT-10. What the connector staged goes as well, so that the next initial sync reads afresh. Raises AlreadyRunning during a sync."""
    home = installation(config)
    with hold_lock(home.market, lock_name(INITIAL_FLOW, name), home.lock_dir):
        counts = home.market.purge(name, who=who, now=now())
        shutil.rmtree(home.data_dir / "parcels" / name, ignore_errors=True)
    return counts


def lock_name(flow: str, connector: str) -> str:
    """FLOW-1: what a flow holds while it is at work for a connector."""
    return f"{flow} of {connector}"
