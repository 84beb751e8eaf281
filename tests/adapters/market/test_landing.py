"""Rows by the ten thousand into SQLite: through files beside the Market, never half, never left lying about."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
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
def market(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    driver = sqlite3.connect(tmp_path / "market.db", isolation_level=None)
    driver.execute('CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, "no ""te" TEXT DEFAULT 5, since TEXT DEFAULT CURRENT_DATE)')
    driver.execute("CREATE INDEX ix_people_named ON people (name) WHERE name IS NOT NULL")
    yield driver
    driver.close()


_INSERT = 'INSERT INTO people (name, id, "no ""te") VALUES (?2, ?1, upper(?3))'
_WANTED = [(number, name, note.upper()) for number, name, note in _ROWS]


def test_every_row_arrives_as_it_was_and_no_file_stays(market: sqlite3.Connection, tmp_path: Path) -> None:
    rows = MemoryRows(("id", "name", "note"), _ROWS)
    market.execute("BEGIN IMMEDIATE")
    assert can_land(market, rows.count)
    land(market, "people", _INSERT, rows)
    market.execute("COMMIT")
    clear(market)
    assert market.execute('SELECT id, name, "no ""te" FROM people ORDER BY id').fetchall() == _WANTED
    assert market.execute("SELECT count(*) FROM people WHERE since = CURRENT_DATE").fetchone() == (len(_ROWS),)
    assert market.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [path.name for path in tmp_path.glob("*.landing-*")] == []


_KINDS = {
    "rows of its own": "INSERT INTO people (id, name) VALUES (-1, 'who was here before')",
    "a unique index": "CREATE UNIQUE INDEX ux_people_id ON people (id, name)",
    "a column that somebody made of others": "ALTER TABLE people ADD COLUMN initial TEXT AS (substr(name, 1, 1))",
    "a trigger": "CREATE TRIGGER renamed AFTER INSERT ON people BEGIN UPDATE people SET since = 'told' WHERE id = new.id; END",
}


@pytest.mark.parametrize("kind", _KINDS)
def test_a_table_that_has_more_than_we_gave_it_takes_the_rows_too(market: sqlite3.Connection, kind: str) -> None:
    market.execute(_KINDS[kind])
    for first in (0, len(_ROWS)):  # the second time the table is not empty
        market.execute("BEGIN IMMEDIATE")
        land(market, "people", _INSERT, MemoryRows(("id", "name", "note"), [(first + number, *rest) for number, *rest in _ROWS]))
        market.execute("COMMIT")
        clear(market)
    assert market.execute("SELECT count(*), count(DISTINCT id) FROM people WHERE id >= 0").fetchone() == (2 * len(_ROWS), 2 * len(_ROWS))
    assert market.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    if kind == "a trigger":
        assert market.execute("SELECT count(*) FROM people WHERE since = 'told'").fetchone() == (2 * len(_ROWS),)


def test_a_row_that_is_there_already_is_refused(market: sqlite3.Connection) -> None:
    market.execute("INSERT INTO people (id, name) VALUES (17, 'who was here before')")
    market.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.IntegrityError):
        land(market, "people", _INSERT, MemoryRows(("id", "name", "note"), _ROWS))
    market.execute("ROLLBACK")


def test_what_goes_wrong_in_the_other_driver_is_told_as_a_failure_of_the_market(market: sqlite3.Connection) -> None:
    market.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.DatabaseError, match="UNIQUE constraint failed"):
        land(market, "people", _INSERT, MemoryRows(("id", "name", "note"), [*_ROWS, _ROWS[0]]))
    market.execute("ROLLBACK")


def test_a_rolled_back_landing_leaves_nothing(market: sqlite3.Connection, tmp_path: Path) -> None:
    market.execute("BEGIN IMMEDIATE")
    land(market, "people", _INSERT, MemoryRows(("id", "name", "note"), _ROWS))
    market.execute("ROLLBACK")
    clear(market)
    assert market.execute("SELECT count(*) FROM people").fetchone() == (0,)
    assert [path.name for path in tmp_path.glob("*.landing-*")] == []


def test_a_failing_source_is_told_and_not_swallowed(market: sqlite3.Connection) -> None:
    market.execute("BEGIN IMMEDIATE")
    with pytest.raises(OSError, match="went away"):
        land(market, "people", _INSERT, Broken(("id", "name", "note"), _ROWS))
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
