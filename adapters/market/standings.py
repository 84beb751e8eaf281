"""What an overview asks of Market. Cost follows what is wrong (held, waiting, failing), never the size of the tables: it is asked at the
end of every run, also of one that had nothing to do (FLOW-4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from adapters.market.books import COMPLETED, FAILED, RUNNING, STOPPED
from adapters.market.database import Database
from adapters.market.schema_books import crm_links, outbox, quarantine, runs
from sync.push import State
from sync.records import Kind
from sync.standing import HeldOfKind, LatestRuns


class Standings:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest_runs(self, connector: str, since: Mapping[str, datetime | None]) -> dict[str, LatestRuns]:
        """Per flow. `since`: the start of a run of it that came to its end and that Market may not know of, as one that had nothing to do.

        One query, as long as nothing failed and every flow ran before.
        """
        with self._database.reading() as connection:
            known = {flow: at or _last_success(connection, connector, flow) for flow, at in since.items()}
            found = _since(connection, connector, known)
            later = {flow: at for flow, at in known.items() if (flow, COMPLETED) in found}
            if later:  # the newest one is in Market after all: what failed before it counts no more
                known |= {flow: _last_success(connection, connector, flow) for flow in later}
                found = _since(connection, connector, known)
            return {flow: _latest(connection, connector, flow, at, found) for flow, at in known.items()}

    def held(self, connector: str, share: float) -> tuple[HeldOfKind, ...]:
        """Kinds with records in quarantine. How many Market knows of a kind is counted up to where those are less than `share` of it."""
        which = (quarantine.c.connector == connector) & quarantine.c.released_at.is_(None)
        count = func.count(quarantine.c.crm_id.distinct())
        query = select(quarantine.c.kind, count, func.min(quarantine.c.first_held_at)).where(which).group_by(quarantine.c.kind)
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(quarantine.c.kind)).all()
            return tuple(
                HeldOfKind(Kind(kind), int(held), since, _known(connection, connector, kind, int(held / share) + 1 if share else 0))
                for kind, held, since in found
            )

    def waiting(self, connector: str) -> tuple[int, datetime | None, int]:
        """→ rows that go to the CRM by themselves, since when the oldest waits, and rows that are parked. Reads all of these rows."""
        parked = outbox.c.state == State.PARKED.value
        which = (outbox.c.connector == connector) & (outbox.c.state != State.ACKNOWLEDGED.value)
        query = select(parked.label("parked"), func.count(), func.min(outbox.c.created_at)).where(which).group_by(parked)
        with self._database.reading() as connection:
            found = {bool(row[0]): (int(row[1]), row[2]) for row in connection.execute(query)}
        rows, since = found.get(False, (0, None))
        return rows, since, found.get(True, (0, None))[0]


def _last_success(connection: Connection, connector: str, flow: str) -> datetime | None:
    query = select(runs.c.started_at).where(_own(connector, flow), runs.c.state == COMPLETED)
    return connection.execute(query.order_by(runs.c.started_at.desc()).limit(1)).scalar()


def _own(connector: str, flow: str, since: datetime | None = None) -> ColumnElement[bool]:
    own = and_(runs.c.connector == connector, runs.c.flow == flow)
    return own if since is None else and_(own, runs.c.started_at > since)


_Counts = dict[tuple[str, str], tuple[int, datetime, datetime]]
"""(flow, state) → how many runs, the start of the first and of the last."""


def _since(connection: Connection, connector: str, since: Mapping[str, datetime | None]) -> _Counts:
    which = or_(*(_own(connector, flow, at) for flow, at in since.items()))
    told = (func.count(), func.min(runs.c.started_at), func.max(runs.c.started_at))
    query = select(runs.c.flow, runs.c.state, *told).where(which).group_by(runs.c.flow, runs.c.state)
    return {(row[0], row[1]): (int(row[2]), row[3], row[4]) for row in connection.execute(query)}


def _latest(connection: Connection, connector: str, flow: str, success: datetime | None, found: _Counts) -> LatestRuns:
    wrong = [found[flow, state] for state in (FAILED, STOPPED) if (flow, state) in found]
    at_work = found[flow, RUNNING][2] if (flow, RUNNING) in found else None
    if not wrong:
        return LatestRuns(success, at_work_since=at_work)
    which = _own(connector, flow, success) & runs.c.state.in_((FAILED, STOPPED))
    query = select(runs.c.state, runs.c.summary, runs.c.report).where(which).order_by(runs.c.started_at.desc()).limit(1)
    row = connection.execute(query).one()
    told = json.loads(row.summary or "{}")
    return LatestRuns(
        last_success=success,
        failures=sum(count for count, _, _ in wrong),
        failing_since=min(first for _, first, _ in wrong),
        state=row.state,
        error=str(told.get("error", "")),
        error_type=str(told.get("error_type", "")),
        report=row.report or "",
        at_work_since=at_work,
    )


def _known(connection: Connection, connector: str, kind: str, most: int) -> int:
    some = select(crm_links.c.crm_id).where(crm_links.c.connector == connector, crm_links.c.kind == kind).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) if most else 0
