"""Outgoing rows with defaults: one good row of each kind, and a place to stage them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.staging import ParcelStore, outgoing
from sync.push import Outgoing, Target
from sync.records import PUSHED, Kind, ParcelRef

AT = "2026-11-24T10:00:00+00:00"
COUNTERS: Mapping[str, Any] = {
    "campaign_key": "spring",
    "campaign": "Spring",
    "opens": 3,
    "people_opened": 2,
    "clicks": 1,
    "people_clicked": 1,
}
VALUES: Mapping[Kind, Mapping[str, Any]] = {
    Kind.OPT_OUT: {"address": "someone@example.com"},
    Kind.SCORE: {"field": "mkt_score_c", "score": 12.5, "date_field": None, "scored_at": AT},
    Kind.NEW_LEAD: {"fields": {"last_name": "Ada", "lead_source": "Web"}, "address": "someone@example.com", "opt_out": False},
    Kind.UPDATE: {"fields": {"title": "Engineer", "lead_source": "Web"}},
    Kind.SENT: {
        "campaign": "Spring",
        "subject": "Hello",
        "from_address": "us@example.com",
        "address": "someone@example.com",
        "sent_at": AT,
        "delivery_status": "delivered",
        "opens": 0,
        "clicks": 0,
    },
    Kind.OPENED: {"campaign": "Spring", "subject": "Hello", "address": "someone@example.com", "at": AT, "url": None},
    Kind.CLICKED: {"campaign": "Spring", "subject": "Hello", "address": "someone@example.com", "at": AT, "url": "https://example.com/"},
    Kind.TASK: {"subject": "Call", "description": "Soon", "due_at": AT, "priority": "normal", "owner": "u1"},
    Kind.VISIT: {
        "started_at": AT,
        "ended_at": None,
        "duration_s": 60,
        "pages": 1,
        "referrer": None,
        "landing_page": "https://example.com/",
        "page_views": [{"key": "k1", "url": "https://example.com/", "title": "Home", "at": AT}],
    },
    Kind.COMPLETION: {"page": "Guide", "url": "https://example.com/guide", "form": "f", "completed_at": AT, "answers": {"at": "noon"}},
    Kind.REGISTRATION: {"event": "Fair", "place": "Rome", "starts_at": AT, "registered_at": AT, "attended_at": None},
}
assert set(VALUES) == set(PUSHED)


def row(kind: Kind, number: int = 1, *, of: Mapping[str, Any] | None = None, **values: Any) -> Outgoing:
    """A good row but for these `values`; `of`: other values instead of the kind's own. Each number is another person."""
    given = {**(VALUES[kind] if of is None else of), **values}
    if kind is Kind.NEW_LEAD and "address" not in values:
        given["address"] = f"person{number}@example.com"
    alone = kind is Kind.NEW_LEAD or "campaign_key" in given
    return Outgoing(number, 1, kind, f"key-{number}", given, () if alone else (Target(Kind.CONTACT, f"c{number}"),))


def staged(folder: Path, kind: Kind, rows: Sequence[Outgoing], purpose: str = "push-1") -> tuple[ParcelStore, ParcelRef]:
    store = ParcelStore(folder)
    return store, outgoing.stage(store, "acme", kind, purpose, rows)
