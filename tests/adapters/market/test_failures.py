"""What an operator is told when the Market fails; never a secret, never a person's data."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import psycopg
import pytest

from adapters.market.database import parse_url
from adapters.market.engine import Market, open_market
from adapters.market.failures import explained
from sync.errors import ConfigError, MarketUnavailable
from tests.adapters.market.building import ask, commit, person, put, records
from tests.rows import MemoryRows


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/x", "sqlite://", "sqlite:///:memory:"])
def test_address_that_is_no_market_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="What to do: write sqlite:///FILE"):
        parse_url(url, None)


def test_server_that_is_away_is_named_without_its_password() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        market = open_market(f"postgresql://market@127.0.0.1:{port}/market", password="s3cret-word")
        with pytest.raises(MarketUnavailable) as failure:
            market.upgrade()
    assert "start the PostgreSQL server" in str(failure.value)
    assert str(port) in str(failure.value)
    assert "s3cret-word" not in str(failure.value)
    assert failure.value.__cause__ is None


def test_database_that_does_not_exist_is_named(postgres_address: str) -> None:
    with pytest.raises(MarketUnavailable, match="create the database"):
        open_market(f"{postgres_address}/nowhere").upgrade()


def test_file_that_is_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "market.sqlite").write_text("not a database, but long enough to look at" * 40)
    with pytest.raises(MarketUnavailable, match="names a file that is something else"):
        open_market(f"sqlite:///{tmp_path / 'market.sqlite'}").upgrade()


def test_refused_row_is_reported_without_its_values(market: Market) -> None:
    """The gate should have held it; the message names table and rule, not the person."""
    put(market, "contacts", person(1))
    with pytest.raises(MarketUnavailable) as failure, commit(market) as tx:
        tx.insert("contacts", records([person(2), person(1, email="private@example.com", first_name="Secret")]))
    assert "private" not in str(failure.value)
    assert "Secret" not in str(failure.value)
    assert "contacts" in str(failure.value)
    assert ask(market, "SELECT contact_id FROM contacts") == [(1,)]


def test_value_of_the_wrong_type_is_reported_without_itself(postgres_url: str) -> None:
    market = open_market(postgres_url)
    market.upgrade()
    with pytest.raises(MarketUnavailable, match="contacts, row 1 of the batch, column del_status") as failure, commit(market) as tx:
        tx.insert("contacts", MemoryRows(("contact_id", "del_status"), [(1, "private word")]))
    assert "private" not in str(failure.value)
    market.close()


def test_full_disk_is_reported_as_such_and_nothing_is_kept(tmp_path: Path) -> None:
    """PULL-2: a commit that runs out of room leaves rows and cursor as they were."""
    market = open_market(f"sqlite:///{tmp_path / 'market.sqlite'}")
    market.upgrade()
    with pytest.raises(MarketUnavailable, match="make room on the disk"), commit(market) as tx:
        tx._connection.exec_driver_sql("PRAGMA max_page_count = 100")
        tx.insert("contacts", records([person(key, first_name="x" * 1000) for key in range(2_000)]))
    assert ask(market, "SELECT count(*) FROM contacts") == [(0,)]
    market.close()


@pytest.mark.parametrize(
    ("failure", "todo"),
    [
        (sqlite3.OperationalError("database is locked"), "another program holds the Market file"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "the right to write"),
        (sqlite3.DatabaseError("database disk image is malformed"), "restore it from a backup"),
        (psycopg.errors.DiskFull(), "make room"),
        (psycopg.errors.TooManyConnections(), "max_connections"),
        (psycopg.errors.LockNotAvailable(), "pg_stat_activity"),
        (psycopg.errors.InvalidPassword(), "check user and password"),
        (psycopg.errors.AdminShutdown(), "stopping or starting"),
        (psycopg.errors.UndefinedTable(), "run its upgrade"),
        (psycopg.OperationalError("the connection is lost"), "start the PostgreSQL server"),
    ],
)
def test_every_known_failure_says_what_to_do(failure: Exception, todo: str) -> None:
    assert todo in explained(failure, "Market").todo


def test_readers_see_the_old_state_while_a_commit_is_at_work(market: Market) -> None:
    """PULL-2: nothing is visible before the transaction ends, and nobody waits for it."""
    put(market, "contacts", person(1))
    with commit(market) as tx:
        tx.insert("contacts", records([person(2)]))
        assert ask(market, "SELECT count(*) FROM contacts") == [(1,)]
    assert ask(market, "SELECT count(*) FROM contacts") == [(2,)]


def test_errors_show_the_address_as_the_operator_wrote_it(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/market.db", "postgresql://me@db.example.com:5432/market"):
        market = open_market(url)
        assert market.database.where == f"Market {url}"
        market.close()


def test_a_market_in_a_folder_that_can_not_be_made_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"market\.url"):
        open_market(f"sqlite:///{tmp_path}/file/market.db")
