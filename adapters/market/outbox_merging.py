"""Two people turn out to be one (MATCH-8): what they did, their scores, and what waits for a CRM go on as the winner's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, null, select, update

from adapters.market.queueing import Queued, merged_value, queue
from adapters.market.schema_books import BLOCKED, outbox
from adapters.market.schema_marketing import (
    completions,
    email_events,
    email_sends,
    registrations,
    score_changes,
    scores,
    tasks,
    web_visits,
)
from sync.push import State
from sync.records import Kind

_ACTIVITY = (email_sends, email_events, web_visits, completions, registrations, tasks, score_changes)
_PERSONAL = (Kind.SCORE.value, Kind.NEW_LEAD.value, Kind.UPDATE.value)  # a subject that both can have


def move_activity(connection: Connection, loser: int, winner: int, now: datetime) -> None:
    """One pair, inside the transaction that merges them. Cost follows what the loser did: every table is read by an index of people."""
    for table in _ACTIVITY:
        connection.execute(update(table).where(table.c.contact_id == loser).values(contact_id=winner))
    _move_scores(connection, loser, winner)
    _move_outbox(connection, loser, winner, now)


def _move_scores(connection: Connection, loser: int, winner: int) -> None:
    """The winner's own score of a profile stays."""
    own = select(scores.c.profile_id).where(scores.c.contact_id == winner)
    connection.execute(delete(scores).where(scores.c.contact_id == loser, scores.c.profile_id.in_(own)))
    connection.execute(update(scores).where(scores.c.contact_id == loser).values(contact_id=winner))


def _move_outbox(connection: Connection, loser: int, winner: int, now: datetime) -> None:
    """What only the loser has becomes the winner's, with its key and what the CRM made of it; of what both have, one row stays."""
    query = select(outbox).where(outbox.c.contact_id.in_((loser, winner)), outbox.c.kind.in_(_PERSONAL))
    rows = connection.execute(query.order_by(outbox.c.outbox_id)).all()
    winners = {_subject(row): row for row in rows if row.contact_id == winner}
    for row in rows:
        if row.contact_id == loser and _subject(row) in winners:
            connection.execute(delete(outbox).where(outbox.c.outbox_id == row.outbox_id))
            if row.state != State.ACKNOWLEDGED.value:
                _absorb(connection, row, winners[_subject(row)], now)
    connection.execute(update(outbox).where(outbox.c.contact_id == loser).values(contact_id=winner))
    connection.execute(update(outbox).where(outbox.c.contact_id == winner, BLOCKED).values(waits_for=null()))


def _subject(row: Row[Any]) -> tuple[str, str, int]:
    return row.connector, row.kind, row.subject_id


def _absorb(connection: Connection, row: Row[Any], own: Row[Any], now: datetime) -> None:
    """The winner's row takes over from a row of the loser that the CRM has not acknowledged.

    | kind          | the winner's row                                                                               |
    |---------------|------------------------------------------------------------------------------------------------|
    | score         | waits again: the record that the loser brought shall show it as well                           |
    | record update | waits again, with the loser's values where it has none of its own                              |
    | new lead      | stays; where the loser may have been created just now, that record is the one to look for      |
    """
    if row.kind != Kind.NEW_LEAD.value:
        waits = own.state != State.ACKNOWLEDGED.value
        value = merged_value(row.value, own.value) if waits else row.value
        queue(connection, [Queued(row.connector, Kind(row.kind), own.contact_id, row.subject_id, value)], now)
    elif row.state == State.SENDING.value and own.state in (State.PENDING.value, State.REFUSED.value):
        taken = {"state": row.state, "push_key": row.push_key, "tried_at": row.tried_at}
        connection.execute(update(outbox).where(outbox.c.outbox_id == own.outbox_id).values(taken))
