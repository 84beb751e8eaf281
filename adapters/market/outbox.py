"""What waits to be written to a CRM (PUSH-2): one object for the push road and for the operator's desk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, null, select, update

from adapters.market.database import Database
from adapters.market.outbox_collect import Needs as Needs
from adapters.market.outbox_collect import collect
from adapters.market.outbox_ready import IN_TURN, mark_blocked, queued, ready
from adapters.market.outbox_settling import Settled as Settled
from adapters.market.outbox_settling import link_created, mark_sending, settle
from adapters.market.outbox_values import in_batches
from adapters.market.schema_books import outbox
from sync.push import Outgoing, Receipt, State
from sync.records import Kind

_ACKNOWLEDGED, _SENDING = State.ACKNOWLEDGED.value, State.SENDING.value


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row, for people. `waits_for`: person, record, delivery, or None. Instants are UTC. `refusal`: the CRM's words, or ours."""

    outbox_id: int
    connector: str
    kind: str
    contact_id: int | None
    subject_id: int
    crm_kind: str
    crm_id: str
    value: str
    version: int
    push_key: str | None
    state: str
    waits_for: str | None
    attempts: int
    created_at: datetime
    tried_at: datetime | None
    next_try_at: datetime | None
    acknowledged_at: datetime | None
    remote_id: str | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """So many rows of one connector, kind, state and reason to wait that the CRM has not acknowledged; `since`: the oldest's, UTC."""

    connector: str
    kind: Kind
    state: State
    waits_for: str | None
    rows: int
    since: datetime


@dataclass(frozen=True, slots=True)
class WhichRows:
    """Narrows the rows that are listed; what is None is not asked."""

    connector: str | None = None
    kind: Kind | None = None
    state: State | None = None


