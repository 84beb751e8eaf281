"""Records that were held back: looked at, counted, asked for again (GATE-2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, distinct, func, select, update

from adapters.market.database import Database
from adapters.market.schema_books import quarantine
from sync.records import Kind

_OPEN = quarantine.c.released_at.is_(None)


@dataclass(frozen=True, slots=True)
class Held:
    """One entry. `row` is the whole record as JSON text; `crm_id` is empty for a record that came without one."""

    quarantine_id: int
    connector: str
    kind: Kind
    crm_id: str
    rule: str
    reason: str
    row: str
    first_held_at: datetime
    last_held_at: datetime
    released_at: datetime | None
    release_reason: str | None


@dataclass(frozen=True, slots=True)
class HeldCount:
    """How many records one rule holds back, and since when the oldest (UTC)."""

    connector: str
    kind: Kind
    rule: str
    records: int
    oldest: datetime


class Quarantine:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self, connector: str | None = None) -> tuple[HeldCount, ...]:
        """Open entries by connector, kind and rule."""
        group = (quarantine.c.connector, quarantine.c.kind, quarantine.c.rule)
        query = select(*group, func.count(), func.min(quarantine.c.first_held_at)).where(_OPEN).group_by(*group).order_by(*group)
        if connector is not None:
            query = query.where(quarantine.c.connector == connector)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(HeldCount(row[0], Kind(row[1]), row[2], int(row[3]), row[4]) for row in rows)

    def list(self, connector: str | None = None, kind: Kind | None = None, *, limit: int = 100) -> tuple[Held, ...]:
        """Open entries, the oldest first."""
        query = select(quarantine).where(_OPEN).order_by(quarantine.c.quarantine_id).limit(limit)
        if connector is not None:
            query = query.where(quarantine.c.connector == connector)
        if kind is not None:
            query = query.where(quarantine.c.kind == kind.value)
        with self._database.reading() as connection:
            return tuple(_held(row) for row in connection.execute(query))

    def show(self, quarantine_id: int) -> Held | None:
        """One entry, open or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(quarantine).where(quarantine.c.quarantine_id == quarantine_id)).first()
        return None if row is None else _held(row)

    def open_ids(self, connector: str, kind: Kind) -> tuple[str, ...]:
        """CRM ids of the records that are held back: they are read again with every pull until they pass."""
        which = (quarantine.c.connector == connector) & (quarantine.c.kind == kind.value) & (quarantine.c.crm_id != "")
        query = select(distinct(quarantine.c.crm_id)).where(_OPEN, which).order_by(quarantine.c.crm_id)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def ask_again(self, quarantine_ids: tuple[int, ...], now: datetime) -> int:
        """An operator corrected the cause: read these records with the next pull. They stay held until they pass. → how many."""
        which = quarantine.c.quarantine_id.in_(quarantine_ids)
        with self._database.writing() as connection:
            return connection.execute(update(quarantine).where(_OPEN, which).values(retry_asked_at=now)).rowcount

    def release(self, quarantine_ids: tuple[int, ...], reason: str, now: datetime) -> int:
        """An operator drops entries: the records are no longer held nor asked for, until they change in the CRM. → how many."""
        which = quarantine.c.quarantine_id.in_(quarantine_ids)
        values = {"released_at": now, "release_reason": reason}
        with self._database.writing() as connection:
            return connection.execute(update(quarantine).where(_OPEN, which).values(values)).rowcount


def _held(row: Row[tuple[object, ...]]) -> Held:
    entry = row._mapping
    return Held(
        quarantine_id=entry["quarantine_id"],
        connector=entry["connector"],
        kind=Kind(entry["kind"]),
        crm_id=entry["crm_id"],
        rule=entry["rule"],
        reason=entry["reason"],
        row=entry["row"],
        first_held_at=entry["first_held_at"],
        last_held_at=entry["last_held_at"],
        released_at=entry["released_at"],
        release_reason=entry["release_reason"],
    )
