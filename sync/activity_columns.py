"""Which columns the tables of activity have: sends, opens and clicks, visits, completions, registrations, tasks, scores (REPORT-1)."""

from __future__ import annotations

from collections.abc import Mapping

from sync.fields import BOOLEAN, DECIMAL, INSTANT, INTEGER, JSON, TEXT, ColumnType

_EVENT: dict[str, ColumnType] = {"event_id": TEXT, "contact_id": INTEGER}
_STAMPS: dict[str, ColumnType] = {"created_at": INSTANT, "updated_at": INSTANT}


def _texts(names: str) -> dict[str, ColumnType]:
    return dict.fromkeys(names.split(), TEXT)


ACTIVITY_COLUMNS: Mapping[str, Mapping[str, ColumnType]] = {
    "campaigns": {"campaign_id": INTEGER, **_texts("campaign_key name subject from_address"), **_STAMPS},
    "email_sends": {
        "send_id": INTEGER,
        **_EVENT,
        "campaign_id": INTEGER,
        **_texts("address subject"),
        "sent_at": INSTANT,
        "delivery_status": INTEGER,
        "delivery_message": TEXT,
        "delivery_at": INSTANT,
        "opens": INTEGER,
        "clicks": INTEGER,
    },
    "email_events": {
        "email_event_id": INTEGER,
        **_EVENT,
        "what": TEXT,
        "campaign_id": INTEGER,
        "send_id": INTEGER,
        **_texts("address url"),
        "at": INSTANT,
    },
    "web_visits": {"visit_id": INTEGER, **_EVENT, "started_at": INSTANT, "ended_at": INSTANT, **_texts("referrer landing_page")},
    "page_views": {"page_view_id": INTEGER, "event_id": TEXT, "visit_id": INTEGER, **_texts("url title"), "at": INSTANT},
    "landing_pages": {"page_id": INTEGER, **_texts("page_key name url"), "sync_with_crm": BOOLEAN, **_STAMPS},
    "completions": {
        "completion_id": INTEGER,
        **_EVENT,
        "page_id": INTEGER,
        "form": TEXT,
        "completed_at": INSTANT,
        "answers": JSON,
    },
    "marketing_events": {"marketing_event_id": INTEGER, **_texts("event_key name place"), "starts_at": INSTANT, **_STAMPS},
    "registrations": {
        "registration_id": INTEGER,
        **_EVENT,
        "marketing_event_id": INTEGER,
        "registered_at": INSTANT,
        "attended_at": INSTANT,
    },
    "tasks": {
        "task_id": INTEGER,
        **_EVENT,
        **_texts("subject description"),
        "due_at": INSTANT,
        "priority": TEXT,
        "owner_id": INTEGER,
        "created_at": INSTANT,
        "created_by": TEXT,
    },
    "scoring_profiles": {"profile_id": INTEGER, **_texts("profile_key name"), **_STAMPS},
    "scores": {"contact_id": INTEGER, "profile_id": INTEGER, "score": DECIMAL, "scored_at": INSTANT},
}
"""Table → column → type."""
