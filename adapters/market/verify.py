"""What Market holds of one connector's kind, for the comparison with the CRM (INIT-6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Select, and_, distinct, func, select

from adapters.market.columns import current_table
from adapters.market.database import Database
from adapters.market.loading import incoming
from adapters.market.schema_books import crm_links, quarantine
from sync.records import Kind, Rows


@dataclass(frozen=True, slots=True)
class MarketCounts:
    """In records of one kind. `linked` − `rows` of them share a row with another one of the same kind."""

    linked: int  # living records that are linked to a row and still meet the filter
    rows: int  # different Market rows that they are linked to
    held: int  # records in quarantine that are not linked as well, those without a key each counted once
    held_linked: int  # records in quarantine of which an older state is in Market
    left_scope: int  # living records that no longer meet the filter
    gone: int  # records that were deleted or merged away in the CRM


class Verify:
    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self, connector: str, kind: Kind, created_from: datetime | None = None) -> MarketCounts:
        """`created_from`: only records created since, by the CRM's clock (inclusive, UTC); held ones are counted whole.

        Raises MarketUnavailable.
        """
        own = (crm_links.c.connector == connector) & (crm_links.c.kind == kind.value)
        if created_from is not None:
            own = own & (crm_links.c.crm_created_at >= created_from)
        living = crm_links.c.living & ~crm_links.c.left_scope
        links = select(
            func.count().filter(living),
            func.count(distinct(crm_links.c.market_id)).filter(living),
            func.count().filter(crm_links.c.living & crm_links.c.left_scope),
            func.count().filter(~crm_links.c.living),
        ).where(own)
        with self._database.reading() as connection:
            linked, rows, left, gone = connection.execute(links).one()
            named, known = (int(connection.execute(query).scalar_one()) for query in _held(connector, kind))
            nameless = int(connection.execute(_nameless(connector, kind)).scalar_one())
        return MarketCounts(linked, rows, named - known + nameless, known, left, gone)

    def blank_shares(self, kind: Kind, market_ids: Rows) -> dict[str, float]:
        """Column → share of NULL (0 to 1) among these rows as they are now (GATE-3). Cost follows their number, not the table's size."""
        with self._database.reading() as connection:
            table = current_table(connection, kind.table)
            key = next(iter(table.primary_key.columns))
            with incoming(connection, [Column(market_ids.columns[0], key.type)], market_ids) as keys:
                sample = select(table).where(key.in_(select(keys.c[0]))).subquery()
                query = select(func.count(), *(func.count(column) for column in sample.c)).select_from(sample)
                total, *filled = connection.execute(query).one()
        return {column.name: 1 - count / total for column, count in zip(sample.c, filled, strict=True)} if total else {}


def _open(connector: str, kind: Kind) -> ColumnElement[bool]:
    return and_(quarantine.c.released_at.is_(None), quarantine.c.connector == connector, quarantine.c.kind == kind.value)


def _held(connector: str, kind: Kind) -> tuple[Select[tuple[int]], Select[tuple[int]]]:
    """→ held records that have a key, and those of them that are linked."""
    record = func.count(distinct(quarantine.c.crm_id))
    named = select(record).where(_open(connector, kind), quarantine.c.crm_id != "")
    same = and_(
        crm_links.c.connector == quarantine.c.connector,
        crm_links.c.kind == quarantine.c.kind,
        crm_links.c.crm_id == quarantine.c.crm_id,
        crm_links.c.living,
    )
    return named, named.where(select(crm_links.c.crm_id).where(same).exists())


def _nameless(connector: str, kind: Kind) -> Select[tuple[int]]:
    return select(func.count(distinct(quarantine.c.row))).where(_open(connector, kind), quarantine.c.crm_id == "")
