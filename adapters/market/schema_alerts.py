"""The Market's book of alerts: what is wrong, and who knows."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint, Table

from adapters.market.schema import col, metadata
from adapters.market.schema_books import connector_column
from adapters.market.types import INSTANT, KEY, TEXT

alerts = Table(
    "alerts",
    metadata,
    connector_column(),
    col("topic", KEY, "failed run, dead credential, held rows, or overdue sync", nullable=False),
    col("subject", KEY, "the flow or kind that it is about; empty: the connector", nullable=False),
    col("since", INSTANT, "since when, UTC", nullable=False),
    col("message", TEXT, "what is wrong, for a person", nullable=False),
    col("todo", TEXT, "what to do about it", nullable=False),
    col("told_at", INSTANT, "when the webhook took it, UTC; null: not told yet"),
    col("over_at", INSTANT, "since when it is over although the webhook does not know yet, UTC"),
    col("trouble", TEXT, "why telling failed last"),
    PrimaryKeyConstraint("connector", "topic", "subject"),
    comment="One row per thing that is wrong now. Goes when it is over and that was told.",
)
