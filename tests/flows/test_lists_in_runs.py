"""Marketing lists in whole runs, as Prefect runs them (INIT-1, PULL-5, FLOW-4)."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.core_sync import core_sync
from flows.initial_sync import initial_sync
from tests.flows.place import lite_place, sandbox

pytestmark = pytest.mark.usefixtures("prefect_server", "crm_password")


def test_init_1_and_pull_5_lists_follow_the_people_in_both_flows(tmp_path: Path) -> None:
    """The third run has nothing to do, and leaves no trace in Market."""
    place = lite_place(tmp_path)
    with sandbox(prospect_lists=2, members_per_list=5) as crm:
        place.write(crm.url, connector="[connectors.acme.pull]\nmarketing_lists = true\n")
        assert initial_sync("acme", config=str(place.config), return_state=True).is_completed()
        assert members(place.market_url) == (2, 10)
        listed = next(row["id"] for row in crm.control.dump("ProspectLists"))
        crm.control.link("ProspectLists", listed, "leads", next(row["id"] for row in crm.control.dump("Leads", deleted=False)))
        crm.control.create("ProspectLists", {"name": "New", "list_type": "test"})
        assert core_sync("acme", config=str(place.config), return_state=True).is_completed()
        assert members(place.market_url) == (3, 11)
        runs = count(place.market_url, "SELECT count(*) FROM runs")
        assert core_sync("acme", config=str(place.config), return_state=True).is_completed()
        assert count(place.market_url, "SELECT count(*) FROM runs") == runs


def members(url: str) -> tuple[int, int]:
    """Lists, and members that have a row."""
    linked = "SELECT count(*) FROM marketing_list_members WHERE market_id IS NOT NULL AND left_at IS NULL"
    return count(url, "SELECT count(*) FROM marketing_lists"), count(url, linked)


def count(url: str, sql: str) -> int:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(sa.text(sql)).scalar_one())
    finally:
        engine.dispose()
