"""A bulk load builds its indexes afterwards: the same ones, whether the transaction ends well or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, text

from adapters.market import indexing
from adapters.market.engine import Market, open_market
from adapters.market.schema_books import crm_links

_DEFINED = text(
    "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = CAST('crm_links' AS regclass)"
    " UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = CAST('crm_links' AS regclass) ORDER BY 1"
)


@pytest.fixture
def postgres_market(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    monkeypatch.setattr(indexing, "_WORTH_IT_ROWS", 10)  # so that a few rows count as many
    market = open_market(postgres_url)
    market.upgrade()
    yield market
    market.close()


def _links(connection: Connection, first: int, last: int) -> None:
    rows = [{"connector": "acme", "kind": "contact", "crm_id": f"c{n}", "market_id": n} for n in range(first, last)]
    connection.execute(insert(crm_links), rows)


def _defined(market: Market) -> list[str]:
    with market.database.reading() as connection:
        return list(connection.execute(_DEFINED).scalars())


def test_the_indexes_and_keys_are_the_same_after_a_bulk_load(postgres_market: Market) -> None:
    before = _defined(postgres_market)
    with postgres_market.database.writing() as connection, indexing.indexes_afterwards(connection, crm_links, 50):
        assert connection.execute(text("SELECT count(*) FROM pg_index WHERE indrelid = CAST('crm_links' AS regclass)")).scalar() == 1
        _links(connection, 0, 50)
    assert _defined(postgres_market) == before


def test_a_load_that_fails_leaves_them_as_they_were(postgres_market: Market) -> None:
    before = _defined(postgres_market)
    with (
        pytest.raises(ZeroDivisionError),
        postgres_market.database.writing() as connection,
        indexing.indexes_afterwards(connection, crm_links, 50),
    ):
        _links(connection, 0, 50)
        raise ZeroDivisionError
    assert _defined(postgres_market) == before


def test_a_table_that_holds_more_than_comes_keeps_its_indexes_meanwhile(postgres_market: Market) -> None:
    with postgres_market.database.writing() as connection:
        _links(connection, 0, 60)
    with postgres_market.database.writing() as connection, indexing.indexes_afterwards(connection, crm_links, 50):
        assert connection.execute(text("SELECT count(*) FROM pg_index WHERE indrelid = CAST('crm_links' AS regclass)")).scalar() == 3


_LITE_DEFINED = text("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'crm_links' AND type = 'index' ORDER BY name")


def test_sqlite_builds_the_same_indexes_after_a_bulk_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_WORTH_IT_ROWS", 10)
    market = open_market(f"sqlite:///{tmp_path}/market.db")
    market.upgrade()
    with market.database.writing() as connection:
        before = connection.execute(_LITE_DEFINED).all()
    with market.database.writing() as connection, indexing.indexes_afterwards(connection, crm_links, 50):
        meanwhile = connection.execute(_LITE_DEFINED).all()
        _links(connection, 0, 50)
    with market.database.reading() as connection:
        assert connection.execute(_LITE_DEFINED).all() == before
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    assert [row.name for row in before if row not in meanwhile] == ["ix_crm_links_market_id_kind"]
    with pytest.raises(ZeroDivisionError), market.database.writing() as connection, indexing.indexes_afterwards(connection, crm_links, 60):
        raise ZeroDivisionError
    with market.database.reading() as connection:
        assert connection.execute(_LITE_DEFINED).all() == before
    market.close()
