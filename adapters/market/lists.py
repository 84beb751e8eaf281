"""Marketing lists and who stands on them: what the planner asks, and the writes that need more than a key (LIST-1, LIST-2).

An installation has hundreds of lists, so their table is read whole; members are only ever reached through a list, a batch of CRM ids or
the index of those that have no row yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, update

from adapters.market.arrow import arrow_schema, fetch
from adapters.market.database import Database
from adapters.market.loading import incoming
from adapters.market.schema_books import crm_links
from adapters.market.schema_lists import marketing_list_members, marketing_lists
from sync.lists import ListState, Unlinked
from sync.records import Kind, Rows

if TYPE_CHECKING:
    import pyarrow as pa

_EXAMPLES = 5
_lists, _members = marketing_lists.c, marketing_list_members.c
_KEY = ("list_id", "kind", "crm_id")
_living = _lists.deleted_date.is_(None)


@dataclass(frozen=True, slots=True)
class MemberCounts:
    """Of the living lists of one connector. `members`: who stands on them, once per list; `unlinked`: of those, who has no Market row.

    `people`: different Market rows that they are. `left`: who stood on them once. `counted`: what the CRM counts, as far as it does.
    `read_at`: when the list that waited longest was last read, ours, UTC; None: there is no list, or one was never read.
    """

    members: int
    people: int
    unlinked: int
    left: int
    counted: int
    read_at: datetime | None


class Lists:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self, connector: str) -> tuple[ListState, ...]:
        """The living lists of one connector, in the order of their CRM ids."""
        query = select(_lists.crm_id, _lists.crm_members, _lists.members_read_at, _lists.updated_at)
        with self._database.reading() as connection:
            found = connection.execute(query.where(_lists.connector == connector, _living).order_by(_lists.crm_id)).all()
        return tuple(ListState(*row) for row in found)

    def known(self, connector: str, crm_ids: Rows) -> pa.Table:
        """CRM ids → (crm_id, list_id) of the lists that Market has, deleted ones included."""
        query = select(_lists.crm_id, _lists.list_id).where(_lists.connector == connector)
        with self._database.reading() as connection, incoming(connection, [marketing_lists.c.crm_id], crm_ids) as keys:
            return fetch(connection, query.where(_lists.crm_id.in_(select(keys.c[0]))))

    def members(self, list_ids: Rows) -> pa.Table:
        """Keys of lists → (list_id, kind, crm_id, market_id, present) of everybody who is or was on them."""
        query = select(*(_members[name] for name in (*_KEY, "market_id")), _members.left_at.is_(None).label("present"))
        if list_ids.count == 0:
            return arrow_schema(query).empty_table()
        with self._database.reading() as connection, incoming(connection, [_members.list_id], list_ids) as keys:
            return fetch(connection, query.where(_members.list_id.in_(select(keys.c[0]))))

    def counts(self, connector: str) -> MemberCounts:
        """For the status and the comparison with the CRM; reads every member, so not for a cycle (INIT-6)."""
        present = _members.left_at.is_(None)
        people = func.count(func.distinct(_members.market_id)).filter(present, _members.kind.in_((Kind.LEAD.value, Kind.CONTACT.value)))
        others = [func.count(func.distinct(_members.market_id)).filter(present, _members.kind == kind.value) for kind in _OTHERS]
        query = select(
            func.count().filter(present),
            people,
            *others,
            func.count().filter(present, _members.market_id.is_(None)),
            func.count().filter(_members.left_at.is_not(None)),
        )
        own = and_(_lists.connector == connector, _living)
        of_lists = select(func.sum(_lists.crm_members), func.min(_lists.members_read_at), func.count(), func.count(_lists.members_read_at))
        with self._database.reading() as connection:
            counted, read_at, lists, read = connection.execute(of_lists.where(own)).one()
            found = connection.execute(
                query.select_from(marketing_list_members.join(marketing_lists, _lists.list_id == _members.list_id)).where(own)
            ).one()
        present_count, *rows, unlinked, left = (int(value) for value in found)
        return MemberCounts(present_count, sum(rows), unlinked, left, int(counted or 0), read_at if lists == read else None)

    def unlinked(self, connector: str) -> tuple[Unlinked, ...]:
        """LIST-2: who stands on a living list and has no Market row, by kind. Cost follows their number, by an index of theirs alone."""
        waits = and_(_members.market_id.is_(None), _members.left_at.is_(None), _lists.connector == connector, _living)
        source = marketing_list_members.join(marketing_lists, _lists.list_id == _members.list_id)
        by_kind = select(_members.kind, func.count(func.distinct(_members.crm_id))).select_from(source).where(waits).group_by(_members.kind)
        some = select(_members.crm_id).select_from(source).where(waits).distinct().order_by(_members.crm_id).limit(_EXAMPLES)
        with self._database.reading() as connection:
            found = connection.execute(by_kind.order_by(_members.kind)).all()
            return tuple(
                Unlinked(kind, int(count), tuple(connection.execute(some.where(_members.kind == kind)).scalars())) for kind, count in found
            )


_OTHERS = (Kind.ACCOUNT, Kind.USER)


def put_members(connection: Connection, rows: Rows) -> int:
    """Changes members that are there by (list_id, kind, crm_id); only what differs is written. → how many were."""
    with incoming(connection, list(marketing_list_members.c), rows) as new:
        same = and_(*(_members[name] == new.c[name] for name in _KEY))
        others = [name for name in rows.columns if name not in _KEY]
        differs = or_(*(_members[name].is_distinct_from(new.c[name]) for name in others))
        values: dict[str, Any] = {name: new.c[name] for name in others}
        return connection.execute(update(marketing_list_members).where(same, differs).values(values)).rowcount


def link_members(connection: Connection, connector: str, kind: Kind, new: Table | None = None) -> int:
    """LIST-2: members that had no Market row get the one that their record is linked to now. → how many.

    `new`: the links that this commit brings, with crm_id and market_id; None: all of this kind. Costs one look where nobody waits.
    """
    waits = and_(_members.market_id.is_(None), _members.kind == kind.value)
    if connection.execute(select(_members.list_id).where(waits).limit(1)).first() is None:
        return 0
    links = crm_links if new is None else new
    arrived: list[ColumnElement[bool]] = [links.c.market_id.is_not(None)]
    if new is None:
        arrived += [crm_links.c.connector == connector, crm_links.c.kind == kind.value]
    ids = select(links.c.crm_id).where(*arrived)
    row = select(links.c.market_id).where(links.c.crm_id == _members.crm_id, *arrived).scalar_subquery()
    own = _members.list_id.in_(select(_lists.list_id).where(_lists.connector == connector))
    return connection.execute(update(marketing_list_members).where(waits, own, _members.crm_id.in_(ids)).values(market_id=row)).rowcount


def move_members(loser: ColumnElement[int], winner: ColumnElement[int], kinds: Sequence[str]) -> Any:
    """The statement by which the places of a merged person pass to the one that took it in (MATCH-8). Run for many pairs at once."""
    of_kinds = or_(*(_members.kind == kind for kind in kinds))
    return update(marketing_list_members).where(of_kinds, _members.market_id == loser).values(market_id=winner)
