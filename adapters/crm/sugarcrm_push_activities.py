"""What people did, as records of Sugar: of the custom objects that the product ships, or Sugar's own (SINK-1, SINK-2).

Sugar's own is a completed task about the person, for mails as for everything else: it stands in the person's history, it is one record in
one write, and it can be changed later. An archived email would take links to sender and receiver of its own and can't be changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.crm.activities import namespace, objects_of, text_of, title_of, told
from adapters.crm.sugarcrm_parts import Write
from adapters.crm.sugarcrm_schema import MODULES
from sync.activity_objects import CAMPAIGN, PAGE_VIEW, VISIT, ActivityObject, Belongs
from sync.push import Outgoing
from sync.push_settings import SinkSettings
from sync.records import Kind

TASKS = "Tasks"
NAME_LENGTH = 255
TASK_NAME_LENGTH = 50
_PRIORITY = {"low": "Low", "normal": "Medium", "high": "High"}


def writes_of(row: Outgoing, sinks: SinkSettings) -> list[Write]:
    """The records of one row, the one that others hang on first; none where the row has nobody to be about."""
    found = objects_of(row, sinks)
    if not row.targets and CAMPAIGN not in found:
        return []
    if row.kind is Kind.TASK:
        return [_record(row, TASKS, _task(row.values) | _about(row))]
    if not found:
        return [_record(row, TASKS, _completed(row) | _about(row))]
    head = found[0]
    first = _record(row, head.named(sinks.object_prefix), _values(head, row.values) | _parent(head, row))
    return [first, *(_page_views(row, sinks.object_prefix) if PAGE_VIEW in found else ())]


def visit_key(prefix: str) -> str:
    """The field of a page view that holds its visit's id; Sugar names it after the module that a relate field points to."""
    return f"{VISIT.named(prefix).lower()}_id_c"


def _record(row: Outgoing, module: str, values: Mapping[str, Any]) -> Write:
    return Write(module, row.remote_id or row.push_key, values, creates=not row.remote_id)


def _values(thing: ActivityObject, values: Mapping[str, Any]) -> dict[str, Any]:
    filled = {each.name: text_of(values.get(each.value)) for each in thing.fields}
    return {"name": title_of(values.get(thing.titled_by) or thing.label, NAME_LENGTH), **filled}


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
        yield Write(PAGE_VIEW.named(prefix), str(uuid.uuid5(namespace(visit), str(view["key"]))), values, creates=True)


def _about(row: Outgoing) -> dict[str, Any]:
    target = row.targets[0]
    contact = {"contact_id": target.crm_id} if target.kind is Kind.CONTACT else {}
    return {"parent_type": MODULES[target.kind], "parent_id": target.crm_id, **contact}


def _task(values: Mapping[str, Any]) -> dict[str, Any]:
    subject = str(values.get("subject") or "Task")
    whole = subject if len(subject) > TASK_NAME_LENGTH else ""
    return {
        "name": title_of(subject, TASK_NAME_LENGTH),
        "description": "\n".join(text for text in (whole, values.get("description")) if text),
        "status": "Not Started",
        "priority": _PRIORITY.get(str(values.get("priority") or "normal"), "Medium"),
        **({"date_due": values["due_at"]} if values.get("due_at") else {}),
        **({"assigned_user_id": values["owner"]} if values.get("owner") else {}),
    }


def _completed(row: Outgoing) -> dict[str, Any]:
    """A completed task: what happened as its name, when as its dates, the rest as its text."""
    found = told(row.kind, row.values)
    dates = {"date_start": found.at, "date_due": found.at} if found.at else {}
    return {"name": title_of(found.title, TASK_NAME_LENGTH), "status": "Completed", "priority": "Low", "description": found.text, **dates}
