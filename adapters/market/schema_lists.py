"""Marketing lists of the CRM, and segments: lists that follow a saved report."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from adapters.market.schema import col, life_columns, metadata, stamp_columns
from adapters.market.types import BIGINT, INSTANT, KEY, TEXT

marketing_lists = Table(
    "marketing_lists",
    metadata,
    col("list_id", BIGINT, "the Market's own key; never given twice", primary_key=True, autoincrement=False),
    col("connector", KEY, "name of the connector whose list this is", nullable=False),
    col("crm_id", KEY, "the CRM's key of the list", nullable=False),
    col("list_name", TEXT, "its name"),
    col("list_type", TEXT, "its type, as the CRM names it"),
    col("description", TEXT, "description, as the CRM has it"),
    col("crm_members", BIGINT, "how many members the CRM counts; null: it does not count"),
    col("crm_created_at", INSTANT, "created, on the CRM's clock, UTC"),
    col("crm_modified_at", INSTANT, "last modified, on the CRM's clock, UTC"),
    col("members_read_at", INSTANT, "when its members were last read, UTC"),
    life_columns()[1],
    *stamp_columns(),
    comment="One row per marketing list of a CRM (LIST-1).",
)
Index("ux_marketing_lists_crm_id", marketing_lists.c.connector, marketing_lists.c.crm_id, unique=True)

marketing_list_members = Table(
    "marketing_list_members",
    metadata,
    col("list_id", BIGINT, "marketing_lists.list_id", nullable=False),
    col("kind", KEY, "what the member is: lead, contact, account or user; another word: a kind that is not pulled", nullable=False),
    col("crm_id", KEY, "the CRM's key of the member", nullable=False),
    col("market_id", BIGINT, "its row in contacts, accounts or users; null: Market does not have it (LIST-2)"),
    col("first_seen_at", INSTANT, "when it was first seen on the list, UTC", nullable=False),
    col("left_at", INSTANT, "since when it is no longer on the list, UTC; null: it is"),
    PrimaryKeyConstraint("list_id", "kind", "crm_id"),
    comment="One row per member of a marketing list that is, or ever was (LIST-1).",
    sqlite_with_rowid=False,
)
Index("ix_marketing_list_members_market_id", marketing_list_members.c.kind, marketing_list_members.c.market_id)
_unlinked = marketing_list_members.c.market_id.is_(None)
Index(
    "ix_marketing_list_members_unlinked",
    marketing_list_members.c.kind,
    marketing_list_members.c.crm_id,
    postgresql_where=_unlinked,
    sqlite_where=_unlinked,
)

segments = Table(
    "segments",
    metadata,
    col("segment_name", KEY, "name of the saved report that it follows", primary_key=True),
    col("condition", TEXT, "the report's conditions when it was last refreshed", nullable=False),
    col("refreshed_at", INSTANT, "when its members or its conditions last changed, UTC", nullable=False),
    comment="One row per segment: a stored list of people that follows a saved report (REPORT-1).",
)

segment_members = Table(
    "segment_members",
    metadata,
    col("segment_name", KEY, "segments.segment_name", nullable=False),
    col("contact_id", BIGINT, "contacts.contact_id", nullable=False),
    col("since", INSTANT, "since when the person meets the report, UTC", nullable=False),
    PrimaryKeyConstraint("segment_name", "contact_id"),
    comment="One row per person in a segment.",
    sqlite_with_rowid=False,
)
Index("ix_segment_members_contact_id", segment_members.c.contact_id)
