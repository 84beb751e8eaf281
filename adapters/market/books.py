"""Cursors, runs and findings: where the sync stands, what it did, what it noticed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from adapters.market.database import Database
from adapters.market.schema import contacts
from adapters.market.schema_books import consent_ledger, cursors, findings, key_sequences, parcels, runs
from sync.records import Cursor, Finding, Kind

RUNNING, COMPLETED, FAILED, STOPPED = "running", "completed", "failed", "stopped"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a flow for one connector; times are UTC. `ended_at` is None while it works, and for ever if it was killed."""

    run_id: str
    flow: str
    connector: str
    started_at: datetime
    state: str = RUNNING
    ended_at: datetime | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    report: str = ""


class Cursors:
    """A kind's cursor moves in `Commit.move_cursor`, together with its rows (PULL-2); `settle` is for those without rows of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, connector: str, kind: Kind) -> Cursor | None:
        """None: this kind was never committed. Raises MarketUnavailable."""
        which = (cursors.c.connector == connector) & (cursors.c.kind == kind.value)
        with self._database.reading() as connection:
            at = connection.execute(select(cursors.c.at).where(which)).scalar()
        return None if at is None else Cursor(connector, kind, at)

    def of(self, connector: str) -> dict[Kind, datetime]:
        """Every cursor of a connector; kinds that were never committed are left out."""
        query = select(cursors.c.kind, cursors.c.at).where(cursors.c.connector == connector)
        with self._database.reading() as connection:
            return {Kind(kind): at for kind, at in connection.execute(query)}

    def edge(self, connector: str, kind: Kind) -> dict[str, str]:
        """What the last window brought that the next one will bring again: id → stamp."""
        which = (cursors.c.connector == connector) & (cursors.c.kind == kind.value)
        with self._database.reading() as connection:
            return dict(json.loads(connection.execute(select(cursors.c.edge).where(which)).scalar() or "{}"))

    def settle(self, cursor: Cursor, edge: Mapping[str, str], now: datetime) -> None:
        """For changes that several parcels carry: moves the cursor after the last of them is committed. A run that dies before reads
        them again, which is harmless (PULL-2)."""
        which = (cursors.c.connector == cursor.connector) & (cursors.c.kind == cursor.kind.value)
        values = {"at": cursor.at, "edge": json.dumps(edge), "updated_at": now}
        with self._database.writing() as connection:
            if connection.execute(update(cursors).where(which).values(**values)).rowcount == 0:
                connection.execute(insert(cursors).values(connector=cursor.connector, kind=cursor.kind.value, **values))

    def is_committed(self, parcel_id: str, *, by: str | None = None) -> bool:
        """Whether a parcel is in Market already; `by`: whether that run committed it. Raises MarketUnavailable."""
        query = select(parcels.c.parcel_id).where(parcels.c.parcel_id == parcel_id)
        if by is not None:
            query = query.where(parcels.c.run_id == by)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None


def commit_mark(connection: Connection) -> str:
    """Differs whenever a parcel was committed or purged since, somebody's opt-out changed, or people were made here (a form, an import):
    what was planned before may not hold."""
    count, last = connection.execute(select(func.count(), func.max(parcels.c.committed_at)).select_from(parcels)).one()
    said = connection.execute(select(func.max(consent_ledger.c.entry_id))).scalar()
    people = connection.execute(select(key_sequences.c.next_key).where(key_sequences.c.table_name == contacts.name)).scalar()
    return f"{count} parcels, last {last}; {said or 0} ledger entries; {people} is the next person's key"


class Runs:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, run: Run) -> None:
        """Begins a run; one that is begun again (FLOW-3) keeps its start and is running once more."""
        with self._database.writing() as connection:
            again = update(runs).where(runs.c.run_id == run.run_id).values(state=RUNNING, ended_at=None)
            if connection.execute(again).rowcount == 0:
                values = {"flow": run.flow, "connector": run.connector, "started_at": run.started_at, "state": RUNNING}
                connection.execute(insert(runs).values(run_id=run.run_id, **values))

    def finish(self, run_id: str, state: str, now: datetime, *, summary: Mapping[str, Any] | None = None, report: str = "") -> None:
        """`state` is completed, failed, or stopped: an operator ended it."""
        values = {"state": state, "ended_at": now, "summary": json.dumps(summary or {}), "report": report}
        with self._database.writing() as connection:
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(values))

    def get(self, run_id: str) -> Run | None:
        with self._database.reading() as connection:
            row = connection.execute(select(runs).where(runs.c.run_id == run_id)).mappings().first()
        return None if row is None else _run(row)

    def list(self, connector: str | None = None, *, flow: str | None = None, limit: int = 20) -> tuple[Run, ...]:
        """The latest first."""
        query = select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id.desc()).limit(limit)
        if connector is not None:
            query = query.where(runs.c.connector == connector)
        if flow is not None:
            query = query.where(runs.c.flow == flow)
        with self._database.reading() as connection:
            return tuple(_run(row) for row in connection.execute(query).mappings())

    def has_completed(self, connector: str, flow: str) -> bool:
        """FLOW-2: whether such a run ever came to its end."""
        which = (runs.c.connector == connector) & (runs.c.flow == flow) & (runs.c.state == COMPLETED)
        with self._database.reading() as connection:
            return connection.execute(select(runs.c.run_id).where(which).limit(1)).first() is not None


class Findings:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, run_id: str, connector: str, found: Iterable[Finding]) -> None:
        rows = [
            {
                "run_id": run_id,
                "connector": connector,
                "kind": finding.kind.value if finding.kind else None,
                "topic": finding.topic,
                "message": finding.message,
                "count": finding.count,
                "examples": json.dumps(finding.examples),
            }
            for finding in found
        ]
        if rows:
            with self._database.writing() as connection:
                connection.execute(insert(findings), rows)

    def of_run(self, run_id: str) -> tuple[Finding, ...]:
        """In the order in which they were saved."""
        query = select(findings).where(findings.c.run_id == run_id).order_by(findings.c.finding_id)
        with self._database.reading() as connection:
            return tuple(_finding(row) for row in connection.execute(query).mappings())


def _run(row: Mapping[Any, Any]) -> Run:
    return Run(
        run_id=row["run_id"],
        flow=row["flow"],
        connector=row["connector"],
        started_at=row["started_at"],
        state=row["state"],
        ended_at=row["ended_at"],
        summary=json.loads(row["summary"] or "{}"),
        report=row["report"] or "",
    )


def _finding(row: Mapping[Any, Any]) -> Finding:
    kind = Kind(row["kind"]) if row["kind"] else None
    return Finding(kind, row["topic"], row["message"], int(row["count"]), tuple(json.loads(row["examples"])))
