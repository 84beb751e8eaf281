"""Core sync follows the CRM's schema, cycle after cycle (PULL-4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.drift import FIELD_TOPICS, field_words
from sync.errors import AccessDenied, GateRejected
from tasks.operate import status_of
from tests.core_road import CoreRoad, Followed, core_road
from tests.flows.command import typed

ROUND_S = 1_200


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    with core_road(tmp_path, market_url, connector="page_rows = 5") as opened:
        opened.control.advance_clock(ROUND_S)
        yield opened


def ids(road: CoreRoad, module: str = "Contacts") -> list[str]:
    return [row["id"] for row in road.control.dump(module, deleted=False)]


def topics(followed: Followed) -> list[str]:
    return [finding.topic for finding in followed.findings if finding.topic in FIELD_TOPICS]


def test_pull_4_one_cycle_makes_the_column_and_fills_it_for_every_row(road: CoreRoad) -> None:
    road.control.add_field("Contacts", "renewal_tier_c")
    for crm_id in ids(road):
        road.control.edit("Contacts", crm_id, {"renewal_tier_c": "gold"}, silent=True)
    cursor = road.one("SELECT at FROM cursors WHERE kind = 'contact'")
    followed = road.follow()
    assert field_words(followed.findings) == (
        "field renewal_tier_c added to contacts",
        "field renewal_tier_c of contacts filled in",
    )
    assert road.one("SELECT count(*) FROM contacts WHERE renewal_tier_c = 'gold'") == 24
    assert road.one("SELECT at FROM cursors WHERE kind = 'contact'") == cursor
    assert topics(road.follow()) == []


def test_pull_4_changes_made_during_a_backfill_of_several_cycles_all_arrive(tmp_path: Path, market_url: str) -> None:
    """Each cycle has time for a page; records change between the cycles, before and after their page was read."""
    with core_road(tmp_path, market_url, connector="page_rows = 5\nconnections = 1\nbackfill_minutes_per_run = 0") as road:
        road.control.add_field("Contacts", "stage_c")
        wanted = {}
        for crm_id in ids(road):
            road.control.edit("Contacts", crm_id, {"stage_c": "before"}, silent=True)
            wanted[crm_id] = "before"
        done = []
        for cycle in range(5):
            road.control.advance_clock(ROUND_S)
            for crm_id in ids(road)[cycle::7]:
                road.control.edit("Contacts", crm_id, {"stage_c": f"in cycle {cycle}"})
                wanted[crm_id] = f"in cycle {cycle}"
            road.follow()
            done.append([each.rows_done for each in status_of(road.road.config, "acme").backfills])
            assert ("stage_c" in typed(tmp_path, "status").output) == (cycle < 4)
        assert done == [[5], [10], [15], [20], []]
        road.control.advance_clock(ROUND_S)
        road.follow()
        rows = road.rows(
            "SELECT l.crm_id AS id, stage_c AS stage FROM crm_links l JOIN contacts ON contact_id = market_id WHERE kind = 'contact'"
        )
        assert {row["id"]: row["stage"] for row in rows} == wanted


def test_pull_4_a_hidden_address_stops_the_cycle_and_nobody_loses_theirs(road: CoreRoad) -> None:
    before = road.rows("SELECT contact_id, email, opt_out FROM contacts ORDER BY contact_id")
    road.control.hide_field("mkt_sync", "Contacts", "email")
    road.control.edit("Contacts", ids(road)[0], {"title": "x"})
    with pytest.raises(AccessDenied, match="email"):
        road.follow()
    assert road.rows("SELECT contact_id, email, opt_out FROM contacts ORDER BY contact_id") == before
    road.control.hide_field("mkt_sync", "Contacts", "email", hidden=False)
    assert road.follow().words == ("1 contact updated",)


def test_gate_3_a_backfill_that_the_checks_stop_fails_the_run_and_writes_nothing(tmp_path: Path, market_url: str) -> None:
    """The pull before it is committed; the read is done afresh by the next run, so that corrections in the CRM are seen."""
    with core_road(tmp_path, market_url, more="[gate]\nmin_rows_for_share = 5\n") as road:
        road.control.advance_clock(ROUND_S)
        road.control.add_field("Contacts", "since_c", "date")
        for crm_id in ids(road):
            road.control.write_raw("Contacts", crm_id, {"since_c": "0000-00-00"})
        with pytest.raises(GateRejected):
            road.follow()
        assert road.one("SELECT count(*) FROM quarantine") == 0
        for crm_id in ids(road):
            road.control.write_raw("Contacts", crm_id, {"since_c": "2026-01-31"})
        assert topics(road.follow()) == ["field filled in"]
        assert road.one("SELECT count(*) FROM contacts WHERE since_c IS NOT NULL") == 24
