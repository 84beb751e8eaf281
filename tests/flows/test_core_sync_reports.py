"""Saved reports at the end of core sync, over HTTP: auto-deletion and segments (DEL-3, DEL-7, FLOW-4, REPORT-1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.errors import DeletionHeld
from tests.core_road import CoreRoad, core_road
from tests.flows.test_core_sync_steps import ROUND_S, everything, living

REPORTS = """
[saved_reports.leavers]
of = "people"
auto_delete = true
all_of = [{ field = "title", op = "equals", value = "has left" }]
[saved_reports.bosses]
of = "people"
segment = true
all_of = [{ field = "title", op = "equals", value = "boss" }]
"""
OPEN = "[gate]\nmin_rows_for_share = 1000000\n"
TIGHT = "[gate]\nmin_rows_for_share = 1\nmass_deletion_share = 0.0\n"


def edit(road: CoreRoad, crm_id: str, title: str) -> None:
    road.control.edit("Contacts", crm_id, {"title": title})
    road.control.advance_clock(ROUND_S)


def is_deleted(road: CoreRoad, crm_id: str) -> bool:
    return road.one("SELECT deleted_date FROM contacts WHERE crm_id = :id", id=crm_id) is not None


def test_del_3_a_row_that_comes_to_meet_a_report_is_deleted_by_the_same_cycle_and_not_written_again(
    tmp_path: Path, market_url: str
) -> None:
    with core_road(tmp_path, market_url, more=OPEN + REPORTS) as road:
        road.control.advance_clock(ROUND_S)
        road.follow()
        leaver, boss = (row["id"] for row in living(road, "Contacts")[:2])
        edit(road, leaver, "has left")
        edit(road, boss, "boss")
        told = {finding.topic: finding.examples for finding in road.follow().findings}
        assert told["auto-deletion"] == (leaver,) and "segment" in told
        assert is_deleted(road, leaver) and not is_deleted(road, boss)
        assert road.one("SELECT c.crm_id FROM segment_members m JOIN contacts c ON c.contact_id = m.contact_id") == boss

        before = everything(road)
        assert road.follow().words == () and everything(road) == before  # FLOW-4

        edit(road, leaver, "is back")
        road.follow()
        assert not is_deleted(road, leaver)  # DEL-7: changed in the CRM, and no report asks for it any more


def test_del_8_a_braked_auto_deletion_ends_the_run_with_an_error_after_everything_else(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, more=TIGHT + REPORTS) as road:
        road.control.advance_clock(ROUND_S)
        road.follow()
        leaver: Any = living(road, "Contacts")[0]["id"]
        edit(road, leaver, "has left")
        with pytest.raises(DeletionHeld, match="leavers"):
            road.follow()
        assert not is_deleted(road, leaver)
        assert road.one("SELECT title FROM contacts WHERE crm_id = :id", id=leaver) == "has left"
