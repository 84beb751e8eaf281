"""Which connectors wait for a recorded action, and for what (PUSH-1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.mapping import combine
from sync.push import Sink
from sync.records import PEOPLE, Kind
from sync.settings import ConnectorSettings
from sync.stock_mappings import STOCK_MAPPINGS, STOCK_SCORES

_NEVER = frozenset({"opt_out", "email", "email_addresses"})


@dataclass(frozen=True, slots=True)
class Destination:
    """What one connector's CRM is told about. `scores`: the scoring profiles that it has fields for. `columns`: those of people that
    its mapping pushes."""

    connector: str
    kinds: frozenset[Kind]
    sinks: Mapping[Kind, Sink]
    scores: frozenset[str]
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happened to a person. `subject_id`: key of the row that was written; 0 of a person who is pushed themselves.

    `campaign_id` and `send_id` belong to opens and clicks, `profile` to a score. Of a person: `records_in` names the connectors whose
    CRM has a record of them, `values` the columns to push, `may_create` whether they are to be created elsewhere.
    """

    kind: Kind
    contact_id: int
    subject_id: int = 0
    campaign_id: int = 0
    send_id: int | None = None
    profile: str = ""
    records_in: frozenset[str] = frozenset()
    values: Mapping[str, Any] = field(default_factory=dict)
    may_create: bool = False


@dataclass(frozen=True, slots=True)
class ToPush:
    """One row for the outbox; see `adapters.market.queueing.Queued`."""

    connector: str
    kind: Kind
    contact_id: int
    subject_id: int = 0
    value: str = "{}"


def destination(connector: ConnectorSettings) -> Destination:
    """From its settings: the options that are on, the sinks, and the columns of people that go to the CRM."""
    kinds = frozenset(connector.push.kinds())
    sinks = {kind: connector.sinks.of(kind) for kind in kinds | {Kind.SENT}}
    rows = combine(STOCK_MAPPINGS[connector.crm], connector.own_rows)
    columns = frozenset(row.column for row in rows if row.pushes and row.kinds & PEOPLE) - _NEVER
    scores = frozenset(connector.scores or STOCK_SCORES.get(connector.crm, {}))
    return Destination(connector.name, kinds, sinks, scores, columns)


def pushes_of(actions: Iterable[Action], destinations: Iterable[Destination]) -> list[ToPush]:
    """What the outbox gets, each row once, in the order of the actions. Options that are off get nothing.

    | action                      | option          | sink     | row of the outbox                                     |
    |-----------------------------|-----------------|----------|-------------------------------------------------------|
    | opened or clicked           | opened, clicked | native   | that event                                            |
    |                             | opened, clicked | campaign | the campaign's counters, nobody's                     |
    |                             | sent            | custom   | and the sent email again: its counts changed          |
    | score                       | scores          |          | the profile, if the connector has fields for it       |
    | person, with record there   | record updates  |          | the values that its mapping pushes, if any            |
    | person, without             | new leads       |          | a new lead, if they may be created (PUSH-L)           |
    | anything else               | its own         | any      | the row itself                                        |
    """
    there = tuple(destinations)
    found = {push: None for action in actions for one in there for push in _pushes(action, one)}
    return list(found)


def _pushes(action: Action, to: Destination) -> Iterator[ToPush]:
    if action.kind in (Kind.UPDATE, Kind.NEW_LEAD):
        yield from _person(action, to)
        return
    if action.kind in (Kind.OPENED, Kind.CLICKED):
        if action.send_id is not None and Kind.SENT in to.kinds and to.sinks[Kind.SENT] is Sink.CUSTOM:
            yield ToPush(to.connector, Kind.SENT, action.contact_id, action.send_id)
        if action.kind in to.kinds and to.sinks[action.kind] is Sink.CAMPAIGN:
            yield ToPush(to.connector, action.kind, 0, action.campaign_id)
            return
    if action.kind in to.kinds and (action.kind is not Kind.SCORE or action.profile in to.scores):
        yield ToPush(to.connector, action.kind, action.contact_id, action.subject_id)


def _person(action: Action, to: Destination) -> Iterator[ToPush]:
    if to.connector in action.records_in:
        values = {column: value for column, value in action.values.items() if column in to.columns}
        if values and Kind.UPDATE in to.kinds:
            yield ToPush(to.connector, Kind.UPDATE, action.contact_id, value=json.dumps(values, ensure_ascii=False))
    elif action.may_create and Kind.NEW_LEAD in to.kinds:
        yield ToPush(to.connector, Kind.NEW_LEAD, action.contact_id)
