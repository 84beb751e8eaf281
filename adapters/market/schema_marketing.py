"""What a marketing application does, as Market keeps it: campaigns, sends, opens and clicks, visits, pages, events, tasks, scores.

Every event carries the application's own `event_id`: the same one twice is one event.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table, text

from adapters.market.schema import col, metadata, stamp_columns
from adapters.market.schema_books import serial_column
from adapters.market.types import BIGINT, BOOLEAN, DECIMAL, INSTANT, KEY, TEXT


def _event_id() -> Column[Any]:
    return col("event_id", KEY, "the marketing application's own id of this event; unique", nullable=False, unique=True)


def _person() -> Column[Any]:
    return col("contact_id", BIGINT, "contacts.contact_id", nullable=False)


def _named(comment: str, key: str) -> Column[Any]:
    return col(key, KEY, comment, nullable=False, unique=True)


campaigns = Table(
    "campaigns",
    metadata,
    serial_column("campaign_id"),
    _named("the marketing application's own name of the campaign; unique", "campaign_key"),
    col("name", TEXT, "for people", nullable=False),
    col("subject", TEXT, "the subject line of its mails"),
    col("from_address", TEXT, "who its mails come from"),
    *stamp_columns(),
    comment="One row per mail campaign.",
)

scoring_profiles = Table(
    "scoring_profiles",
    metadata,
    serial_column("profile_id"),
    _named("name of the profile in the configuration; unique", "profile_key"),
    col("name", TEXT, "for people", nullable=False),
    *stamp_columns(),
    comment="One row per way of scoring people.",
)

scores = Table(
    "scores",
    metadata,
    _person(),
    col("profile_id", BIGINT, "scoring_profiles.profile_id", nullable=False),
    col("score", DECIMAL, "the score as it is now", nullable=False),
    col("scored_at", INSTANT, "when it last changed, UTC", nullable=False),
    PrimaryKeyConstraint("contact_id", "profile_id"),
    comment="One row per person and scoring profile: the score as it is now (PUSH-S).",
)

score_changes = Table(
    "score_changes",
    metadata,
    serial_column("change_id"),
    _event_id(),
    _person(),
    col("profile_id", BIGINT, "scoring_profiles.profile_id", nullable=False),
    col("old", DECIMAL, "the score before; null: none"),
    col("new", DECIMAL, "the score after", nullable=False),
    col("at", INSTANT, "when, UTC", nullable=False),
    col("why", TEXT, "what the person did"),
    comment="One row per change of a score.",
)
Index("ix_score_changes_contact_id", score_changes.c.contact_id)

email_sends = Table(
    "email_sends",
    metadata,
    serial_column("send_id"),
    _event_id(),
    col("campaign_id", BIGINT, "campaigns.campaign_id", nullable=False),
    _person(),
    col("address", TEXT, "where it went", nullable=False),
    col("subject", TEXT, "its subject line"),
    col("sent_at", INSTANT, "when, UTC", nullable=False),
    col("delivery_status", Integer(), "0 unknown, 1 delivered, 2 bounced", nullable=False, server_default=text("0")),
    col("delivery_message", TEXT, "what the mail server said"),
    col("delivery_at", INSTANT, "when that became known, UTC"),
    col("opens", Integer(), "how often it was opened", nullable=False, server_default=text("0")),
    col("clicks", Integer(), "how often a link in it was clicked", nullable=False, server_default=text("0")),
    comment="One row per mail to one person (PUSH-ES).",
)
Index("ix_email_sends_campaign_contact", email_sends.c.campaign_id, email_sends.c.contact_id)
Index("ix_email_sends_contact_id", email_sends.c.contact_id)

email_events = Table(
    "email_events",
    metadata,
    serial_column("email_event_id"),
    _event_id(),
    col("what", KEY, "open or click", nullable=False),
    col("campaign_id", BIGINT, "campaigns.campaign_id", nullable=False),
    col("send_id", BIGINT, "email_sends.send_id; null: the send is not known here"),
    _person(),
    col("address", TEXT, "the address that it went to"),
    col("url", TEXT, "of a click: the link"),
    col("at", INSTANT, "when, UTC", nullable=False),
    comment="One row per opening of a mail and per click on a link in it (PUSH-EO, PUSH-EC).",
)
Index("ix_email_events_campaign", email_events.c.campaign_id, email_events.c.what, email_events.c.contact_id)
Index("ix_email_events_contact_id", email_events.c.contact_id)

web_visits = Table(
    "web_visits",
    metadata,
    serial_column("visit_id"),
    _event_id(),
    _person(),
    col("started_at", INSTANT, "UTC", nullable=False),
    col("ended_at", INSTANT, "UTC; null: not known"),
    col("referrer", TEXT, "where they came from"),
    col("landing_page", TEXT, "URL of the first page"),
    comment="One row per visit of a person to the web site (PUSH-W).",
)
Index("ix_web_visits_contact_id", web_visits.c.contact_id)

page_views = Table(
    "page_views",
    metadata,
    serial_column("page_view_id"),
    _event_id(),
    col("visit_id", BIGINT, "web_visits.visit_id", nullable=False),
    col("url", TEXT, "the page", nullable=False),
    col("title", TEXT, "its title"),
    col("at", INSTANT, "when, UTC", nullable=False),
    comment="One row per page that was looked at during a visit.",
)
Index("ix_page_views_visit_id", page_views.c.visit_id)

landing_pages = Table(
    "landing_pages",
    metadata,
    serial_column("page_id"),
    _named("the marketing application's own name of the page; unique", "page_key"),
    col("name", TEXT, "for people", nullable=False),
    col("url", TEXT, "where it is"),
    col("sync_with_crm", BOOLEAN, "'Sync with external CRM': a completion pushes the person", nullable=False, server_default=text("true")),
    *stamp_columns(),
    comment="One row per landing page.",
)

completions = Table(
    "completions",
    metadata,
    serial_column("completion_id"),
    _event_id(),
    col("page_id", BIGINT, "landing_pages.page_id", nullable=False),
    _person(),
    col("form", TEXT, "name of the form"),
    col("completed_at", INSTANT, "when, UTC", nullable=False),
    col("answers", TEXT, "what was filled in, a JSON object: name → text"),
    comment="One row per completion of a landing page (PUSH-P).",
)
Index("ix_completions_contact_id", completions.c.contact_id)

marketing_events = Table(
    "marketing_events",
    metadata,
    serial_column("marketing_event_id"),
    _named("the marketing application's own name of the event; unique", "event_key"),
    col("name", TEXT, "for people", nullable=False),
    col("place", TEXT, "where it is"),
    col("starts_at", INSTANT, "UTC"),
    *stamp_columns(),
    comment="One row per event that people can register for.",
)

registrations = Table(
    "registrations",
    metadata,
    serial_column("registration_id"),
    _event_id(),
    col("marketing_event_id", BIGINT, "marketing_events.marketing_event_id", nullable=False),
    _person(),
    col("registered_at", INSTANT, "when, UTC; null: they came without registering"),
    col("attended_at", INSTANT, "when they came, UTC; null: not, or not yet"),
    comment="One row per registration of a person for an event (PUSH-V).",
)
Index("ix_registrations_contact_id", registrations.c.contact_id)

tasks = Table(
    "tasks",
    metadata,
    serial_column("task_id"),
    _event_id(),
    _person(),
    col("subject", TEXT, "what is to be done", nullable=False),
    col("description", TEXT, "more about it"),
    col("due_at", INSTANT, "until when, UTC"),
    col("priority", KEY, "low, normal or high", nullable=False, server_default="normal"),
    col("owner_id", BIGINT, "users.user_id of who is to do it; null: the person's owner"),
    col("created_at", INSTANT, "UTC", nullable=False),
    col("created_by", TEXT, "what made it: an automation, a user"),
    comment="One row per task for a user of the CRM (PUSH-T).",
)
Index("ix_tasks_contact_id", tasks.c.contact_id)
