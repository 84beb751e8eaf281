"""What an action of the marketing side leaves in the outbox (PUSH-1). Called inside the transaction that records the action."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, literal, null, select, text
from sqlalchemy.dialects import postgresql, sqlite

from adapters.market.loading import is_lite
from adapters.market.push_keys import PushKeys
from adapters.market.schema_books import outbox
from sync.push import State
from sync.records import Kind

_SUBJECT = ("connector", "kind", "subject_id", "contact_id")
_ONCE = text("kind != 'opt-out'")  # literal: a parameter would hide from the database which index is meant
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Queued:
    """One subject that a connector's CRM is to be told about. `contact_id` 0: nobody's, as a campaign's counters.

    `subject_id`: key of the row that is pushed, 0 for a new lead and a record update. `value`: of a record update a JSON object,
    column → value as it is now; else empty. Opt-outs are queued by `unsubscribing`.
    """

    connector: str
    kind: Kind
    contact_id: int
    subject_id: int = 0
    value: str = "{}"


def queue(connection: Connection, rows: Sequence[Queued], now: datetime) -> int:
    """One row of the outbox per connector, kind, subject and person. → how many are new or wait again.

    A subject that can change (a score, a sent email's counts, a campaign's counters, a visit's pages, a registration, a record update)
    waits again with the next version; what the CRM made of it stays its `remote_id`. One that is at the CRM this moment stays `sending`,
    so that it is looked up before it goes out again (PUSH-3). Anything else is queued once.
    """
    changing = [row for row in rows if _changes(row)]
    once = [row for row in rows if not _changes(row)]
    return _execute(connection, _merged(connection, changing), now, changes=True) + _execute(connection, once, now, changes=False)


def _is_counted(row: Queued) -> bool:
    """A campaign's counters: its subject is the campaign, and no event."""
    return row.kind in (Kind.OPENED, Kind.CLICKED) and row.contact_id == 0


def _changes(row: Queued) -> bool:
    return _is_counted(row) or row.kind in (Kind.SCORE, Kind.SENT, Kind.VISIT, Kind.REGISTRATION, Kind.UPDATE)


def _execute(connection: Connection, rows: Iterable[Queued], now: datetime, *, changes: bool) -> int:
    rows = tuple(rows)
    keys = PushKeys(connection, ((row.kind, row.subject_id) for row in rows if not _is_counted(row)))
    values = [_values(row, keys, now) for row in rows]
    if not values:
        return 0
    insert = (sqlite.insert if is_lite(connection) else postgresql.insert)(outbox)
    subject = [outbox.c[name] for name in _SUBJECT]
    if changes:
        new = insert.excluded
        statement: Any = insert.on_conflict_do_update(index_elements=subject, index_where=_ONCE, set_=_again(new.value, new.created_at))
    else:
        statement = insert.on_conflict_do_nothing(index_elements=subject, index_where=_ONCE)
    return int(connection.execute(statement, values, execution_options={"preserve_rowcount": True}).rowcount)


def _values(row: Queued, keys: PushKeys, now: datetime) -> dict[str, Any]:
    return {
        "connector": row.connector,
        "kind": row.kind.value,
        "contact_id": row.contact_id,
        "subject_id": row.subject_id,
        "crm_kind": "",
        "crm_id": "",
        "value": row.value,
        "push_key": keys.of(row.connector, row.kind, 0 if _is_counted(row) else row.subject_id),
        "created_at": now,
    }


def _again(value: Any, at: Any) -> dict[str, Any]:
    """What happens to a row whose subject changed."""
    is_sending = outbox.c.state == State.SENDING.value
    return {
        "version": outbox.c.version + 1,
        "value": value,
        "state": case((is_sending, literal(State.SENDING.value)), else_=literal(State.PENDING.value)),
        "attempts": 0,
        "next_try_at": case((is_sending, outbox.c.next_try_at), else_=null()),
        "refusal": null(),
        "waits_for": null(),
        "created_at": case((outbox.c.state == State.ACKNOWLEDGED.value, at), else_=outbox.c.created_at),
    }


def _merged(connection: Connection, rows: Sequence[Queued]) -> list[Queued]:
    """Of one subject one row. A record update carries what waits already, the newer value of a column counts."""
    latest: dict[tuple[str, Kind, int, int], Queued] = {}
    waiting = _waiting_updates(connection, rows)
    for row in rows:
        key = (row.connector, row.kind, row.subject_id, row.contact_id)
        if row.kind is Kind.UPDATE:
            before = latest[key].value if key in latest else waiting.get((row.connector, row.contact_id), "{}")
            row = replace(row, value=merged_value(before, row.value))
        latest[key] = row
    return list(latest.values())


def merged_value(older: str, newer: str) -> str:
    """Two record updates as one: every column of either, with the newer value. A null is a value: the column is to be emptied."""
    return json.dumps(json.loads(older) | json.loads(newer), ensure_ascii=False)


def _waiting_updates(connection: Connection, rows: Sequence[Queued]) -> dict[tuple[str, int], str]:
    """(connector, contact_id) → what waits for that person."""
    wanted: dict[str, set[int]] = {}
    for row in rows:
        if row.kind is Kind.UPDATE:
            wanted.setdefault(row.connector, set()).add(row.contact_id)
    found: dict[tuple[str, int], str] = {}
    for connector, people in wanted.items():
        ids = sorted(people)
        for first in range(0, len(ids), _AT_ONCE):
            some = outbox.c.contact_id.in_(ids[first : first + _AT_ONCE])
            own = outbox.c.connector == connector, outbox.c.kind == Kind.UPDATE.value, outbox.c.subject_id == 0, _ONCE
            query = select(outbox.c.contact_id, outbox.c.value).where(*own, outbox.c.state != State.ACKNOWLEDGED.value, some)
            found |= {(connector, contact_id): value for contact_id, value in connection.execute(query)}
    return found
