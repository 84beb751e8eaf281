"""What the gate has to know of an outgoing row before it is sent: what it must hold, and what its values are (GATE-1)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync.address import address_key
from sync.push import Outgoing
from sync.records import Kind

HELD_BACK = "held back: "
"""What the refusal of a row begins with when our own checks held it and the CRM was never asked."""

MAKES_RECORDS: frozenset[Kind] = frozenset(
    {Kind.NEW_LEAD, Kind.SENT, Kind.OPENED, Kind.CLICKED, Kind.TASK, Kind.VISIT, Kind.COMPLETION, Kind.REGISTRATION}
)
"""Kinds that make a record of their own in the CRM, and so need a key for it. The others change records that are there."""

NEEDS_ADDRESS: frozenset[Kind] = frozenset({Kind.NEW_LEAD, Kind.SENT})
WRITES_ADDRESS: frozenset[Kind] = NEEDS_ADDRESS | {Kind.UPDATE}
WRITES_FIELDS: frozenset[Kind] = frozenset({Kind.NEW_LEAD, Kind.UPDATE})
"""Kinds whose values are fields of the CRM's leads and contacts. Those of the others have our own names."""

WORDS: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    Kind.SENT: {"delivery_status": ("delivered", "bounced")},
    Kind.TASK: {"priority": ("low", "normal", "high")},
}
"""Values that are one of a few words of ours."""

FINAL_RULES: frozenset[str] = frozenset({"same_thing_once"})
"""Rules whose held rows would never pass at another attempt."""

_NEEDED: Mapping[Kind, tuple[str, ...]] = {
    Kind.SCORE: ("field", "score", "scored_at"),
    Kind.SENT: ("campaign", "sent_at", "delivery_status"),
    Kind.OPENED: ("campaign", "at"),
    Kind.CLICKED: ("campaign", "at"),
    Kind.TASK: ("subject",),
    Kind.VISIT: ("started_at",),
    Kind.COMPLETION: ("page", "completed_at"),
    Kind.REGISTRATION: ("event",),
}
_COUNTED: Mapping[Kind, tuple[str, ...]] = {
    Kind.OPENED: ("campaign_key", "campaign", "opens", "people_opened"),
    Kind.CLICKED: ("campaign_key", "campaign", "clicks", "people_clicked"),
}
_INSTANTS = frozenset(
    {"scored_at", "sent_at", "at", "due_at", "started_at", "ended_at", "completed_at", "starts_at", "registered_at", "attended_at"}
)
_NUMBERS = frozenset({"score", "opens", "clicks", "people_opened", "people_clicked", "duration_s", "pages"})
_PAGE_VIEWS = "page_views"  # the only list of objects whose parts have names of ours
# Each of these says all there is to say of what happened: two equal ones are the same thing told twice. Visits, openings and clicks
# are not: a reader can click twice within a second.
_TOLD_ONCE = frozenset({Kind.SENT, Kind.TASK, Kind.COMPLETION, Kind.REGISTRATION})


@dataclass(frozen=True, slots=True)
class Said:
    """One value of an outgoing row as text. `type`: text, number, truth, or nothing for None; `wanted`: instant, number, or empty.

    Parts of a list have their list's name, parts of an object `name.part`.
    """

    name: str
    text: str | None
    type: str
    wanted: str = ""
    needed: bool = False


def counts_only(row: Outgoing) -> bool:
    """Counters of a campaign are about no person, and so need no record of one (SINK-1)."""
    return row.kind in _COUNTED and "campaign_key" in row.values


def needs_target(row: Outgoing) -> bool:
    """Whether there must be a CRM record of the person that this is written to, or is about."""
    return row.kind is not Kind.NEW_LEAD and not counts_only(row)


def needed_values(row: Outgoing) -> tuple[str, ...]:
    """The values that this row makes no sense without, besides the address."""
    return _COUNTED[row.kind] if counts_only(row) else _NEEDED.get(row.kind, ())


def said(row: Outgoing) -> Iterator[Said]:
    """Every value that would be written, and every needed one that is absent. Of people's records: the CRM's fields only."""
    fields = row.kind in WRITES_FIELDS
    values: Mapping[str, Any] = row.values.get("fields", {}) if fields else row.values
    needed = needed_values(row)
    for name, value in values.items():
        yield from _flat(name, value, "" if fields else _wanted(name), name in needed)
    for name in needed:
        if name not in values:
            yield Said(name, None, "nothing", _wanted(name), True)


def _wanted(name: str) -> str:
    return "instant" if name in _INSTANTS else "number" if name in _NUMBERS else ""


def _flat(name: str, value: Any, wanted: str, needed: bool) -> Iterator[Said]:
    if isinstance(value, Mapping):
        for part, inner in value.items():
            yield from _flat(f"{name}.{part}", inner, _wanted(part) if name == _PAGE_VIEWS else "", False)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _flat(name, inner, wanted, needed)
    else:
        yield Said(name, _text(value), _type(value), wanted, needed)


def _type(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float | Decimal) else "text"


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def same_thing(row: Outgoing) -> str | None:
    """Rows of one batch with equal texts mean the same thing; None: nothing can be the same.

    | kind                                 | the same are                                              | which one goes |
    |--------------------------------------|-----------------------------------------------------------|----------------|
    | score                                | the field of one record                                   | the last       |
    | campaign's counters                  | the counters of one campaign                              | the last       |
    | new lead                             | the address: the first is found when the second is looked up | the first   |
    | sent, task, completion, registration | all values about one record                               | the first      |
    | others                               | nothing                                                   |                |
    """
    target = f"{row.targets[0].kind} {row.targets[0].crm_id}" if row.targets else ""
    if row.kind is Kind.SCORE and target:
        return f"{target} {row.values.get('field')}"
    if counts_only(row):
        return str(row.values["campaign_key"])
    if row.kind is Kind.NEW_LEAD:
        return address_key(str(row.values.get("address") or ""))
    if row.kind in _TOLD_ONCE and target:
        return f"{target} {json.dumps(row.values, sort_keys=True, default=str)}"
    return None


def last_counts(row: Outgoing) -> bool:
    """Of rows that mean the same thing, whether the last one goes: what it says is newer."""
    return row.kind is Kind.SCORE or counts_only(row)
