"""From waiting rows to what an adapter sends: the row, the person's records, the values; all of it for a batch at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, select

from adapters.market.columns import current_table
from adapters.market.consent_facts import PEOPLES_KINDS
from adapters.market.mailing import addresses_out
from adapters.market.outbox_ready import ASKED, IN_TURN, PERSON, STANDS, of_connector, queued, ready, writable
from adapters.market.outbox_values import activity_values, campaign_counters
from adapters.market.schema_books import crm_links, outbox
from adapters.market.schema_marketing import scores, scoring_profiles, tasks
from sync.address import address_key
from sync.mapping import MappingRow
from sync.push import Outgoing, State, Target
from sync.push_settings import ScoreField
from sync.pushed_fields import ADDRESS_COLUMN, outgoing_fields, plain_value, pushed_columns
from sync.records import PEOPLE, Kind

_ROW = [outbox.c[name] for name in ("outbox_id", "version", "state", "push_key", "remote_id", "subject_id", "value")]
_ADDRESSED = [outbox.c.contact_id.label("asked_id"), outbox.c.crm_kind, outbox.c.crm_id]
_WHO = [PERSON.c[name] for name in ("contact_id", "email", "owner_id", "opt_out", "crm_id")]


@dataclass(frozen=True, slots=True)
class Needs:
    """What the configuration says about the values of a connector. `mapping`: stock rows and the operator's, combined (new leads, record
    updates). `scores`: scoring profile → fields. `create_as`: what a new person becomes, lead or contact (PUSH-7)."""

    mapping: tuple[MappingRow, ...] = ()
    scores: Mapping[str, ScoreField] = field(default_factory=dict)
    create_as: Kind = Kind.LEAD


def collect(
    connection: Connection, connector: str, kind: Kind, now: datetime, *, limit: int, after: int, needs: Needs
) -> tuple[Outgoing, ...]:
    """See `Outbox.collect`."""
    query = (
        select(*_ROW, *_ADDRESSED, *(column.label(f"person_{column.name}") for column in _WHO))
        .outerjoin_from(outbox, ASKED, ASKED.c.contact_id == outbox.c.contact_id)
        .outerjoin(PERSON, STANDS)
        .where(queued(connector, kind, now), ready(kind), outbox.c.outbox_id > after)
        .order_by(*IN_TURN)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    if not rows:
        return ()
    targets = _targets(connection, connector, kind, rows)
    values = _values(connection, connector, kind, rows, targets, needs)
    return tuple(_outgoing(kind, row, targets.get(row.outbox_id, ()), values.get(row.outbox_id, {})) for row in rows)


def _outgoing(kind: Kind, row: Row[Any], targets: tuple[Target, ...], values: Mapping[str, Any]) -> Outgoing:
    """A new lead whom the CRM knows by now is an update of that record (PUSH-L)."""
    what = Kind.UPDATE if kind is Kind.NEW_LEAD and targets else kind
    doubtful = row.state == State.SENDING.value
    return Outgoing(row.outbox_id, row.version, what, row.push_key or "", values, targets, row.remote_id or "", doubtful)


# -- which records ------------------------------------------------------------------------------------------------------


def _targets(connection: Connection, connector: str, kind: Kind, rows: Sequence[Row[Any]]) -> dict[int, tuple[Target, ...]]:
    """Of an opt-out the row's own record; of a score every writable one; of anything else one: the contact, else the lead."""
    if kind is Kind.OPT_OUT:
        return {row.outbox_id: (Target(Kind(row.crm_kind), row.crm_id),) for row in rows}
    link, people = crm_links.c, [row.person_contact_id for row in rows if row.asked_id]
    query = select(link.market_id, link.kind, link.crm_id).where(
        link.kind.in_(PEOPLES_KINDS), link.market_id.in_(people), of_connector(crm_links, connector), writable(crm_links, kind)
    )
    records: dict[int, list[Target]] = {}
    for person, record_kind, crm_id in connection.execute(query.order_by(link.market_id, link.kind, link.crm_id)):
        records.setdefault(person, []).append(Target(Kind(record_kind), crm_id))
    found = {row.outbox_id: records.get(row.person_contact_id, []) for row in rows if row.asked_id}
    if kind is Kind.SCORE:
        return {outbox_id: tuple(theirs) for outbox_id, theirs in found.items()}
    owners = {row.outbox_id: row.person_crm_id for row in rows}
    return {outbox_id: tuple(sorted(theirs, key=_first_of(owners[outbox_id]))[:1]) for outbox_id, theirs in found.items()}


def _first_of(owner: str | None) -> Any:
    """A contact before a lead, and of several the one whose values the row shows."""
    return lambda target: (target.kind is not Kind.CONTACT, target.crm_id != owner, target.crm_id)


# -- what they say ------------------------------------------------------------------------------------------------------


