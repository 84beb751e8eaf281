"""An upgraded Market on each of the two databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.market.engine import Market, open_market


@pytest.fixture
def market(market_url: str) -> Iterator[Market]:
    market = open_market(market_url)
    market.upgrade()
    yield market
    market.close()
