"""Alerts: what is wrong and who knows; and an index that finds the latest runs of a flow.

Revision ID: 0006
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint

from adapters.market.types import INSTANT, KEY, TEXT

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "alerts",
        Column("connector", KEY, nullable=False, comment="name of the connector"),
        Column("topic", KEY, nullable=False, comment="failed run, dead credential, held rows, or overdue sync"),
        Column("subject", KEY, nullable=False, comment="the flow or kind that it is about; empty: the connector"),
        Column("since", INSTANT, nullable=False, comment="since when, UTC"),
        Column("message", TEXT, nullable=False, comment="what is wrong, for a person"),
        Column("todo", TEXT, nullable=False, comment="what to do about it"),
        Column("told_at", INSTANT, comment="when the webhook took it, UTC; null: not told yet"),
        Column("over_at", INSTANT, comment="since when it is over although the webhook does not know yet, UTC"),
        Column("trouble", TEXT, comment="why telling failed last"),
        PrimaryKeyConstraint("connector", "topic", "subject"),
        comment="One row per thing that is wrong now. Goes when it is over and that was told.",
    )
    op.create_index("ix_runs_flow_started_at", "runs", ["connector", "flow", "started_at"])
