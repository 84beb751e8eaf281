"""What a marketing application does: campaigns, sends, visits, pages, events, tasks, scores; and what the outbox needs for pushing it.

Revision ID: 0005
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Identity, Integer, PrimaryKeyConstraint, text

from adapters.market.types import BIGINT, BOOLEAN, DECIMAL, INSTANT, KEY, TEXT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _outbox()
    _scoring()
    _mails()
    _web()
    _pages()
    _other()


def _scoring() -> None:
    op.create_table(
        "scoring_profiles",
        Column("profile_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("profile_key", KEY, nullable=False, unique=True, comment="name of the profile in the configuration; unique"),
        Column("name", TEXT, nullable=False, comment="for people"),
        Column(
            "created_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was made in Market, UTC"
        ),
        Column(
            "updated_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was last written, UTC"
        ),
        comment="One row per way of scoring people.",
    )
    op.create_table(
        "scores",
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("profile_id", BIGINT, nullable=False, comment="scoring_profiles.profile_id"),
        Column("score", DECIMAL, nullable=False, comment="the score as it is now"),
        Column("scored_at", INSTANT, nullable=False, comment="when it last changed, UTC"),
        PrimaryKeyConstraint("contact_id", "profile_id"),
        comment="One row per person and scoring profile: the score as it is now (PUSH-S).",
    )
    op.create_table(
        "score_changes",
        Column("change_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_id", KEY, nullable=False, unique=True, comment="the marketing application's own id of this event; unique"),
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("profile_id", BIGINT, nullable=False, comment="scoring_profiles.profile_id"),
        Column("old", DECIMAL, comment="the score before; null: none"),
        Column("new", DECIMAL, nullable=False, comment="the score after"),
        Column("at", INSTANT, nullable=False, comment="when, UTC"),
        Column("why", TEXT, comment="what the person did"),
        comment="One row per change of a score.",
    )
    op.create_index("ix_score_changes_contact_id", "score_changes", ["contact_id"])


def _mails() -> None:
    op.create_table(
        "campaigns",
        Column("campaign_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("campaign_key", KEY, nullable=False, unique=True, comment="the marketing application's own name of the campaign; unique"),
        Column("name", TEXT, nullable=False, comment="for people"),
        Column("subject", TEXT, comment="the subject line of its mails"),
        Column("from_address", TEXT, comment="who its mails come from"),
        Column(
            "created_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was made in Market, UTC"
        ),
        Column(
            "updated_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was last written, UTC"
        ),
        comment="One row per mail campaign.",
    )
    op.create_table(
        "email_sends",
        Column("send_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_id", KEY, nullable=False, unique=True, comment="the marketing application's own id of this event; unique"),
        Column("campaign_id", BIGINT, nullable=False, comment="campaigns.campaign_id"),
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("address", TEXT, nullable=False, comment="where it went"),
        Column("subject", TEXT, comment="its subject line"),
        Column("sent_at", INSTANT, nullable=False, comment="when, UTC"),
        Column("delivery_status", Integer(), nullable=False, server_default=text("0"), comment="0 unknown, 1 delivered, 2 bounced"),
        Column("delivery_message", TEXT, comment="what the mail server said"),
        Column("delivery_at", INSTANT, comment="when that became known, UTC"),
        Column("opens", Integer(), nullable=False, server_default=text("0"), comment="how often it was opened"),
        Column("clicks", Integer(), nullable=False, server_default=text("0"), comment="how often a link in it was clicked"),
        comment="One row per mail to one person (PUSH-ES).",
    )
    op.create_index("ix_email_sends_campaign_contact", "email_sends", ["campaign_id", "contact_id"])
    op.create_index("ix_email_sends_contact_id", "email_sends", ["contact_id"])
    op.create_table(
        "email_events",
        Column("email_event_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_id", KEY, nullable=False, unique=True, comment="the marketing application's own id of this event; unique"),
        Column("what", KEY, nullable=False, comment="open or click"),
        Column("campaign_id", BIGINT, nullable=False, comment="campaigns.campaign_id"),
        Column("send_id", BIGINT, comment="email_sends.send_id; null: the send is not known here"),
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("address", TEXT, comment="the address that it went to"),
        Column("url", TEXT, comment="of a click: the link"),
        Column("at", INSTANT, nullable=False, comment="when, UTC"),
        comment="One row per opening of a mail and per click on a link in it (PUSH-EO, PUSH-EC).",
    )
    op.create_index("ix_email_events_campaign", "email_events", ["campaign_id", "what", "contact_id"])
    op.create_index("ix_email_events_contact_id", "email_events", ["contact_id"])


def _web() -> None:
    op.create_table(
        "web_visits",
        Column("visit_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_id", KEY, nullable=False, unique=True, comment="the marketing application's own id of this event; unique"),
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("started_at", INSTANT, nullable=False, comment="UTC"),
        Column("ended_at", INSTANT, comment="UTC; null: not known"),
        Column("referrer", TEXT, comment="where they came from"),
        Column("landing_page", TEXT, comment="URL of the first page"),
        comment="One row per visit of a person to the web site (PUSH-W).",
    )
    op.create_index("ix_web_visits_contact_id", "web_visits", ["contact_id"])
    op.create_table(
        "page_views",
        Column("page_view_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_id", KEY, nullable=False, unique=True, comment="the marketing application's own id of this event; unique"),
        Column("visit_id", BIGINT, nullable=False, comment="web_visits.visit_id"),
        Column("url", TEXT, nullable=False, comment="the page"),
        Column("title", TEXT, comment="its title"),
        Column("at", INSTANT, nullable=False, comment="when, UTC"),
        comment="One row per page that was looked at during a visit.",
    )
    op.create_index("ix_page_views_visit_id", "page_views", ["visit_id"])


def _pages() -> None:
    op.create_table(
        "landing_pages",
        Column("page_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("page_key", KEY, nullable=False, unique=True, comment="the marketing application's own name of the page; unique"),
        Column("name", TEXT, nullable=False, comment="for people"),
        Column("url", TEXT, comment="where it is"),
        Column(
            "sync_with_crm",
            BOOLEAN,
            nullable=False,
            server_default=text("true"),
            comment="'Sync with external CRM': a completion pushes the person",
        ),
        Column(
            "created_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was made in Market, UTC"
        ),
        Column(
            "updated_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was last written, UTC"
        ),
        comment="One row per landing page.",
    )
    op.create_table(
        "completions",
        Column("completion_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_id", KEY, nullable=False, unique=True, comment="the marketing application's own id of this event; unique"),
        Column("page_id", BIGINT, nullable=False, comment="landing_pages.page_id"),
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("form", TEXT, comment="name of the form"),
        Column("completed_at", INSTANT, nullable=False, comment="when, UTC"),
        Column("answers", TEXT, comment="what was filled in, a JSON object: name → text"),
        comment="One row per completion of a landing page (PUSH-P).",
    )
    op.create_index("ix_completions_contact_id", "completions", ["contact_id"])


def _other() -> None:
    op.create_table(
        "marketing_events",
        Column("marketing_event_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_key", KEY, nullable=False, unique=True, comment="the marketing application's own name of the event; unique"),
        Column("name", TEXT, nullable=False, comment="for people"),
        Column("place", TEXT, comment="where it is"),
        Column("starts_at", INSTANT, comment="UTC"),
        Column(
            "created_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was made in Market, UTC"
        ),
        Column(
            "updated_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was last written, UTC"
        ),
        comment="One row per event that people can register for.",
    )
    op.create_table(
        "registrations",
        Column("registration_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_id", KEY, nullable=False, unique=True, comment="the marketing application's own id of this event; unique"),
        Column("marketing_event_id", BIGINT, nullable=False, comment="marketing_events.marketing_event_id"),
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("registered_at", INSTANT, comment="when, UTC; null: they came without registering"),
        Column("attended_at", INSTANT, comment="when they came, UTC; null: not, or not yet"),
        comment="One row per registration of a person for an event (PUSH-V).",
    )
    op.create_index("ix_registrations_contact_id", "registrations", ["contact_id"])
    op.create_table(
        "tasks",
        Column("task_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("event_id", KEY, nullable=False, unique=True, comment="the marketing application's own id of this event; unique"),
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("subject", TEXT, nullable=False, comment="what is to be done"),
        Column("description", TEXT, comment="more about it"),
        Column("due_at", INSTANT, comment="until when, UTC"),
        Column("priority", KEY, nullable=False, server_default="normal", comment="low, normal or high"),
        Column("owner_id", BIGINT, comment="users.user_id of who is to do it; null: the person's owner"),
        Column("created_at", INSTANT, nullable=False, comment="UTC"),
        Column("created_by", TEXT, comment="what made it: an automation, a user"),
        comment="One row per task for a user of the CRM (PUSH-T).",
    )
    op.create_index("ix_tasks_contact_id", "tasks", ["contact_id"])


def _outbox() -> None:
    """The one row of a subject changes its value and waits again; opt-outs, which were here before, have a row each time."""
    op.add_column(
        "outbox",
        Column(
            "subject_id",
            BIGINT,
            nullable=False,
            server_default=text("0"),
            comment="key of the row that is pushed: a send, a visit, a scoring profile, …",
        ),
    )
    op.add_column(
        "outbox",
        Column(
            "version", Integer(), nullable=False, server_default=text("1"), comment="grows whenever what is to be written changes (PUSH-2)"
        ),
    )
    op.add_column("outbox", Column("push_key", KEY, comment="our own key of what is made in the CRM; the same at every attempt (PUSH-3)"))
    op.add_column("outbox", Column("tried_at", INSTANT, comment="when it was last handed to the CRM, UTC"))
    needs = "what has to be there first: person, record (of the person in the CRM), delivery (known); null: nothing"
    op.add_column("outbox", Column("waits_for", KEY, comment=needs))
    once, blocked = text("kind != 'opt-out'"), text("waits_for IS NOT NULL")
    waiting = text("state <> 'acknowledged' AND state <> 'parked' AND waits_for IS NULL")
    op.create_index("ix_outbox_queue", "outbox", ["connector", "kind", "outbox_id"], postgresql_where=waiting, sqlite_where=waiting)
    op.create_index("ix_outbox_blocked", "outbox", ["contact_id"], postgresql_where=blocked, sqlite_where=blocked)
    op.create_index("ix_outbox_contact_id", "outbox", ["contact_id"])
    subject = ["connector", "kind", "subject_id", "contact_id"]
    op.create_index("ux_outbox_subject", "outbox", subject, unique=True, postgresql_where=once, sqlite_where=once)
    if op.get_bind().dialect.name == "postgresql":
        for name, comment in _COMMENTS.items():
            op.alter_column("outbox", name, comment=comment)


_COMMENTS = {
    "kind": "what is pushed: opt-out, score, new lead, record update, sent email, …",
    "contact_id": "the person it is about; 0: nobody, as for a campaign's counters",
    "crm_kind": "of an opt-out: kind of the CRM record to write; else empty",
    "crm_id": "of an opt-out: that record's key; else empty",
    "value": "what to write, a JSON object, where it does not stand in the row that is pushed",
    "state": "pending, sending, acknowledged, refused or parked",
    "attempts": "how often it was refused since it last changed",
    "refusal": "the CRM's words, or those of our own checks, when it was refused",
}
