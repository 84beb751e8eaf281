"""What people did, told as an activity of a CRM's own: a title, when, and a text of lines. The same for every CRM (SINK-1, SINK-2)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.activity_objects import CAMPAIGN, ActivityObject, objects_for
from sync.outgoing import counts_only
from sync.push import Outgoing
from sync.push_settings import SinkSettings
from sync.records import Kind


@dataclass(frozen=True, slots=True)
class Told:
    """One activity. `at`: ISO text, UTC; None where nobody knows."""

    title: str
    at: str | None
    text: str


def told(kind: Kind, values: Mapping[str, Any]) -> Told:
    """The activity that a row's values tell of."""
    title, at, lines = _STORIES[kind](values)
    text = [f"{label}: {_plain(value)}" for label, value in lines.items() if value not in (None, "")]
    return Told(title, at, "\n".join(text))


def objects_of(row: Outgoing, sinks: SinkSettings) -> tuple[ActivityObject, ...]:
    """A row lands as what it was queued as, also where the sink was changed since: counters count, an event is one."""
    if counts_only(row):
        return (CAMPAIGN,)
    found = objects_for(row.kind, sinks.of(row.kind))
    return () if CAMPAIGN in found else found


def campaign_id(campaign_key: str) -> str:
    """Our key of a campaign's record: the same for openings and clicks, whichever comes first."""
    return str(uuid.uuid5(namespace("campaign"), campaign_key))


def namespace(name: str) -> uuid.UUID:
    """Of keys that follow from another key. Not every CRM id is a UUID."""
    return uuid.uuid5(uuid.NAMESPACE_OID, name)


def text_of(value: Any) -> Any:
    """Answers to a form are lines of text in a CRM."""
    return "\n".join(f"{name}: {said}" for name, said in value.items()) if isinstance(value, Mapping) else value


def title_of(value: object, length: int) -> str:
    """On one line, cut to what a name takes."""
    return " ".join(str(value).split())[:length]


Story = tuple[str, Any, dict[str, Any]]


def _sent(v: Mapping[str, Any]) -> Story:
    told = {
        "Subject": v.get("subject"),
        "Campaign": v.get("campaign"),
        "From": v.get("from_address"),
        "To": v.get("address"),
        "Delivery": v.get("delivery_status"),
        "Opens": v.get("opens"),
        "Clicks": v.get("clicks"),
    }
    return f"Email sent: {v.get('subject') or v.get('campaign') or ''}", v.get("sent_at"), told


def _opened(v: Mapping[str, Any]) -> Story:
    told = {"Subject": v.get("subject"), "Campaign": v.get("campaign"), "Address": v.get("address")}
    return f"Email opened: {v.get('subject') or v.get('campaign') or ''}", v.get("at"), told


def _clicked(v: Mapping[str, Any]) -> Story:
    told = {"Subject": v.get("subject"), "Campaign": v.get("campaign"), "Address": v.get("address"), "Link": v.get("url")}
    return f"Email clicked: {v.get('subject') or v.get('campaign') or ''}", v.get("at"), told


def _visit(v: Mapping[str, Any]) -> Story:
    pages = "\n".join(f"- {each.get('title') or each.get('url')}" for each in v.get("page_views") or ())
    told = {
        "Landing page": v.get("landing_page"),
        "Referrer": v.get("referrer"),
        "Ended": v.get("ended_at"),
        "Pages": v.get("pages"),
        "Looked at": pages and f"\n{pages}",
    }
    return f"Web visit: {v.get('landing_page') or ''}", v.get("started_at"), told


def _completion(v: Mapping[str, Any]) -> Story:
    told = {"Page": v.get("page"), "Address of the page": v.get("url"), "Form": v.get("form"), "Answers": v.get("answers")}
    return f"Landing page: {v.get('page') or ''}", v.get("completed_at"), told


def _registration(v: Mapping[str, Any]) -> Story:
    told = {
        "Event": v.get("event"),
        "Place": v.get("place"),
        "Begins": v.get("starts_at"),
        "Registered": v.get("registered_at"),
        "Attended": v.get("attended_at"),
    }
    return f"Event: {v.get('event') or ''}", v.get("attended_at") or v.get("registered_at"), told


_STORIES: dict[Kind, Callable[[Mapping[str, Any]], Story]] = {
    Kind.SENT: _sent,
    Kind.OPENED: _opened,
    Kind.CLICKED: _clicked,
    Kind.VISIT: _visit,
    Kind.COMPLETION: _completion,
    Kind.REGISTRATION: _registration,
}


def _plain(value: Any) -> str:
    return f"\n{text_of(value)}" if isinstance(value, Mapping) else _instant(str(value))


def _instant(text: str) -> str:
    """An instant as people read it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{found:%Y-%m-%d %H:%M} UTC" if len(text) > len("2026-01-01") else text
