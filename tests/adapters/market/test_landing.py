"""Rows by the ten thousand into SQLite: through files beside the Market, never half, never left lying about."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from adapters.market.landing import WORTH_IT_ROWS, can_land, clear, land
from tests.rows import MemoryRows

_ROWS = [(number, None if number % 7 == 0 else f"name {number} 😀", "" if number % 5 == 0 else "x") for number in range(WORTH_IT_ROWS + 11)]


class Broken(MemoryRows):
    """Rows whose source fails half-way."""

    def arrow(self) -> Any:
        raise OSError("the source went away")


@pytest.fixture
def market(tmp_path: Path) -> sqlite3.Connection:
    driver = sqlite3.connect(tmp_path / "market.db", isolation_level=None)
    driver.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, note TEXT)")
    yield driver
    driver.close()


_INSERT = "INSERT INTO people (id, name, note) SELECT id, name, note FROM {landing}"


def test_every_row_arrives_as_it_was_and_no_file_stays(market: sqlite3.Connection, tmp_path: Path) -> None:
    rows = MemoryRows(("id", "name", "note"), _ROWS)
    market.execute("BEGIN IMMEDIATE")
    assert can_land(market, rows.count)
    land(market, _INSERT, rows)
    market.execute("COMMIT")
    clear(market)
    assert market.execute("SELECT id, name, note FROM people ORDER BY id").fetchall() == _ROWS
    assert [path.name for path in tmp_path.glob("*.landing-*")] == []


def test_a_rolled_back_landing_leaves_nothing(market: sqlite3.Connection, tmp_path: Path) -> None:
    market.execute("BEGIN IMMEDIATE")
    land(market, _INSERT, MemoryRows(("id", "name", "note"), _ROWS))
    market.execute("ROLLBACK")
    clear(market)
    assert market.execute("SELECT count(*) FROM people").fetchone() == (0,)
    assert [path.name for path in tmp_path.glob("*.landing-*")] == []


def test_a_failing_source_is_told_and_not_swallowed(market: sqlite3.Connection) -> None:
    market.execute("BEGIN IMMEDIATE")
    with pytest.raises(OSError, match="went away"):
        land(market, _INSERT, Broken(("id", "name", "note"), _ROWS))
    market.execute("ROLLBACK")


def test_what_a_killed_process_left_is_removed(market: sqlite3.Connection, tmp_path: Path) -> None:
    left = tmp_path / "market.db.landing-1-1"
    left.write_bytes(b"half a landing")
    clear(market)
    assert not left.exists()


def test_few_rows_or_too_many_landings_go_the_ordinary_way(market: sqlite3.Connection) -> None:
    assert not can_land(market, WORTH_IT_ROWS - 1)
    for number in range(9):
        market.execute(f"ATTACH ':memory:' AS landing_test_{number}")
    assert not can_land(market, WORTH_IT_ROWS)
