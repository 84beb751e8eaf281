"""The Market's books about following a CRM: what waits to be removed, what was described, backfilled, compared, and what brakes hold."""

from __future__ import annotations

from sqlalchemy import Float, Index, PrimaryKeyConstraint, Table

from adapters.market.schema import col, metadata
from adapters.market.schema_books import connector_column, kind_column, serial_column
from adapters.market.types import BIGINT, INSTANT, KEY, TEXT

removals = Table(
    "removals",
    metadata,
    connector_column(),
    kind_column(),
    col("crm_id", KEY, "the CRM's key of the record", nullable=False),
    col("removed_at", INSTANT, "when the CRM removed it, on the CRM's clock, UTC; null: it left no trace"),
    col("merged_into", KEY, "crm_id of the record that took it in (MATCH-8)"),
    col("found_by", KEY, "changes: the CRM told; reconciliation: it was missing", nullable=False),
    col("noted_at", INSTANT, "since when it waits to be applied, UTC", nullable=False),
    col("run_id", TEXT, "the run that noted it", nullable=False),
    PrimaryKeyConstraint("connector", "kind", "crm_id"),
    comment="One row per record that the CRM removed and that Market still has. Goes when the removal is applied (DEL-1).",
)

schema_states = Table(
    "schema_states",
    metadata,
    col("connector", KEY, "name of the connector", primary_key=True),
    col("fingerprint", TEXT, "of what the CRM described and of our mapping of it: equal means nothing changed", nullable=False),
    col("readings", TEXT, "which field goes into which column, per kind, a JSON object", nullable=False),
    col("described_at", INSTANT, "when the CRM was last asked, UTC", nullable=False),
    comment="One row per connector: the CRM's schema as it was last replicated (PULL-4).",
)

backfills = Table(
    "backfills",
    metadata,
    connector_column(),
    kind_column(),
    col("crm_field", KEY, "the new field", nullable=False),
    col("column_name", KEY, "its column in Market", nullable=False),
    col("asked_at", INSTANT, "since when it is to be filled, UTC", nullable=False),
    col("filled_at", INSTANT, "when every row that was here had its value, UTC; null: at work"),
    col("rows_filled", BIGINT, "how many rows got a value; while at work: records read so far"),
    PrimaryKeyConstraint("connector", "kind", "crm_field"),
    comment="One row per CRM field that came later and was filled in for the rows that were already here (PULL-4).",
)

slices = Table(
    "slices",
    metadata,
    connector_column(),
    kind_column(),
    col("low", KEY, "the first key of the slice; empty: from the beginning", nullable=False),
    col("high", KEY, "the first key after it; empty: to the end", nullable=False),
    col("checked_at", INSTANT, "when it was last compared with the CRM, UTC; null: never"),
    col("records", BIGINT, "records that the CRM had in it then"),
    col("healed", BIGINT, "records that differed then, missing ones included"),
    PrimaryKeyConstraint("connector", "kind", "low"),
    comment="One row per range of keys that is compared with the CRM as a whole: finds changes that left no stamp.",
)

brakes = Table(
    "brakes",
    metadata,
    serial_column("brake_id"),
    col("connector", KEY, "name of the connector; empty: all of Market", nullable=False),
    col("subject", KEY, "what would be deleted: a kind, or the name of a saved report", nullable=False),
    col("rows_affected", BIGINT, "how many rows would go", nullable=False),
    col("rows_before", BIGINT, "of how many", nullable=False),
    col("limit_share", Float(), "the share at which the brake holds", nullable=False),
    col("asked_at", INSTANT, "when a run first stopped there, UTC", nullable=False),
    col("run_id", TEXT, "that run", nullable=False),
    col("answer", KEY, "allow: go on, once; refuse: leave them; null: nobody has answered"),
    col("answered_at", INSTANT, "UTC"),
    col("answered_by", TEXT, "who answered"),
    col("used_at", INSTANT, "when a run acted upon the answer, UTC"),
    comment="One row per deletion that was too large to be done without asking (DEL-8). Open while used_at is null.",
)
Index(
    "ix_brakes_open",
    brakes.c.connector,
    brakes.c.subject,
    postgresql_where=brakes.c.used_at.is_(None),
    sqlite_where=brakes.c.used_at.is_(None),
)
