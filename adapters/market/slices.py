"""The slices of each kind, and what Market holds in one: ids, hashes, and who was told of something newer meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Text, and_, cast, delete, func, insert, or_, select, update
from sqlalchemy.types import Boolean, Integer

from adapters.market.arrow import arrow_schema, fetch
from adapters.market.columns import current_table
from adapters.market.database import Database
from adapters.market.schema_books import crm_links
from adapters.market.schema_following import removals, slices
from adapters.market.types import Instant
from sync.records import KeyRange, Kind
from sync.slices import Slice

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 500


class Slices:
    """Every method raises MarketUnavailable. Cost follows the slice, never the table; only cutting a kind anew reads all of its ids."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, connector: str, kind: Kind) -> tuple[Slice, ...]:
        """The slices of a kind by their first key; none before it was cut."""
        query = select(slices).where(_own(connector, kind)).order_by(slices.c.low)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(Slice(kind, KeyRange(row["low"], row["high"]), row["checked_at"], row["records"]) for row in rows)

    def stalest(self, connector: str, kinds: Sequence[Kind]) -> tuple[int, int, datetime | None]:
        """→ slices, those that were never compared, and when the stalest of the others was (UTC)."""
        which = and_(slices.c.connector == connector, slices.c.kind.in_([kind.value for kind in kinds]))
        query = select(func.count(), func.count(slices.c.checked_at), func.min(slices.c.checked_at)).where(which)
        with self._database.reading() as connection:
            count, compared, oldest = connection.execute(query).one()
        return int(count), int(count) - int(compared), oldest

    def every_nth_id(self, connector: str, kind: Kind, n: int, keys: KeyRange) -> tuple[str, ...]:
        """Every n-th id of the living records in a range of keys, in our order. Reads all ids of the range."""
        place = func.row_number().over(order_by=crm_links.c.crm_id).label("place")
        ids = select(crm_links.c.crm_id, place).where(_links(connector, kind, keys), crm_links.c.living).subquery()
        query = select(ids.c.crm_id).where(ids.c.place % n == 0).order_by(ids.c.crm_id)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def put(self, connector: str, kind: Kind, cut: Sequence[Slice]) -> None:
        """These are the slices of the kind from now on."""
        rows = [
            {
                "connector": connector,
                "kind": kind.value,
                "low": one.keys.low,
                "high": one.keys.high,
                "checked_at": one.checked_at,
                "records": one.records,
            }
            for one in cut
        ]
        with self._database.writing() as connection:
            connection.execute(delete(slices).where(_own(connector, kind)))
            if rows:
                connection.execute(insert(slices), rows)

    def note_checked(self, connector: str, one: Slice, *, records: int, healed: int, now: datetime) -> None:
        """The slice was compared. Noted twice, it is noted once."""
        which = and_(_own(connector, one.kind), slices.c.low == one.keys.low, slices.c.high == one.keys.high)
        with self._database.writing() as connection:
            connection.execute(update(slices).where(which).values(checked_at=now, records=records, healed=healed))

    def waiting_removals(self, connector: str, kind: Kind, keys: KeyRange, before: datetime) -> tuple[str, ...]:
        """Records of the range that wait to be removed since before that instant (our clock)."""
        own = [removals.c.connector == connector, removals.c.kind == kind.value, removals.c.noted_at < before]
        query = select(removals.c.crm_id).where(*own, *_within(removals.c.crm_id, keys)).order_by(removals.c.crm_id)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def withdraw_removals(self, connector: str, kind: Kind, crm_ids: Sequence[str]) -> None:
        """These records were seen living since: they wait no longer."""
        own = (removals.c.connector == connector) & (removals.c.kind == kind.value)
        with self._database.writing() as connection:
            for first in range(0, len(crm_ids), _AT_ONCE):
                connection.execute(delete(removals).where(own, removals.c.crm_id.in_(crm_ids[first : first + _AT_ONCE])))

    def links(self, connector: str, kind: Kind, keys: KeyRange) -> pa.Table:
        """(crm_id, market_id, row_hash, living, left_scope) of every record in the range that Market knows."""
        columns = [crm_links.c[name] for name in ("crm_id", "market_id", "row_hash", "living", "left_scope")]
        return self._fetch(select(*columns).where(_links(connector, kind, keys)))

    def told_since(self, connector: str, kind: Kind, keys: KeyRange, *, written: datetime, stamped: datetime) -> pa.Table:
        """(crm_id, crm_modified_at, written): records of the range that Market was told of at or after `written` (our clock), or whose
        stamp is at or after `stamped` (the CRM's clock)."""
        link = crm_links.c
        recent = or_(link.written_at >= written, link.crm_modified_at >= stamped)
        columns = (link.crm_id, link.crm_modified_at, func.coalesce(link.written_at >= written, False).label("written"))
        return self._fetch(select(*columns).where(_links(connector, kind, keys), recent))

    def rows(self, kind: Kind, columns: Sequence[str], keys: Sequence[int]) -> pa.Table:
        """Market rows by key: (market_id, owner_crm_id, columns …). What is no number, truth value or instant is text."""
        with self._database.reading() as connection:
            table = current_table(connection, kind.table)
            key = next(iter(table.primary_key.columns))
            wanted: list[Any] = [key.label("market_id"), table.c.crm_id.label("owner_crm_id")]
            wanted += [_readable(table.c[name]).label(name) for name in columns if name in table.c]
            parts = [keys[first : first + _AT_ONCE] for first in range(0, len(keys), _AT_ONCE)]
            found = [fetch(connection, select(*wanted).where(key.in_(part))) for part in parts]
        import pyarrow as pa

        return pa.concat_tables(found) if found else arrow_schema(select(*wanted)).empty_table()

    def _fetch(self, query: Any) -> pa.Table:
        with self._database.reading() as connection:
            return fetch(connection, query)


def _own(connector: str, kind: Kind) -> ColumnElement[bool]:
    return and_(slices.c.connector == connector, slices.c.kind == kind.value)


def _links(connector: str, kind: Kind, keys: KeyRange) -> ColumnElement[bool]:
    return and_(crm_links.c.connector == connector, crm_links.c.kind == kind.value, *_within(crm_links.c.crm_id, keys))


def _within(crm_id: ColumnElement[str], keys: KeyRange) -> list[ColumnElement[bool]]:
    return [*([crm_id >= keys.low] if keys.low else []), *([crm_id < keys.high] if keys.high else [])]


def _readable(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return column if isinstance(column.type, Instant | Boolean | Integer) else cast(column, Text)
