"""What a waiting activity says, for a batch of rows at once: one query per table, whatever the number of rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, distinct, func, select

from adapters.market.schema_marketing import (
    campaigns,
    completions,
    email_events,
    email_sends,
    landing_pages,
    marketing_events,
    page_views,
    registrations,
    web_visits,
)
from sync.pushed_fields import plain_value
from sync.records import Kind

Values = dict[str, Any]
_DELIVERY = {1: "delivered", 2: "bounced"}


def activity_values(connection: Connection, kind: Kind, subjects: Sequence[int]) -> dict[int, Values]:
    """Key of the activity's row → its values as `sync.push.Outgoing` names them. A row that is gone is not among them."""
    return _READ[kind](connection, subjects)


def campaign_counters(connection: Connection, campaign_ids: Sequence[int]) -> dict[int, Values]:
    """Campaign → how often its mails were opened and clicked, and by how many people (SINK-1). Read from an index of the events."""
    named = select(campaigns.c.campaign_id, campaigns.c.campaign_key, campaigns.c.name)
    events = email_events.c
    counts = select(events.campaign_id, events.what, func.count(), func.count(distinct(events.contact_id)))
    counts = counts.where(events.campaign_id.in_(campaign_ids)).group_by(events.campaign_id, events.what)
    counted = {(campaign, what): (total, people) for campaign, what, total, people in connection.execute(counts)}
    found: dict[int, Values] = {}
    for campaign, key, name in connection.execute(named.where(campaigns.c.campaign_id.in_(campaign_ids))):
        (opens, opened), (clicks, clicked) = counted.get((campaign, "open"), (0, 0)), counted.get((campaign, "click"), (0, 0))
        found[campaign] = {"campaign_key": key, "campaign": name, "opens": opens, "people_opened": opened}
        found[campaign] |= {"clicks": clicks, "people_clicked": clicked}
    return found


def _rows(connection: Connection, query: Select[Any]) -> dict[int, Values]:
    """By the first column; the others under their names."""
    found = connection.execute(query)
    _, *names = found.keys()
    return {key: {name: plain_value(value) for name, value in zip(names, values, strict=True)} for key, *values in found}


def _sends(connection: Connection, ids: Sequence[int]) -> dict[int, Values]:
    send, campaign = email_sends.c, campaigns.c
    query = select(
        send.send_id,
        campaign.name.label("campaign"),
        func.coalesce(send.subject, campaign.subject).label("subject"),
        campaign.from_address,
        send.address,
        send.sent_at,
        send.delivery_status,
        send.opens,
        send.clicks,
    ).outerjoin_from(email_sends, campaigns, campaign.campaign_id == send.campaign_id)
    found = _rows(connection, query.where(send.send_id.in_(ids)))
    for values in found.values():
        values["delivery_status"] = _DELIVERY.get(values["delivery_status"])
    return found


def _email_events(connection: Connection, ids: Sequence[int]) -> dict[int, Values]:
    event, campaign, send = email_events.c, campaigns.c, email_sends.c
    query = (
        select(
            event.email_event_id,
            campaign.name.label("campaign"),
            func.coalesce(send.subject, campaign.subject).label("subject"),
            func.coalesce(event.address, send.address).label("address"),
            event.at,
            event.url,
        )
        .outerjoin_from(email_events, campaigns, campaign.campaign_id == event.campaign_id)
        .outerjoin(email_sends, send.send_id == event.send_id)
    )
    return _rows(connection, query.where(event.email_event_id.in_(ids)))


def _visits(connection: Connection, ids: Sequence[int]) -> dict[int, Values]:
    visit, view = web_visits.c, page_views.c
    query = select(visit.visit_id, visit.started_at, visit.ended_at, visit.referrer, visit.landing_page).where(visit.visit_id.in_(ids))
    found = _rows(connection, query)
    views = select(view.visit_id, view.event_id, view.url, view.title, view.at).where(view.visit_id.in_(ids))
    seen: dict[int, list[Values]] = {}
    for visit_id, key, url, title, at in connection.execute(views.order_by(view.visit_id, view.at, view.page_view_id)):
        seen.setdefault(visit_id, []).append({"key": key, "url": url, "title": title, "at": plain_value(at)})
    for visit_id, values in found.items():
        values |= {"duration_s": _seconds(values), "pages": len(seen.get(visit_id, [])), "page_views": seen.get(visit_id, [])}
    return found


def _seconds(visit: Mapping[str, Any]) -> int | None:
    if visit["ended_at"] is None:
        return None
    return int((datetime.fromisoformat(visit["ended_at"]) - datetime.fromisoformat(visit["started_at"])).total_seconds())


def _completions(connection: Connection, ids: Sequence[int]) -> dict[int, Values]:
    done, page = completions.c, landing_pages.c
    query = select(done.completion_id, page.name.label("page"), page.url, done.form, done.completed_at, done.answers)
    query = query.outerjoin_from(completions, landing_pages, page.page_id == done.page_id)
    found = _rows(connection, query.where(done.completion_id.in_(ids)))
    for values in found.values():
        values["answers"] = json.loads(values["answers"] or "{}")
    return found


def _registrations(connection: Connection, ids: Sequence[int]) -> dict[int, Values]:
    registration, event = registrations.c, marketing_events.c
    query = select(
        registration.registration_id,
        event.name.label("event"),
        event.place,
        event.starts_at,
        registration.registered_at,
        registration.attended_at,
    ).outerjoin_from(registrations, marketing_events, event.marketing_event_id == registration.marketing_event_id)
    return _rows(connection, query.where(registration.registration_id.in_(ids)))


_READ: Mapping[Kind, Callable[[Connection, Sequence[int]], dict[int, Values]]] = {
    Kind.SENT: _sends,
    Kind.OPENED: _email_events,
    Kind.CLICKED: _email_events,
    Kind.VISIT: _visits,
    Kind.COMPLETION: _completions,
    Kind.REGISTRATION: _registrations,
}


def in_batches(keys: Iterable[int], size: int = 5_000) -> list[list[int]]:
    """Keys without repetition, in lists that fit into one statement."""
    wanted = sorted(set(keys))
    return [wanted[first : first + size] for first in range(0, len(wanted), size)]
