"""The CRM's schema as it was last replicated, and the fields that are still to be filled in for rows that were here before (PULL-4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from adapters.market.columns import CatalogueEntry, add_entries, mark_fields, widen_entries
from adapters.market.database import Database
from adapters.market.schema_following import backfills, schema_states
from sync.fields import ColumnType
from sync.records import Kind


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What the last description came to. `readings`: the JSON text that `readings_of` takes apart."""

    fingerprint: str
    readings: str


@dataclass(frozen=True, slots=True)
class Backfill:
    """One field of one kind that is to be filled in. `rows_done`: read so far; None before the first page. Times are UTC."""

    kind: Kind
    crm_field: str
    column: str
    asked_at: datetime
    rows_done: int | None


@dataclass(frozen=True, slots=True)
class Following:
    """Everything that one description changes in Market, in one transaction.

    `marks`: kind, field, status, note. `to_fill`: kind, field, column. `sources`: the fields that each described kind still reads; a
    backfill of another one is given up.
    """

    widen: Sequence[tuple[str, str, ColumnType]]
    entries: Sequence[CatalogueEntry]
    marks: Sequence[tuple[Kind, str, str, str]]
    to_fill: Sequence[tuple[Kind, str, str]]
    sources: Mapping[Kind, Collection[str]]
    state: SchemaState


class Described:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, connector: str) -> SchemaState | None:
        """None: this connector's schema was never replicated, or it was purged."""
        query = select(schema_states.c.fingerprint, schema_states.c.readings).where(schema_states.c.connector == connector)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else SchemaState(row[0], row[1])

    def follow(self, connector: str, following: Following, now: datetime) -> None:
        """Columns, catalogue, backfills and state, or nothing: a run that dies before it leaves the next one the same to see."""
        with self._database.writing(bulk=True) as connection:
            for table, column, type_ in following.widen:
                widen_entries(connection, table, column, type_)
            add_entries(connection, following.entries, now)
            for kind, field, status, note in following.marks:
                mark_fields(connection, connector, kind, [field], status, note)
            for kind, sources in following.sources.items():
                gone = backfills.c.crm_field.not_in(sorted(sources)) & backfills.c.filled_at.is_(None)
                connection.execute(delete(backfills).where(_own(connector, kind), gone))
            for kind, field, column in following.to_fill:
                _ask(connection, connector, kind, field, column, now)
            _put_state(connection, connector, following.state, now)

    def open(self, connector: str, kind: Kind | None = None) -> tuple[Backfill, ...]:
        """The backfills that are not done, by kind and field."""
        query = select(backfills).where(backfills.c.connector == connector, backfills.c.filled_at.is_(None))
        if kind is not None:
            query = query.where(backfills.c.kind == kind.value)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(backfills.c.kind, backfills.c.crm_field)).mappings().all()
        return tuple(Backfill(Kind(r["kind"]), r["crm_field"], r["column_name"], r["asked_at"], r["rows_filled"]) for r in rows)

    def note_progress(self, connector: str, kind: Kind, fields: Collection[str], rows: int) -> None:
        """How many records have been read for these fields; only while they are open."""
        which = and_(_own(connector, kind), backfills.c.crm_field.in_(sorted(fields)), backfills.c.filled_at.is_(None))
        with self._database.writing() as connection:
            connection.execute(update(backfills).where(which).values(rows_filled=rows))


def close_backfills(
    connection: Connection, connector: str, kind: Kind, fields: Collection[str], began: datetime, rows: int, now: datetime
) -> None:
    """The fields are filled. One that was asked for again after this read `began` stays open."""
    which = and_(_own(connector, kind), backfills.c.crm_field.in_(sorted(fields)), backfills.c.asked_at <= began)
    connection.execute(update(backfills).where(which, backfills.c.filled_at.is_(None)).values(filled_at=now, rows_filled=rows))


def _own(connector: str, kind: Kind) -> ColumnElement[bool]:
    return (backfills.c.connector == connector) & (backfills.c.kind == kind.value)


def _ask(connection: Connection, connector: str, kind: Kind, field: str, column: str, now: datetime) -> None:
    connection.execute(delete(backfills).where(_own(connector, kind), backfills.c.crm_field == field))
    connection.execute(insert(backfills).values(connector=connector, kind=kind.value, crm_field=field, column_name=column, asked_at=now))


def _put_state(connection: Connection, connector: str, state: SchemaState, now: datetime) -> None:
    values = {"fingerprint": state.fingerprint, "readings": state.readings, "described_at": now}
    if connection.execute(update(schema_states).where(schema_states.c.connector == connector).values(values)).rowcount == 0:
        connection.execute(insert(schema_states).values(connector=connector, **values))
