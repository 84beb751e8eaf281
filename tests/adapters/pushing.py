"""Rows of the outbox as the adapters get them, built with defaults."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from typing import Any

from sync.push import Outgoing, Target
from sync.records import Kind

_NUMBERS = itertools.count(1)
AT = "2026-11-20T10:30:00+00:00"
VALUES: dict[Kind, Mapping[str, Any]] = {
    Kind.OPT_OUT: {"address": "ada@example.org"},
    Kind.SCORE: {"field": "mkt_score_c", "score": 42, "date_field": "mkt_score_date_c", "scored_at": AT},
    Kind.NEW_LEAD: {"fields": {"first_name": "Ada", "last_name": "Byron"}, "address": "ada@example.org", "opt_out": False},
    Kind.UPDATE: {"fields": {"title": "Countess"}},
    Kind.SENT: {
        "campaign": "Autumn",
        "subject": "News of autumn",
        "from_address": "news@example.com",
        "address": "ada@example.org",
        "sent_at": AT,
        "delivery_status": "delivered",
        "opens": 2,
        "clicks": 1,
    },
    Kind.OPENED: {"campaign": "Autumn", "subject": "News of autumn", "address": "ada@example.org", "at": AT, "url": None},
    Kind.CLICKED: {"campaign": "Autumn", "subject": "News", "address": "ada@example.org", "at": AT, "url": "https://example.com/a"},
    Kind.TASK: {"subject": "Call back", "description": "About autumn", "due_at": AT, "priority": "high", "owner": None},
    Kind.VISIT: {
        "started_at": AT,
        "ended_at": AT,
        "duration_s": 60,
        "pages": 2,
        "referrer": "https://search.example",
        "landing_page": "https://example.com/",
        "page_views": [
            {"key": "p1", "url": "https://example.com/", "title": "Home", "at": AT},
            {"key": "p2", "url": "https://example.com/prices", "title": "Prices", "at": AT},
        ],
    },
    Kind.COMPLETION: {
        "page": "White paper",
        "url": "https://example.com/paper",
        "form": "Short",
        "completed_at": AT,
        "answers": {"Company": "Analytical", "Staff": "12"},
    },
    Kind.REGISTRATION: {"event": "Fair", "place": "Hall 4", "starts_at": AT, "registered_at": AT, "attended_at": None},
}
COUNTERS = {"campaign_key": "autumn-26", "campaign": "Autumn", "opens": 10, "people_opened": 7, "clicks": 3, "people_clicked": 2}


def outgoing(kind: Kind, *targets: Target, values: Mapping[str, Any] | None = None, **other: Any) -> Outgoing:
    """One row; every call another one."""
    number = next(_NUMBERS)
    chosen: dict[str, Any] = {"push_key": str(uuid.uuid4()), "version": 1, **other}
    return Outgoing(number, kind=kind, values={**VALUES[kind], **(values or {})}, targets=targets, **chosen)


def lead(crm_id: str) -> Target:
    return Target(Kind.LEAD, crm_id)


def contact(crm_id: str) -> Target:
    return Target(Kind.CONTACT, crm_id)
