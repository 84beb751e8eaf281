"""Core sync, cycle after cycle, over HTTP: what changed, windows, pages, idle cycles (PULL, FLOW-2, FLOW-4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.errors import ConfigError
from tasks.runs import begin_following
from tests.core_road import CoreRoad, core_road
from tests.pull_road import pull_road

ROUND_S = 1_200


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    """What comes is good in these tests, so nothing checks it."""
    with core_road(tmp_path, market_url, gate=False) as opened:
        opened.control.advance_clock(ROUND_S)
        yield opened


@pytest.fixture
def checked_road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    with core_road(tmp_path, market_url) as opened:
        opened.control.advance_clock(ROUND_S)
        yield opened


def living(road: CoreRoad, module: str) -> list[dict[str, Any]]:
    return list(road.control.dump(module, deleted=False))


def person(road: CoreRoad, crm_id: str, kind: str = "contact") -> dict[str, Any]:
    [row] = road.rows(
        "SELECT c.*, l.living AS link_living, l.alias_of AS link_alias, l.left_scope AS link_left FROM crm_links l"
        " JOIN contacts c ON c.contact_id = l.market_id WHERE l.kind = :kind AND l.crm_id = :id",
        kind=kind,
        id=crm_id,
    )
    return row


def everything(road: CoreRoad) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    tables = [row["name"] for row in road.rows(_TABLES[road.road.market.database.lite])]
    return {table: sorted((tuple(row.values()) for row in road.rows(f'SELECT * FROM "{table}"')), key=repr) for table in tables}


_TABLES = {
    True: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    False: "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()",
}


def test_flow_4_a_cycle_without_a_change_makes_one_data_call_per_object_and_writes_nothing(checked_road: CoreRoad) -> None:
    road = checked_road
    road.follow()
    before = everything(road)
    road.control.reset_calls()
    idle = road.follow()
    assert idle.words == () and idle.steps <= 12, "with lists eight more, which has to stay below twenty"
    asked = [call["module"] for call in road.control.calls(path_part="/filter")]
    assert sorted(asked) == ["Accounts", "Contacts", "EmailAddresses", "Leads", "Opportunities", "Users"]
    assert [call["path"] for call in road.control.calls() if "/filter" not in call["path"]] == ["/rest/v11_24/metadata/_hash"]
    assert everything(road) == before


def test_flow_4_the_cycle_right_after_a_change_writes_nothing_either(checked_road: CoreRoad) -> None:
    road = checked_road
    [first, second, *_] = living(road, "Contacts")
    road.control.edit("Contacts", first["id"], {"title": "Head of Sales"})
    road.control.delete("Contacts", second["id"])
    road.control.opt_out(living(road, "Leads")[0]["email"][0]["email_address"])
    road.follow()
    before = everything(road)
    assert road.follow().words == ()
    assert everything(road) == before


def test_pull_1_what_changed_arrives_and_is_told_in_words(road: CoreRoad) -> None:
    [contact, *_] = living(road, "Contacts")
    road.control.edit("Contacts", contact["id"], {"title": "Head of Sales", "email1": "new.address@example.com"})
    made = road.control.create("Leads", {"last_name": "Newman", "email1": "newman@example.com"})
    followed = road.follow()
    assert followed.words == ("1 lead new", "1 contact updated", "1 address of a contact changed (delivery status reset)")
    row = person(road, contact["id"])
    assert (row["title"], row["email"], row["del_message"]) == ("Head of Sales", "new.address@example.com", "Reset by Sync")
    assert person(road, made, "lead")["last_name"] == "Newman"


def test_pull_1_a_change_that_becomes_visible_late_is_caught_by_the_overlap(road: CoreRoad) -> None:
    [contact, *_] = living(road, "Contacts")
    road.control.edit("Contacts", contact["id"], {"title": "Late"}, delay_s=90)
    road.follow()
    assert person(road, contact["id"])["title"] != "Late"
    road.control.edit("Contacts", living(road, "Contacts")[1]["id"], {"title": "moves the cursor"})
    road.follow()
    road.control.advance_clock(100)
    road.follow()
    assert person(road, contact["id"])["title"] == "Late"


def test_pull_2_the_cursor_moves_with_the_rows_and_only_with_them(road: CoreRoad) -> None:
    query = "SELECT at FROM cursors WHERE kind = 'contact'"
    before = road.one(query)
    road.follow()
    assert road.one(query) == before, "nothing moved"
    road.control.edit("Contacts", living(road, "Contacts")[0]["id"], {"title": "x"})
    road.follow()
    assert road.one(query) > before


def test_pull_3_thousands_of_equal_stamps_are_paged_within_the_stamp(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, gate=False, connector="page_rows = 7", contacts=60) as road:
        road.control.advance_clock(ROUND_S)
        ids = [row["id"] for row in living(road, "Contacts")]
        for crm_id in ids:
            road.control.edit("Contacts", crm_id, {"title": "mass update"}, silent=True)
        road.control.touch("Contacts", ids)
        assert road.follow().words == ("60 contacts updated",)
        assert road.one("SELECT count(*) FROM contacts WHERE title = 'mass update'") == 60


def test_flow_2_core_sync_refuses_to_start_before_the_initial_sync_has_completed(tmp_path: Path, market_url: str) -> None:
    from sync.records import RunRef

    with pull_road(tmp_path, market_url) as road, pytest.raises(ConfigError, match="has not completed"):
        begin_following(RunRef("core-1", "core-sync", "acme", road.config))


@pytest.mark.parametrize("skew_s", [-7_200, 7_200])
def test_pull_1_windows_go_by_the_clock_of_the_crm_however_wrong_it_is(tmp_path: Path, market_url: str, skew_s: int) -> None:
    with core_road(tmp_path, market_url, gate=False) as road:
        road.control.set_clock(fixed=1_790_000_000.0 + skew_s)
        [contact, *_] = living(road, "Contacts")
        road.control.edit("Contacts", contact["id"], {"title": "by a wrong clock"}, stamp=1_790_000_000 + max(skew_s, 0))
        road.follow()
        assert person(road, contact["id"])["title"] == "by a wrong clock"


def test_pull_1_the_hour_that_comes_twice_loses_nothing(tmp_path: Path, market_url: str) -> None:
    before_fall_back = 1_793_512_200.0  # 1 November 2026, 01:50 in New York, daylight saving: 05:50 UTC
    with core_road(tmp_path, market_url, gate=False, clock_fixed=before_fall_back) as road:
        road.control.set_zone("mkt_sync", "America/New_York")
        [contact, *_] = living(road, "Contacts")
        for turn, minutes in enumerate((20, 20, 60, 40)):  # 01:10 and 01:30 a second time, and out of the hour
            road.control.advance_clock(minutes * 60)
            road.control.edit("Contacts", contact["id"], {"title": f"turn {turn}"})
            assert road.follow().words == ("1 contact updated",)
            row = person(road, contact["id"])
            assert row["title"] == f"turn {turn}"
        at = road.one("SELECT crm_modified_at FROM crm_links WHERE crm_id = :id", id=contact["id"])
        assert str(at).startswith("2026-11-01 08:10")


def test_pull_3_edits_while_pages_are_read_are_neither_lost_nor_repeated(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, gate=False, connector="page_rows = 5", contacts=40, clock_fixed=None) as road:
        contacts = living(road, "Contacts")
        road.control.touch("Contacts", [contact["id"] for contact in contacts])
        road.control.set_editors({"module": "Contacts", "rows": 3, "every": 1, "before": True, "seed": 7})
        road.follow()
        assert any(editor["edits"] for editor in road.control.editor_state())
        road.control.set_editors()
        road.follow()
        wanted = {contact["id"]: contact["description"] or None for contact in living(road, "Contacts")}
        rows = road.rows(
            "SELECT l.crm_id, c.description FROM crm_links l JOIN contacts c ON c.contact_id = l.market_id WHERE l.kind = 'contact'"
        )
        assert {row["crm_id"]: row["description"] or None for row in rows} == wanted
