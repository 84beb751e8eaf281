"""Records that no longer meet their sync filter, and those that meet it again (FILT-2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select, update

from adapters.market.applying import held_in_scope
from adapters.market.database import Database
from adapters.market.removals import FILTER, note_removals
from adapters.market.schema_books import crm_links
from adapters.market.schema_custom import table_of
from sync.records import Kind, Removal
from sync.settings import LeftScope

_AT_ONCE = 5_000


class Scope:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def leave(self, connector: str, kind: Kind, crm_ids: Iterable[str], behaviour: LeftScope, *, run_id: str, now: datetime) -> int:
        """These records exist but do not meet the filter any more. → how many are so since now."""
        with self._database.writing() as connection:
            return leave_scope(connection, connector, kind, crm_ids, behaviour, run_id=run_id, now=now)


def leave_scope(
    connection: Connection, connector: str, kind: Kind, crm_ids: Iterable[str], behaviour: LeftScope, *, run_id: str, now: datetime
) -> int:
    """`mark`: link and row say so. `keep`: the link alone, which counting needs. `soft_delete`: a removal, which the brake may hold."""
    ids = sorted(set(crm_ids))
    if behaviour is LeftScope.SOFT_DELETE:
        return note_removals(connection, connector, kind, map(Removal, ids), found_by=FILTER, run_id=run_id, now=now)
    own = (crm_links.c.connector == connector) & (crm_links.c.kind == kind.value) & crm_links.c.living & ~crm_links.c.left_scope
    left = 0
    for first in range(0, len(ids), _AT_ONCE):
        some = own & crm_links.c.crm_id.in_(ids[first : first + _AT_ONCE])
        rows = list(connection.execute(select(crm_links.c.market_id).where(some)).scalars())
        left += connection.execute(update(crm_links).where(some).values(left_scope=True, written_at=now)).rowcount
        if behaviour is LeftScope.MARK:
            _mark(connection, kind, rows, now)
    return left


def _mark(connection: Connection, kind: Kind, rows: list[int], now: datetime) -> None:
    table = table_of(kind.table)
    if "left_scope" not in table.c or not rows:
        return
    key = table.c[kind.key]
    which = (key.in_(rows)) & table.c.left_scope.is_(None) & ~held_in_scope(kind, key)
    connection.execute(update(table).where(which).values(left_scope=now, updated_at=now))
