"""Records that the CRM no longer has: noted when they are heard of, applied at the end of a run (DEL-1, MATCH-8, FILT-2).

In between they wait in Market, so that a run that dies, or a brake that holds, forgets none (DEL-8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, insert, literal, or_, select, update

from adapters.market.applying import Removed, apply_removals
from adapters.market.brakes import use_answer
from adapters.market.database import Database
from adapters.market.mass_delete import note_deletion
from adapters.market.schema_books import crm_links, quarantine
from adapters.market.schema_following import removals
from adapters.market.types import INSTANT, KEY
from sync.records import Kind, Removal

_AT_ONCE = 500
CHANGES, RECONCILIATION, FILTER = "changes", "reconciliation", "filter"
"""What found a removal: the CRM told; it was missing; it no longer meets the sync filter and is to be deleted for that."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of one kind. `rows`: Market rows that lose a record; `of`: living records of the kind, counted up to `most`."""

    rows: int
    of: int


class Removals:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, connector: str, kind: Kind, removed: Iterable[Removal], *, found_by: str = CHANGES, run_id: str, now: datetime) -> int:
        """Writes down those that Market still has, linked or held back. → how many are new."""
        with self._database.writing() as connection:
            return note_removals(connection, connector, kind, removed, found_by=found_by, run_id=run_id, now=now)

    def in_scope(self, connector: str, kind: Kind, crm_ids: Iterable[str]) -> frozenset[str]:
        """Of these records those that Market has as living and within the sync filter."""
        link = crm_links.c
        own = (link.connector == connector) & (link.kind == kind.value) & link.living & ~link.left_scope
        named = sorted(set(crm_ids))
        found: set[str] = set()
        with self._database.reading() as connection:
            for first in range(0, len(named), _AT_ONCE):
                some = select(link.crm_id).where(own, link.crm_id.in_(named[first : first + _AT_ONCE]))
                found.update(connection.execute(some).scalars())
        return frozenset(found)

    def known_living(self, connector: str, kind: Kind, crm_ids: Iterable[str]) -> frozenset[str]:
        """Of these records those that Market still has as living, or holds back."""
        named = sorted(set(crm_ids))
        found: set[str] = set()
        own = crm_links.c
        with self._database.reading() as connection:
            for first in range(0, len(named), _AT_ONCE):
                some = named[first : first + _AT_ONCE]
                linked = select(own.crm_id).where(own.connector == connector, own.kind == kind.value, own.crm_id.in_(some), own.living)
                held = select(quarantine.c.crm_id).where(_held(connector, kind), quarantine.c.crm_id.in_(some))
                found.update(connection.execute(linked.union(held)).scalars())
        return frozenset(found)

    def waiting(self, connector: str, kind: Kind) -> int:
        """How many removals wait."""
        query = select(func.count()).select_from(removals).where(removals.c.connector == connector, removals.c.kind == kind.value)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def measure(self, connector: str, kind: Kind, most: int) -> Waiting:
        """How much they would take, for the brake; `most`: no need to count living records beyond it."""
        links = crm_links.c
        own = (links.connector == connector) & (links.kind == kind.value) & links.living
        waiting = select(removals.c.crm_id).where(removals.c.connector == connector, removals.c.kind == kind.value)
        some = select(links.crm_id).where(own).limit(most).subquery()
        with self._database.reading() as connection:
            rows = connection.execute(select(func.count(links.market_id.distinct())).where(own, links.crm_id.in_(waiting))).scalar_one()
            return Waiting(int(rows), int(connection.execute(select(func.count()).select_from(some)).scalar_one()))

    def apply(self, connector: str, kind: Kind, *, run_id: str, now: datetime) -> Removed:
        """One transaction for everything that waits of one kind, and the answer that let it pass. Plans made before are made anew."""
        with self._database.writing() as connection:
            use_answer(connection, connector, kind.value, now)
            done = apply_removals(connection, connector, kind, now)
            about = {"deleted": done.deleted, "merged": done.merged, "kept": done.kept}
            note_deletion(connection, run_id=run_id, what=kind.value, now=now, about=about)
            return done

    def drop(self, connector: str, kind: Kind, *, now: datetime) -> int:
        """An operator refused: the records stay as they are. → how many were dropped."""
        with self._database.writing() as connection:
            use_answer(connection, connector, kind.value, now)
            which = (removals.c.connector == connector) & (removals.c.kind == kind.value)
            return connection.execute(delete(removals).where(which)).rowcount


def note_removals(
    connection: Connection, connector: str, kind: Kind, removed: Iterable[Removal], *, found_by: str, run_id: str, now: datetime
) -> int:
    """The same inside of a transaction. A removal that was noted before takes over what is said about it now."""
    rows = [{"id": gone.crm_id, "gone_at": gone.at, "winner": gone.merged_into} for gone in removed]
    if not rows:
        return 0
    crm_id, gone_at, winner = bindparam("id", type_=KEY), bindparam("gone_at", type_=INSTANT), bindparam("winner", type_=KEY)
    known = (removals.c.connector == connector) & (removals.c.kind == kind.value) & (removals.c.crm_id == crm_id)
    again: dict[str, Any] = {
        "removed_at": func.coalesce(gone_at, removals.c.removed_at),
        "merged_into": func.coalesce(winner, removals.c.merged_into),
    }
    connection.execute(update(removals).where(known).values(again), rows)
    link = crm_links.c
    living = exists().where(link.connector == connector, link.kind == kind.value, link.crm_id == crm_id, link.living)
    newer = exists().where(link.connector == connector, link.kind == kind.value, link.crm_id == crm_id, link.crm_modified_at > gone_at)
    held = exists().where(_held(connector, kind), quarantine.c.crm_id == crm_id)
    columns = ["connector", "kind", "crm_id", "removed_at", "merged_into", "found_by", "noted_at", "run_id"]
    values = select(
        literal(connector), literal(kind.value), crm_id, gone_at, winner, literal(found_by), literal(now, INSTANT), literal(run_id)
    ).where(or_(living, held), ~newer, ~exists().where(known))
    before = _count(connection, connector, kind)
    connection.execute(insert(removals).from_select(columns, values), rows)
    return _count(connection, connector, kind) - before


def _count(connection: Connection, connector: str, kind: Kind) -> int:
    which = (removals.c.connector == connector) & (removals.c.kind == kind.value)
    return int(connection.execute(select(func.count()).select_from(removals).where(which)).scalar_one())


def _held(connector: str, kind: Kind) -> ColumnElement[bool]:
    return and_(quarantine.c.connector == connector, quarantine.c.kind == kind.value, quarantine.c.released_at.is_(None))
