"""The Market as the tasks see it: one object, opened by its address."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.market.alerts import Alerts
from adapters.market.books import Cursors, Findings, Runs, commit_mark
from adapters.market.brakes import Brakes
from adapters.market.columns import Catalogue
from adapters.market.commit import Commit, committing
from adapters.market.consent import Consent
from adapters.market.database import Database, parse_url
from adapters.market.described import Described
from adapters.market.imports import Imports
from adapters.market.lists import Lists
from adapters.market.locking import holding_lock
from adapters.market.lookup import Lookup
from adapters.market.marketing import Marketing
from adapters.market.mass_delete import MassDelete
from adapters.market.merge_rows import MergeRows
from adapters.market.outbox import Outbox
from adapters.market.purge import PurgeCounts, purge
from adapters.market.quarantine import Quarantine
from adapters.market.removals import Removals
from adapters.market.saved_reports import SavedReports
from adapters.market.schema import metadata as metadata
from adapters.market.schema_marketing import campaigns as campaigns
from adapters.market.scope import Scope
from adapters.market.segments import Segments
from adapters.market.slices import Slices
from adapters.market.standings import Standings
from adapters.market.upgrading import upgrade
from adapters.market.verify import MarketCounts, Verify
from sync.records import Kind, ParcelRef, Rows

if TYPE_CHECKING:
    import pyarrow as pa


class Market:
    """Safe to share between threads. Nearly every method raises MarketUnavailable; nothing is kept then."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.alerts = Alerts(database)
        self.brakes = Brakes(database)
        self.columns = Catalogue(database)
        self.consent = Consent(database)
        self.cursors = Cursors(database)
        self.described = Described(database)
        self.findings = Findings(database)
        self.imports = Imports(database)
        self.lists = Lists(database)
        self.marketing = Marketing(database)
        self.mass_delete = MassDelete(database)
        self.merge_rows = MergeRows(database)
        self.outbox = Outbox(database)
        self.quarantine = Quarantine(database)
        self.removals = Removals(database)
        self.runs = Runs(database)
        self.saved_reports = SavedReports(database)
        self.scope = Scope(database)
        self.segments = Segments(database)
        self.slices = Slices(database)
        self.standings = Standings(database)
        self._lookup = Lookup(database)

    def upgrade(self) -> None:
        """Makes the tables, or brings them up to date. Raises ConfigError when the Market is newer than this code."""
        upgrade(self.database)

    def commit(self, parcel: ParcelRef, run_id: str, now: datetime) -> AbstractContextManager[Commit]:
        """One transaction for one parcel; `Commit` has the verbs, the last of which is `finish`."""
        return committing(self.database, parcel, run_id, now)

    def lookup_links(self, connector: str, kind: Kind, ids: Rows, *, living: bool = False) -> pa.Table:
        return self._lookup.links(connector, kind, ids, living=living)

    def lookup_conversions(self, connector: str, contact_ids: Rows) -> pa.Table:
        return self._lookup.conversions(connector, contact_ids)

    def lookup_people(self, *, email_keys: Rows | None = None, market_ids: Rows | None = None, connector: str | None = None) -> pa.Table:
        return self._lookup.people(email_keys=email_keys, market_ids=market_ids, connector=connector)

    def lookup_holds(self, *, email_keys: Rows | None = None, market_ids: Rows | None = None) -> pa.Table:
        return self._lookup.holds(email_keys=email_keys, market_ids=market_ids)

    def lookup_rows(self, table: str, market_ids: Rows) -> pa.Table:
        return self._lookup.rows(table, market_ids)

    def lookup_users_by_email(self, email_keys: Rows) -> pa.Table:
        return self._lookup.users_by_email(email_keys)

    def lookup_account_names(self, names: Rows) -> pa.Table:
        return self._lookup.account_names(names)

    def mark(self) -> str:
        """Changes with every commit; a plan carries the mark of the Market that it was made for."""
        with self.database.reading() as connection:
            return commit_mark(connection)

    def counts(self, connector: str, kind: Kind, created_from: datetime | None = None) -> MarketCounts:
        """For the comparison with the CRM (INIT-6)."""
        return Verify(self.database).counts(connector, kind, created_from)

    def blank_shares(self, kind: Kind, market_ids: Rows) -> dict[str, float]:
        return Verify(self.database).blank_shares(kind, market_ids)

    def purge(self, connector: str, *, who: str, now: datetime) -> PurgeCounts:
        """INIT-10: what this connector brought goes."""
        return purge(self.database, connector, who=who, now=now)

    def close(self) -> None:
        """Gives the connections back."""
        self.database.close()


def open_market(url: str, password: str | None = None) -> Market:
    """`sqlite:///FILE` or `postgresql://USER@HOST:PORT/NAME`; nothing is connected before the first use.

    Raises ConfigError for an address that is none.
    """
    return Market(Database(parse_url(url, password)))


def hold_lock(market: Market, name: str, lock_dir: Path) -> AbstractContextManager[None]:
    """FLOW-1: raises AlreadyRunning when the lock of that name is taken; it vanishes with the process."""
    return holding_lock(market.database, name, lock_dir)