def _values(
    connection: Connection,
    connector: str,
    kind: Kind,
    rows: Sequence[Row[Any]],
    targets: Mapping[int, tuple[Target, ...]],
    needs: Needs,
) -> dict[int, dict[str, Any]]:
    if kind is Kind.OPT_OUT:
        return {row.outbox_id: {"address": row.person_email} for row in rows}
    if kind is Kind.SCORE:
        return _scores(connection, rows, needs)
    if kind is Kind.TASK:
        return _tasks(connection, connector, rows)
    if kind is Kind.NEW_LEAD:
        return _with_opt_outs(connection, rows, _new_leads(connection, rows, targets, needs))
    if kind is Kind.UPDATE:
        return _with_opt_outs(connection, rows, {row.outbox_id: _update(row, targets[row.outbox_id], needs) for row in rows})
    counters = campaign_counters(connection, [row.subject_id for row in rows if not row.asked_id])
    activity = activity_values(connection, kind, [row.subject_id for row in rows if row.asked_id])
    return {row.outbox_id: (activity if row.asked_id else counters).get(row.subject_id, {}) for row in rows}


def _scores(connection: Connection, rows: Sequence[Row[Any]], needs: Needs) -> dict[int, dict[str, Any]]:
    query = select(scores.c.contact_id, scores.c.profile_id, scoring_profiles.c.profile_key, scores.c.score, scores.c.scored_at)
    query = query.join_from(scores, scoring_profiles, scoring_profiles.c.profile_id == scores.c.profile_id)
    query = query.where(scores.c.contact_id.in_([row.person_contact_id for row in rows]))
    query = query.where(scores.c.profile_id.in_({row.subject_id for row in rows}))
    found = {}
    for person, profile, key, score, at in connection.execute(query):
        goes_to = needs.scores.get(key)
        values = {"field": goes_to.field, "date_field": goes_to.date_field} if goes_to else {"field": None, "date_field": None}
        found[(person, profile)] = {**values, "score": plain_value(score), "scored_at": plain_value(at)}
    return {row.outbox_id: found.get((row.person_contact_id, row.subject_id), {}) for row in rows}


def _tasks(connection: Connection, connector: str, rows: Sequence[Row[Any]]) -> dict[int, dict[str, Any]]:
    """Whose task it is: its own owner, else the person's, as the CRM's user; None where the CRM does not have them."""
    columns = tasks.c.task_id, tasks.c.subject, tasks.c.description, tasks.c.due_at, tasks.c.priority, tasks.c.owner_id
    query = select(*columns).where(tasks.c.task_id.in_([row.subject_id for row in rows]))
    found = {row.task_id: row for row in connection.execute(query)}
    persons = {row.outbox_id: row.person_owner_id for row in rows}
    owners = {row.outbox_id: getattr(found.get(row.subject_id), "owner_id", None) or persons[row.outbox_id] for row in rows}
    link = crm_links.c
    users = select(link.market_id, link.crm_id).where(link.kind == Kind.USER.value, link.market_id.in_(set(owners.values()) - {None}))
    known = {row.market_id: row.crm_id for row in connection.execute(users.where(of_connector(crm_links, connector), link.living))}
    out: dict[int, dict[str, Any]] = {}
    for row in rows:
        if task := found.get(row.subject_id):
            out[row.outbox_id] = {name: plain_value(getattr(task, name)) for name in ("subject", "description", "due_at", "priority")}
            out[row.outbox_id]["owner"] = known.get(owners[row.outbox_id])
    return out


def _new_leads(
    connection: Connection, rows: Sequence[Row[Any]], targets: Mapping[int, tuple[Target, ...]], needs: Needs
) -> dict[int, dict[str, Any]]:
    """The person's row as it is now (PUSH-5). One whom the CRM knows by now is an update."""
    table = current_table(connection, "contacts")
    wanted = pushed_columns(PEOPLE, needs.mapping) & set(table.c.keys()) | {ADDRESS_COLUMN}
    columns: list[Column[Any]] = [table.c[name] for name in sorted(wanted)]
    query = select(table.c.contact_id.label("the_person"), *columns).where(table.c.contact_id.in_([row.person_contact_id for row in rows]))
    persons = {person["the_person"]: dict(person) for person in connection.execute(query).mappings()}
    out = {}
    for row in rows:
        there = targets[row.outbox_id]
        kind = there[0].kind if there else needs.create_as
        out[row.outbox_id] = outgoing_fields(kind, needs.mapping, persons[row.person_contact_id], creates=not there)
    return out


def _update(row: Row[Any], targets: tuple[Target, ...], needs: Needs) -> dict[str, Any]:
    return outgoing_fields(targets[0].kind, needs.mapping, json.loads(row.value), creates=False)


def _with_opt_outs(connection: Connection, rows: Sequence[Row[Any]], values: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Wherever an address is written, the CRM is told with it who must not be mailed there: it would else take the new address of somebody
    who is out for one that may be mailed, and come back as a re-subscribe (CONSENT-7, CONSENT-10). In is never said."""
    keys = {outbox_id: address_key(each.get("address")) for outbox_id, each in values.items()}
    out = addresses_out(connection, {key for key in keys.values() if key})
    for row in rows:
        if keys[row.outbox_id] and (row.person_opt_out or keys[row.outbox_id] in out):
            values[row.outbox_id]["opt_out"] = True
    return values
