"""Backup, restore and upgrade of a Market, for an operator. No flow may be at work while a Market is put back."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from adapters.market.backup import back_up, doubt_pushes, put_back
from adapters.market.engine import hold_lock
from adapters.market.schema import HEAD
from sync.disk import disk_errors
from sync.errors import ConfigError
from tasks.operate import CORE_FLOW, EMAIL_FLOW, INITIAL_FLOW, TIME_SENSITIVE_FLOW, lock_name, market_place, market_revision
from tasks.reconciled import RECONCILIATION_FLOW
from tasks.wiring import Installation, installation

_FLOWS = (INITIAL_FLOW, CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW, RECONCILIATION_FLOW)


@dataclass(frozen=True, slots=True)
class Restored:
    """`doubted`: rows of the outbox that are looked up in the CRM before they are sent. `parcels`: batches that were begun and are gone."""

    doubted: int
    parcels: int


def back_up_market(config: str, target: Path) -> int:
    """→ bytes. Raises ConfigError where there is no Market, or one on PostgreSQL: then it says what to type instead."""
    home = installation(config)
    if not home.market.database.lite:
        command = f"pg_dump --format=custom --file={target} {home.market.database.address}"
        raise ConfigError("a Market on PostgreSQL is backed up by PostgreSQL's own tools", where=market_place(config), todo=command)
    if market_revision(config) is None:
        raise ConfigError("there is no Market yet", where=market_place(config), todo="The first run makes it.")
    with disk_errors(str(target)):
        back_up(home.market.database, target)
        return target.stat().st_size


def restore_market(config: str, source: Path | None) -> Restored:
    """`source`: a backup of a SQLite Market, put in its place. None: the database was put back with its own tools.

    What Market does not know of the time since the backup is found again: windows begin where the backup's cursors stand (PULL-1), and what
    waits to be pushed is looked up in the CRM before it is sent (PUSH-3). Batches and results of steps that belong to the Market as it was
    are forgotten. Raises AlreadyRunning while a flow is at work.
    """
    home = installation(config)
    if source is not None and not home.market.database.lite:
        command = f"pg_restore --clean --if-exists --dbname={home.market.database.address} {source}, then `marketsync restore` alone"
        raise ConfigError("a Market on PostgreSQL is put back by PostgreSQL's own tools", where=market_place(config), todo=command)
    with ExitStack() as held:
        for connector in home.settings.connectors:
            for flow in _FLOWS:
                held.enter_context(hold_lock(home.market, lock_name(flow, connector), home.lock_dir))
        if source is not None:
            put_back(home.market.database, source)
        if market_revision(config) is None:
            raise ConfigError("there is no Market to go on with", where=market_place(config), todo="Put the backup back first.")
        home.market.upgrade()
        return Restored(doubt_pushes(home.market.database), _forget(home))


def _forget(home: Installation) -> int:
    """Batches that were under way name rows of the Market as it was; so do the kept results of steps."""
    open_parcels = [path for path in (home.data_dir / "parcels").glob("*/*") if path.is_file()]
    with disk_errors(str(home.data_dir)):
        for path in open_parcels:
            path.unlink()
        home.forget_mark()
    return sum(path.suffix == ".duckdb" for path in open_parcels)


def upgrade_market(config: str) -> tuple[str | None, str]:
    """→ the revision before, and after. Raises ConfigError for a Market of a newer version, and where there is none."""
    before = market_revision(config)
    if before is not None:
        installation(config).market.upgrade()
    return before, HEAD
