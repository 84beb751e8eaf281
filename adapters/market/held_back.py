"""Rows of the outbox that our own checks held at an earlier attempt."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from adapters.market.database import Database
from adapters.market.schema_books import outbox
from sync.outgoing import HELD_BACK


def held_back(database: Database, outbox_ids: Sequence[int]) -> frozenset[int]:
    """Of these rows, at most a batch, those whose last refusal was ours and not the CRM's (PUSH-4). Raises MarketUnavailable."""
    query = select(outbox.c.outbox_id).where(outbox.c.outbox_id.in_(outbox_ids), outbox.c.refusal.startswith(HELD_BACK, autoescape=True))
    with database.reading() as connection:
        return frozenset(connection.execute(query).scalars())
