"""What a cycle reads of the Market follows what changed, never what is there: no table of records is read from end to end (PULL-1, FLOW-4).

SQLite counts no rows that it reads; but it says beforehand how it will read, for each statement at the moment when it is asked.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from sync.records import Kind
from tests.core_road import core_road
from tests.push_road import push_road

LARGE = frozenset(
    {"users", "accounts", "contacts", "opportunities", "crm_links", "consent_ledger", "outbox", "scores", "guarded_watch", "email_sends"}
)
_READING = ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")
_SCAN = re.compile(r"^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
_NAMED = re.compile(r'(?:FROM|JOIN|UPDATE|INTO)\s+"?(\w+)"?(?:\s+AS\s+"?(\w+)"?)?', re.IGNORECASE)


@contextmanager
def read_from_end_to_end() -> Iterator[list[str]]:
    """Large tables that a statement reads whole, with the statement. An index of some rows only is no whole table, nor is the question
    whether there is any row at all."""
    found: list[str] = []

    def look(_connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        driver = cursor.connection
        given = parameters[0] if many and parameters else parameters
        any_at_all = statement.endswith("LIMIT ? OFFSET ?") and tuple(given)[-2] == 1
        if any_at_all or not isinstance(driver, sqlite3.Connection) or not statement.lstrip().upper().startswith(_READING):
            return
        names = {alias or name: name for name, alias in _NAMED.findall(statement)}
        for *_, step in driver.execute(f"EXPLAIN QUERY PLAN {statement}", given or ()):
            scan = _SCAN.match(step)
            if scan and names.get(scan[1], scan[1]) in LARGE and not (scan[2] and _is_partial(driver, scan[2])):
                found.append(f"{step}: {statement}")

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", look)


def _is_partial(driver: sqlite3.Connection, index: str) -> bool:
    made = driver.execute("SELECT sql FROM sqlite_master WHERE name = ?", [index]).fetchone()
    return bool(made and made[0] and " WHERE " in made[0].upper())


def test_pull_1_a_cycle_with_changes_of_every_sort_reads_no_table_of_the_market_whole(tmp_path: Path) -> None:
    """MATCH-7, MATCH-8, CONSENT-3, DEL-1."""
    with core_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", contacts=60, leads=40, accounts=20) as road:
        road.follow()
        control = road.control
        contacts = [row["id"] for row in control.dump("Contacts", deleted=False)]
        leads = [row["id"] for row in control.dump("Leads", deleted=False) if not row["converted"]]
        accounts = [row["id"] for row in control.dump("Accounts", deleted=False)]
        control.advance_clock(1_200)
        control.edit("Contacts", contacts[0], {"title": "Head of Sales"})
        control.edit("Accounts", accounts[0], {"name": "Renamed"})
        control.edit("Contacts", contacts[1], {"email1": "new.address@example.com"})
        control.opt_out("new.address@example.com")
        control.create("Leads", {"last_name": "Newcomer", "email1": "newcomer@example.com", "account_name": "Renamed"})
        control.merge("Contacts", contacts[2], contacts[3])
        control.convert_lead(leads[0])
        control.delete("Contacts", contacts[4])
        with read_from_end_to_end() as found:
            words = road.follow().words
        assert len(words) >= 4, words
        assert found == [], "\n\n".join(sorted(set(found)))


def test_flow_4_an_idle_cycle_and_a_push_read_no_table_of_the_market_whole(tmp_path: Path) -> None:
    """PUSH-S, CONSENT-8."""
    with push_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", contacts=60) as road:
        people = road.people(limit=4)
        road.does.score(people[0][0], 42)
        road.does.opt_out(people[1][0])
        road.does.task(people[2][0])
        campaign = road.does.campaign()
        road.does.mail(people[3][0], campaign)
        with read_from_end_to_end() as found:
            for flow in ("core-sync", "email-activity-sync", "time-sensitive-sync"):
                road.push(flow)
            road.core.follow()
        for kind in (Kind.SCORE, Kind.OPT_OUT, Kind.TASK, Kind.SENT):
            assert road.states(kind) == {"acknowledged": 1}, kind
        assert found == [], "\n\n".join(sorted(set(found)))
