"""What people did, as records of Sugar: of the custom objects that the product ships, or Sugar's own (SINK-1, SINK-2).

Sugar's own is a completed task about the person, for mails as for everything else: it stands in the person's history, it is one record in
one write, and it can be changed later. An archived email would take links to sender and receiver of its own and can't be changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from adapters.crm.sugarcrm_parts import Write
from adapters.crm.sugarcrm_schema import MODULES
from sync.activity_objects import CAMPAIGN, PAGE_VIEW, VISIT, ActivityObject, Belongs, objects_for
from sync.outgoing import counts_only
from sync.push import Outgoing
from sync.push_settings import SinkSettings
from sync.records import Kind

TASKS = "Tasks"
NAME_LENGTH = 255
TASK_NAME_LENGTH = 50
_PRIORITY = {"low": "Low", "normal": "Medium", "high": "High"}


def writes_of(row: Outgoing, sinks: SinkSettings) -> list[Write]:
    """The records of one row, the one that others hang on first; none where the row has nobody to be about."""
    found = _objects(row, sinks)
    if not row.targets and CAMPAIGN not in found:
        return []
    if row.kind is Kind.TASK:
        return [_record(row, TASKS, _task(row.values) | _about(row))]
    if not found:
        return [_record(row, TASKS, _completed(row) | _about(row))]
    head = found[0]
    first = _record(row, head.named(sinks.object_prefix), _values(head, row.values) | _parent(head, row))
    return [first, *(_page_views(row, sinks.object_prefix) if PAGE_VIEW in found else ())]


def _objects(row: Outgoing, sinks: SinkSettings) -> tuple[ActivityObject, ...]:
    """A row lands as what it was queued as, also where the sink was changed since: counters count, an event is one."""
    if counts_only(row):
        return (CAMPAIGN,)
    found = objects_for(row.kind, sinks.of(row.kind))
    return () if CAMPAIGN in found else found


def campaign_id(campaign_key: str) -> str:
    """The id of a campaign's record: the same for openings and clicks, whichever comes first."""
    return str(uuid.uuid5(_namespace("campaign"), campaign_key))


def visit_key(prefix: str) -> str:
    """The field of a page view that holds its visit's id; Sugar names it after the module that a relate field points to."""
    return f"{VISIT.named(prefix).lower()}_id_c"


def _record(row: Outgoing, module: str, values: Mapping[str, Any]) -> Write:
    return Write(module, row.remote_id or row.push_key, values, creates=not row.remote_id)


def _values(thing: ActivityObject, values: Mapping[str, Any]) -> dict[str, Any]:
    told = {each.name: _text(values.get(each.value)) for each in thing.fields}
    return {"name": _title(values.get(thing.titled_by) or thing.label), **told}


def _text(value: Any) -> Any:
    """Answers to a form are lines of text here."""
    return "\n".join(f"{name}: {said}" for name, said in value.items()) if isinstance(value, Mapping) else value


def _title(value: object, length: int = NAME_LENGTH) -> str:
    return " ".join(str(value).split())[:length]


def _parent(thing: ActivityObject, row: Outgoing) -> dict[str, Any]:
    if thing.belongs_to is not Belongs.PERSON:
        return {}
    target = row.targets[0]
    return {"parent_type": MODULES[target.kind], "parent_id": target.crm_id}


def _page_views(row: Outgoing, prefix: str) -> Iterable[Write]:
    """Their ids follow from the visit's, so that a repeat makes none twice."""
    visit = row.remote_id or row.push_key
    for view in row.values.get("page_views") or ():
        values = _values(PAGE_VIEW, view) | {visit_key(prefix): visit}
        yield Write(PAGE_VIEW.named(prefix), str(uuid.uuid5(_namespace(visit), str(view["key"]))), values, creates=True)


def _namespace(visit: str) -> uuid.UUID:
    """Not every CRM id is a UUID."""
    return uuid.uuid5(uuid.NAMESPACE_OID, visit)


def _about(row: Outgoing) -> dict[str, Any]:
    target = row.targets[0]
    contact = {"contact_id": target.crm_id} if target.kind is Kind.CONTACT else {}
    return {"parent_type": MODULES[target.kind], "parent_id": target.crm_id, **contact}


def _task(values: Mapping[str, Any]) -> dict[str, Any]:
    subject = str(values.get("subject") or "Task")
    whole = subject if len(subject) > TASK_NAME_LENGTH else ""
    return {
        "name": _title(subject, TASK_NAME_LENGTH),
        "description": "\n".join(text for text in (whole, values.get("description")) if text),
        "status": "Not Started",
        "priority": _PRIORITY.get(str(values.get("priority") or "normal"), "Medium"),
        **({"date_due": values["due_at"]} if values.get("due_at") else {}),
        **({"assigned_user_id": values["owner"]} if values.get("owner") else {}),
    }


def _completed(row: Outgoing) -> dict[str, Any]:
    """A completed task: what happened as its name, when as its dates, the rest as its text."""
    name, at, told = _STORIES[row.kind](row.values)
    lines = [f"{label}: {_plain(value)}" for label, value in told.items() if value not in (None, "")]
    dates = {"date_start": at, "date_due": at} if at else {}
    return {"name": _title(name, TASK_NAME_LENGTH), "status": "Completed", "priority": "Low", "description": "\n".join(lines), **dates}


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
    return f"\n{_text(value)}" if isinstance(value, Mapping) else _instant(str(value))


def _instant(text: str) -> str:
    """An instant as people read it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{found:%Y-%m-%d %H:%M} UTC" if len(text) > len("2026-01-01") else text
