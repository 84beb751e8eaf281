"""Brings a Market's schema to the revision that this code works with."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from adapters.market.database import Database
from adapters.market.schema import HEAD
from sync.errors import ConfigError

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Runs what is missing, in one transaction; several processes may call it at once, one does the work.

    Raises ConfigError when the Market belongs to a newer version, MarketUnavailable.
    """
    with database.reading() as connection:
        if revision(connection) == HEAD:
            return
    with database.writing() as connection:
        _refuse_newer(revision(connection), database.where)
        _migrate(connection)


def revision(connection: Connection) -> str | None:
    """The Market's revision; None: nothing was made yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def refuse_other(found: str, where: str) -> None:
    """For whoever only looks: raises ConfigError when the Market is of a newer version than this code, or of an older one."""
    _refuse_newer(found, where)
    if found != HEAD:
        what = f"the Market has schema {found}, this version works with {HEAD}"
        raise ConfigError(what, where=where, todo="make a backup, then `marketsync upgrade`; the next run of a flow upgrades it as well")


def _refuse_newer(found: str | None, where: str) -> None:
    known = {path.name.split("_")[0] for path in (_SCRIPTS / "versions").glob("[0-9]*.py")}
    if found is not None and found not in known:
        todo = "install the marketsync version that upgraded it, or a later one"
        raise ConfigError(f"the Market has schema {found}, this version knows up to {HEAD}", where=where, todo=todo)


def _migrate(connection: Connection) -> None:
    from alembic import command  # takes a quarter of a second, and is needed once per version
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
