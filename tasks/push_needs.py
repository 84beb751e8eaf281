"""What the configuration says about the values that a connector's pushes write."""

from __future__ import annotations

from adapters.market.outbox import Needs
from sync.mapping import combine
from sync.records import RunRef
from sync.stock_mappings import STOCK_MAPPINGS, STOCK_SCORES
from tasks.wiring import settings_of


def needs_of(run: RunRef) -> Needs:
    """The operator's words, and where there are none those that ship with the product."""
    connector = settings_of(run)
    mapping = combine(STOCK_MAPPINGS[connector.crm], connector.own_rows)
    return Needs(mapping, connector.scores or STOCK_SCORES.get(connector.crm, {}), connector.create_as)