class Outbox:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- the push road ----------------------------------------------------------------------------------------------

    def waiting(self, connector: str, kinds: Sequence[Kind], now: datetime) -> dict[Kind, int]:
        """How many rows of these kinds can go out now; kinds without any are left out.

        What has to wait for something else (a CRM record of the person, the delivery of a mail) is looked at once, marked with what it
        waits for, and not looked at again before that may have come. With nothing in the queue this is one look at an index.
        """
        with self._database.reading() as connection:
            there = [kind for kind in kinds if connection.execute(_any(connector, kind, now)).first() is not None]
            counts = {kind: connection.execute(_counts(connector, kind, now)).one() for kind in there}
        blocked = [kind for kind, (rows, able) in counts.items() if able < rows]
        if blocked:
            with self._database.writing() as connection:
                for kind in blocked:
                    mark_blocked(connection, connector, kind, now)
        return {kind: able for kind, (_, able) in counts.items() if able}

    def collect(self, connector: str, kind: Kind, now: datetime, *, limit: int, needs: Needs, after: int = 0) -> tuple[Outgoing, ...]:
        """Up to `limit` rows that can go out now, with everything in them, by outbox_id; only those behind the row `after`.

        Cost follows the rows that are returned. A new lead whom the CRM knows by now comes as a record update of that record: it is sent
        and settled as one. A score of a profile without a field, and whatever lacks its own row, comes with values that the gate refuses.
        """
        with self._database.reading() as connection:
            return collect(connection, connector, kind, now, limit=limit, after=after, needs=needs)

    def mark_sending(self, outbox_ids: Collection[int], at: datetime) -> frozenset[int]:
        """Before the first byte goes out: from now on nobody knows what the CRM has, until they are settled (PUSH-3). → which of them go
        out: not what was parked, withdrawn or acknowledged since it was collected."""
        with self._database.writing() as connection:
            return mark_sending(connection, outbox_ids, at)

    def settle(
        self,
        connector: str,
        kind: Kind,
        receipts: Sequence[Receipt],
        *,
        at: datetime,
        crm_now: datetime,
        most_attempts: int,
        create_as: Kind = Kind.LEAD,
    ) -> Settled:
        """What the CRM said, in one transaction (PUSH-2, PUSH-4); `sync.push.settled` decides. Again with the same receipts is harmless.

        `at`: our clock, UTC; `crm_now`: the CRM's after the writes, which counts for opt-outs (CONSENT-5). `kind`: as the rows were sent;
        the records of accepted new leads are linked as `create_as`.
        """
        with self._database.writing() as connection:
            if kind is Kind.NEW_LEAD:
                link_created(connection, connector, create_as, receipts, at)
            return settle(connection, receipts, at=at, crm_now=crm_now, most_attempts=most_attempts)

    # -- the operator's desk ----------------------------------------------------------------------------------------

    def counts(self, connector: str | None = None) -> tuple[OutboxCount, ...]:
        """What no CRM has acknowledged yet, by connector, kind, state and what it waits for. Reads all of these rows."""
        by = (outbox.c.connector, outbox.c.kind, outbox.c.state, outbox.c.waits_for)
        query = select(*by, func.count(), func.min(outbox.c.created_at)).where(outbox.c.state != _ACKNOWLEDGED)
        if connector is not None:
            query = query.where(outbox.c.connector == connector)
        with self._database.reading() as connection:
            found = connection.execute(query.group_by(*by).order_by(*by)).all()
        return tuple(OutboxCount(name, Kind(kind), State(state), *rest) for name, kind, state, *rest in found)

    def rows(self, which: WhichRows, *, limit: int) -> tuple[OutboxRow, ...]:
        """The oldest first; without a state only what is not acknowledged."""
        query = _shown().where(*_conditions(which)).order_by(outbox.c.outbox_id).limit(limit)
        with self._database.reading() as connection:
            return tuple(OutboxRow(*row) for row in connection.execute(query))

    def row(self, outbox_id: int) -> OutboxRow | None:
        with self._database.reading() as connection:
            found = connection.execute(_shown().where(outbox.c.outbox_id == outbox_id)).first()
        return None if found is None else OutboxRow(*found)

    def retry(self, outbox_ids: Collection[int]) -> int:
        """The next run tries these again, with all attempts before them. Not what is acknowledged or on its way. → how many rows."""
        return self._change(outbox_ids, state=State.PENDING.value, attempts=0, next_try_at=null(), waits_for=null())

    def retry_parked(self, connector: str | None = None) -> int:
        """The same for every parked row. → how many."""
        with self._database.reading() as connection:
            ids = (
                connection.execute(select(outbox.c.outbox_id).where(*_conditions(WhichRows(connector, state=State.PARKED)))).scalars().all()
            )
        return self.retry(ids)

    def park(self, outbox_ids: Collection[int], why: str) -> int:
        """An operator lets these wait. An opt-out stays ours that the CRM has not taken (CONSENT-5). → how many rows."""
        return self._change(outbox_ids, state=State.PARKED.value, next_try_at=null(), refusal=why)

    def _change(self, outbox_ids: Collection[int], **values: Any) -> int:
        done = 0
        with self._database.writing() as connection:
            for some in in_batches(outbox_ids):
                rows = update(outbox).where(outbox.c.outbox_id.in_(some), outbox.c.state.not_in((_ACKNOWLEDGED, _SENDING)))
                done += connection.execute(rows.values(**values)).rowcount
        return done


def _any(connector: str, kind: Kind, now: datetime) -> Select[Any]:
    return select(outbox.c.outbox_id).where(queued(connector, kind, now)).order_by(*IN_TURN).limit(1)


def _counts(connector: str, kind: Kind, now: datetime) -> Select[Any]:
    """How many are in the queue, and how many of these can go out."""
    return select(func.count(), func.count().filter(ready(kind))).select_from(outbox).where(queued(connector, kind, now))


def _shown() -> Select[Any]:
    return select(*(outbox.c[name] for name in OutboxRow.__dataclass_fields__))


def _conditions(which: WhichRows) -> list[Any]:
    wanted = [outbox.c.state == which.state.value if which.state else outbox.c.state != _ACKNOWLEDGED]
    if which.connector is not None:
        wanted.append(outbox.c.connector == which.connector)
    if which.kind is not None:
        wanted.append(outbox.c.kind == which.kind.value)
    return wanted
