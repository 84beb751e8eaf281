"""Records that were held back: looked at, counted, asked for again (GATE-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, distinct, func, or_, select, update

from adapters.market.database import Database
from adapters.market.schema_books import quarantine
from sync.records import Kind

_OPEN = quarantine.c.released_at.is_(None)
_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Held:
    """One entry. `row` is the whole record as JSON text; `crm_id` is empty for a record that came without one.

    `column` and `value`: what is wrong and what stands there, empty where the rule is about no column. `asked_at`: when the CRM was
    last asked for it by its key. `released_by`: empty when the sync released it.
    """

    quarantine_id: int
    connector: str
    kind: Kind
    crm_id: str
    rule: str
    reason: str
    column: str
    value: str
    row: str
    first_held_at: datetime
    last_held_at: datetime
    times_held: int
    asked_at: datetime | None
    retry_asked_at: datetime | None
    released_at: datetime | None
    release_reason: str
    released_by: str


@dataclass(frozen=True, slots=True)
class HeldCount:
    """How many records one rule holds back, and since when the oldest and the newest (UTC)."""

    connector: str
    kind: Kind
    rule: str
    reason: str
    records: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class Which:
    """Entries to look for; None: whatever. `released`: those that were let go instead of the open ones."""

    connector: str | None = None
    kind: Kind | None = None
    rule: str | None = None
    released: bool = False


class Quarantine:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self, connector: str | None = None) -> tuple[HeldCount, ...]:
        """Open entries by connector, kind and rule."""
        return self.count(Which(connector))

    def count(self, which: Which) -> tuple[HeldCount, ...]:
        """Entries by connector, kind and rule."""
        group = (quarantine.c.connector, quarantine.c.kind, quarantine.c.rule)
        told = (func.max(quarantine.c.reason), func.count(), func.min(quarantine.c.first_held_at), func.max(quarantine.c.first_held_at))
        query = select(*group, *told).where(_of(which)).group_by(*group).order_by(*group)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(HeldCount(row[0], Kind(row[1]), row[2], row[3], int(row[4]), row[5], row[6]) for row in rows)

    def list(
        self,
        connector: str | None = None,
        kind: Kind | None = None,
        rule: str | None = None,
        *,
        released: bool = False,
        limit: int = 100,
    ) -> tuple[Held, ...]:
        """Open entries, the oldest first; of the released ones those that were released last."""
        order = (quarantine.c.released_at.desc(), quarantine.c.quarantine_id.desc()) if released else (quarantine.c.quarantine_id,)
        query = select(quarantine).where(_of(Which(connector, kind, rule, released))).order_by(*order).limit(limit)
        with self._database.reading() as connection:
            return tuple(_held(row) for row in connection.execute(query).mappings())

    def show(self, quarantine_id: int) -> Held | None:
        """One entry, open or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(quarantine).where(quarantine.c.quarantine_id == quarantine_id)).mappings().first()
        return None if row is None else _held(row)

    def open_ids(self, connector: str, kind: Kind) -> tuple[str, ...]:
        """CRM ids of the records that are held back: they are read again until they pass."""
        query = select(distinct(quarantine.c.crm_id)).where(_named(connector, kind)).order_by(quarantine.c.crm_id)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def due_ids(self, connector: str, kind: Kind, before: datetime, most: int) -> tuple[str, ...]:
        """Of those, the ones that an operator asked for since they were last read, or that were last read before `before`.

        At most so many; those that an operator asked for first, then those that waited longest.
        """
        own = quarantine.c
        wanted = and_(own.retry_asked_at > own.last_held_at, or_(own.asked_at.is_(None), own.retry_asked_at > own.asked_at))
        waited = and_(own.last_held_at < before, or_(own.asked_at.is_(None), own.asked_at < before))
        urgent = func.max(own.retry_asked_at)
        query = select(own.crm_id).where(_named(connector, kind), or_(wanted, waited)).group_by(own.crm_id)
        query = query.order_by(urgent.is_(None), func.min(func.coalesce(own.asked_at, own.last_held_at)), own.crm_id).limit(most)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def note_asked(self, connector: str, kind: Kind, crm_ids: Sequence[str], now: datetime) -> None:
        """The CRM was asked for these records and what it gave is in Market, or held again; it may have given nothing."""
        with self._database.writing() as connection:
            for first in range(0, len(crm_ids), _IDS_AT_ONCE):
                some = quarantine.c.crm_id.in_(crm_ids[first : first + _IDS_AT_ONCE])
                connection.execute(update(quarantine).where(_named(connector, kind), some).values(asked_at=now))

    def ask_again(self, quarantine_ids: tuple[int, ...], now: datetime) -> int:
        """An operator corrected the cause: read these records with the next pull. They stay held until they pass. → how many."""
        return self._ask(quarantine.c.quarantine_id.in_(quarantine_ids), now)

    def ask_all_again(self, which: Which, now: datetime) -> int:
        """The same for whatever is open of these. → how many."""
        return self._ask(_of(which), now)

    def _ask(self, which: ColumnElement[bool], now: datetime) -> int:
        named = quarantine.c.crm_id != ""  # without a key nobody can ask for a record
        with self._database.writing() as connection:
            return connection.execute(update(quarantine).where(_OPEN, named, which).values(retry_asked_at=now)).rowcount

    def release(self, quarantine_ids: tuple[int, ...], reason: str, now: datetime, *, who: str = "") -> int:
        """An operator drops entries: the records are no longer held nor asked for, until they change in the CRM. → how many."""
        which = quarantine.c.quarantine_id.in_(quarantine_ids)
        values = {"released_at": now, "release_reason": reason, "released_by": who or None}
        with self._database.writing() as connection:
            return connection.execute(update(quarantine).where(_OPEN, which).values(values)).rowcount


def _of(which: Which) -> ColumnElement[bool]:
    given = {"connector": which.connector, "kind": which.kind.value if which.kind else None, "rule": which.rule}
    same = [quarantine.c[name] == value for name, value in given.items() if value is not None]
    return and_(quarantine.c.released_at.is_not(None) if which.released else _OPEN, *same)


def _named(connector: str, kind: Kind) -> ColumnElement[bool]:
    """Open entries of records that have a key, in the words of their index."""
    return and_(_OPEN, quarantine.c.crm_id != "", quarantine.c.connector == connector, quarantine.c.kind == kind.value)


def _held(row: RowMapping) -> Held:
    texts = {name: row[name] or "" for name in ("release_reason", "released_by", "value")}
    same = {name: row[name] for name in row if name not in ("column_name", "parcel_id", *texts)}
    return Held(**{**same, **texts, "kind": Kind(row["kind"]), "column": row["column_name"] or ""})
