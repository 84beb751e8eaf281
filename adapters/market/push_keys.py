"""Our own keys of what pushes make in the CRM (PUSH-3): the same event has the same one, also in a Market that forgot it.

Market's own keys would not do: after a restore from a backup they are given a second time, to other events.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Connection, select

from adapters.market.schema_marketing import completions, email_events, email_sends, registrations, tasks, web_visits
from sync.records import Kind

_EVENTS: dict[Kind, tuple[Column[Any], Column[Any]]] = {
    Kind.SENT: (email_sends.c.send_id, email_sends.c.event_id),
    Kind.OPENED: (email_events.c.email_event_id, email_events.c.event_id),
    Kind.CLICKED: (email_events.c.email_event_id, email_events.c.event_id),
    Kind.TASK: (tasks.c.task_id, tasks.c.event_id),
    Kind.VISIT: (web_visits.c.visit_id, web_visits.c.event_id),
    Kind.COMPLETION: (completions.c.completion_id, completions.c.event_id),
    Kind.REGISTRATION: (registrations.c.registration_id, registrations.c.event_id),
}
KEYED = frozenset(_EVENTS)
"""What a push makes a record of, and makes only once whatever Market remembers."""

_NAMESPACE = uuid.UUID("5d1d1c2e-6a58-4d2e-9c5a-2f1d7c9b8a10")
_AT_ONCE = 1_000


class PushKeys:
    """The keys of rows that are about to be queued, by kind and subject. Costs a query per kind and thousand rows."""

    def __init__(self, connection: Connection, subjects: Iterable[tuple[Kind, int]]) -> None:
        self._events: dict[tuple[Kind, int], str] = {}
        wanted: dict[Kind, list[int]] = {}
        for kind, subject_id in subjects:
            if kind in _EVENTS and subject_id:
                wanted.setdefault(kind, []).append(subject_id)
        for kind, ids in wanted.items():
            key, event_id = _EVENTS[kind]
            for first in range(0, len(ids), _AT_ONCE):
                rows = connection.execute(select(key, event_id).where(key.in_(ids[first : first + _AT_ONCE])))
                self._events |= {(kind, row[0]): row[1] for row in rows}

    def of(self, connector: str, kind: Kind, subject_id: int) -> str:
        """Of what is no event a new one: a person is looked up by address before they are made (MATCH-10), a campaign has its own."""
        event_id = self._events.get((kind, subject_id))
        return str(uuid.uuid4() if event_id is None else uuid.uuid5(_NAMESPACE, f"{connector}\n{kind.value}\n{event_id}"))
