"""What following a CRM needs: removals, the schema as it was, backfills, slices, brakes; marketing lists and segments.

Revision ID: 0004
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Float, Identity, PrimaryKeyConstraint, text

from adapters.market.types import BIGINT, INSTANT, KEY, TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("quarantine", Column("column_name", KEY, comment="the Market column that is wrong, where the rule is about one"))
    op.add_column("quarantine", Column("value", TEXT, comment="what stands in it, shortened"))
    edge = "what the next window will bring again and needs no second look, a JSON object of ids and stamps"
    op.add_column("cursors", Column("edge", TEXT, comment=edge))
    often = "how often it was read and held back"
    op.add_column("quarantine", Column("times_held", BIGINT, nullable=False, server_default=text("1"), comment=often))
    op.add_column("quarantine", Column("asked_at", INSTANT, comment="when the CRM was last asked for it by its key, UTC"))
    op.add_column("quarantine", Column("released_by", TEXT, comment="the operator who released it; null: the sync did"))
    _following()
    _brakes()
    _lists()
    _segments()
    op.create_index("ix_consent_ledger_email_key", "consent_ledger", ["email_key"])
    op.create_index("ix_outbox_record", "outbox", ["connector", "crm_kind", "crm_id"])
    op.execute("INSERT INTO key_sequences (table_name, next_key) VALUES ('marketing_lists', 1)")


def _following() -> None:
    op.create_table(
        "removals",
        Column("connector", KEY, nullable=False, comment="name of the connector"),
        Column("kind", KEY, nullable=False, comment="user, account, lead, contact or opportunity"),
        Column("crm_id", KEY, nullable=False, comment="the CRM's key of the record"),
        Column("removed_at", INSTANT, comment="when the CRM removed it, on the CRM's clock, UTC; null: it left no trace"),
        Column("merged_into", KEY, comment="crm_id of the record that took it in (MATCH-8)"),
        Column("found_by", KEY, nullable=False, comment="changes: the CRM told; reconciliation: it was missing"),
        Column("noted_at", INSTANT, nullable=False, comment="since when it waits to be applied, UTC"),
        Column("run_id", TEXT, nullable=False, comment="the run that noted it"),
        PrimaryKeyConstraint("connector", "kind", "crm_id"),
        comment="One row per record that the CRM removed and that Market still has. Goes when the removal is applied (DEL-1).",
    )
    op.create_table(
        "schema_states",
        Column("connector", KEY, primary_key=True, comment="name of the connector"),
        Column(
            "fingerprint", TEXT, nullable=False, comment="of what the CRM described and of our mapping of it: equal means nothing changed"
        ),
        Column("readings", TEXT, nullable=False, comment="which field goes into which column, per kind, a JSON object"),
        Column("described_at", INSTANT, nullable=False, comment="when the CRM was last asked, UTC"),
        comment="One row per connector: the CRM's schema as it was last replicated (PULL-4).",
    )
    op.create_table(
        "backfills",
        Column("connector", KEY, nullable=False, comment="name of the connector"),
        Column("kind", KEY, nullable=False, comment="user, account, lead, contact or opportunity"),
        Column("crm_field", KEY, nullable=False, comment="the new field"),
        Column("column_name", KEY, nullable=False, comment="its column in Market"),
        Column("asked_at", INSTANT, nullable=False, comment="since when it is to be filled, UTC"),
        Column("filled_at", INSTANT, comment="when every row that was here had its value, UTC; null: at work"),
        Column("rows_filled", BIGINT, comment="how many rows got a value; while at work: records read so far"),
        PrimaryKeyConstraint("connector", "kind", "crm_field"),
        comment="One row per CRM field that came later and was filled in for the rows that were already here (PULL-4).",
    )
    op.create_table(
        "slices",
        Column("connector", KEY, nullable=False, comment="name of the connector"),
        Column("kind", KEY, nullable=False, comment="user, account, lead, contact or opportunity"),
        Column("low", KEY, nullable=False, comment="the first key of the slice; empty: from the beginning"),
        Column("high", KEY, nullable=False, comment="the first key after it; empty: to the end"),
        Column("checked_at", INSTANT, comment="when it was last compared with the CRM, UTC; null: never"),
        Column("records", BIGINT, comment="records that the CRM had in it then"),
        Column("healed", BIGINT, comment="records that differed then, missing ones included"),
        PrimaryKeyConstraint("connector", "kind", "low"),
        comment="One row per range of keys that is compared with the CRM as a whole: finds changes that left no stamp.",
    )


def _brakes() -> None:
    op.create_table(
        "brakes",
        Column("brake_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
        Column("connector", KEY, nullable=False, comment="name of the connector; empty: all of Market"),
        Column("subject", KEY, nullable=False, comment="what would be deleted: a kind, or the name of a saved report"),
        Column("rows_affected", BIGINT, nullable=False, comment="how many rows would go"),
        Column("rows_before", BIGINT, nullable=False, comment="of how many"),
        Column("limit_share", Float(), nullable=False, comment="the share at which the brake holds"),
        Column("asked_at", INSTANT, nullable=False, comment="when a run first stopped there, UTC"),
        Column("run_id", TEXT, nullable=False, comment="that run"),
        Column("answer", KEY, comment="allow: go on, once; refuse: leave them; null: nobody has answered"),
        Column("answered_at", INSTANT, comment="UTC"),
        Column("answered_by", TEXT, comment="who answered"),
        Column("used_at", INSTANT, comment="when a run acted upon the answer, UTC"),
        comment="One row per deletion that was too large to be done without asking (DEL-8). Open while used_at is null.",
    )
    still_open = text("used_at IS NULL")
    op.create_index("ix_brakes_open", "brakes", ["connector", "subject"], postgresql_where=still_open, sqlite_where=still_open)


def _lists() -> None:
    op.create_table(
        "marketing_lists",
        Column("list_id", BIGINT, primary_key=True, autoincrement=False, comment="the Market's own key; never given twice"),
        Column("connector", KEY, nullable=False, comment="name of the connector whose list this is"),
        Column("crm_id", KEY, nullable=False, comment="the CRM's key of the list"),
        Column("list_name", TEXT, comment="its name"),
        Column("list_type", TEXT, comment="its type, as the CRM names it"),
        Column("description", TEXT, comment="description, as the CRM has it"),
        Column("crm_members", BIGINT, comment="how many members the CRM counts; null: it does not count"),
        Column("crm_created_at", INSTANT, comment="created, on the CRM's clock, UTC"),
        Column("crm_modified_at", INSTANT, comment="last modified, on the CRM's clock, UTC"),
        Column("members_read_at", INSTANT, comment="when its members were last read, UTC"),
        Column("deleted_date", INSTANT, comment="set: deleted, not to be counted, mailed or listed (DEL-1), UTC"),
        Column(
            "created_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was made in Market, UTC"
        ),
        Column(
            "updated_at", INSTANT, nullable=False, server_default=text("CURRENT_TIMESTAMP"), comment="when this row was last written, UTC"
        ),
        comment="One row per marketing list of a CRM (LIST-1).",
    )
    op.create_table(
        "marketing_list_members",
        Column("list_id", BIGINT, nullable=False, comment="marketing_lists.list_id"),
        Column(
            "kind",
            KEY,
            nullable=False,
            comment="what the member is: lead, contact, account or user; another word: a kind that is not pulled",
        ),
        Column("crm_id", KEY, nullable=False, comment="the CRM's key of the member"),
        Column("market_id", BIGINT, comment="its row in contacts, accounts or users; null: Market does not have it (LIST-2)"),
        Column("first_seen_at", INSTANT, nullable=False, comment="when it was first seen on the list, UTC"),
        Column("left_at", INSTANT, comment="since when it is no longer on the list, UTC; null: it is"),
        PrimaryKeyConstraint("list_id", "kind", "crm_id"),
        comment="One row per member of a marketing list that is, or ever was (LIST-1).",
        sqlite_with_rowid=False,
    )
    op.create_index("ux_marketing_lists_crm_id", "marketing_lists", ["connector", "crm_id"], unique=True)
    op.create_index("ix_marketing_list_members_market_id", "marketing_list_members", ["kind", "market_id"])
    unlinked = text("market_id IS NULL")
    name = "ix_marketing_list_members_unlinked"
    op.create_index(name, "marketing_list_members", ["kind", "crm_id"], postgresql_where=unlinked, sqlite_where=unlinked)


def _segments() -> None:
    op.create_table(
        "segments",
        Column("segment_name", KEY, primary_key=True, comment="name of the saved report that it follows"),
        Column("condition", TEXT, nullable=False, comment="the report's conditions when it was last refreshed"),
        Column("refreshed_at", INSTANT, nullable=False, comment="when its members or its conditions last changed, UTC"),
        comment="One row per segment: a stored list of people that follows a saved report (REPORT-1).",
    )
    op.create_table(
        "segment_members",
        Column("segment_name", KEY, nullable=False, comment="segments.segment_name"),
        Column("contact_id", BIGINT, nullable=False, comment="contacts.contact_id"),
        Column("since", INSTANT, nullable=False, comment="since when the person meets the report, UTC"),
        PrimaryKeyConstraint("segment_name", "contact_id"),
        comment="One row per person in a segment.",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_segment_members_contact_id", "segment_members", ["contact_id"])
