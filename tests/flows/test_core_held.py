"""Held records, cycle after cycle: they come in as soon as they pass, and cost nothing in between (GATE-2, FLOW-4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.desk import retry_held
from tasks.wiring import now
from tests.core_road import CoreRoad, core_road

ROUND_S = 1_200


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    with core_road(tmp_path, market_url, contacts=6, leads=2, accounts=1, opportunities=0) as opened:
        opened.control.advance_clock(ROUND_S)
        yield opened


def spoil(road: CoreRoad) -> str:
    """A new contact that can't be read. → its id."""
    one = str(road.control.create("Contacts", {"last_name": "Held"}))
    road.control.write_raw("Contacts", one, {"birthdate": "0000-00-00"})
    road.follow()
    road.control.advance_clock(ROUND_S)
    road.follow()  # for the last time the overlap brings it
    assert held(road) == [(one, None)]
    road.control.advance_clock(ROUND_S)
    return one


def held(road: CoreRoad) -> list[tuple[str, str | None]]:
    """(id, why it was released), of every entry that there ever was."""
    return [(row["crm_id"], row["release_reason"]) for row in road.rows("SELECT * FROM quarantine ORDER BY quarantine_id")]


def is_here(road: CoreRoad, crm_id: str) -> bool:
    return bool(road.one("SELECT count(*) FROM crm_links WHERE crm_id = :id AND living", id=crm_id))


def data_calls(road: CoreRoad) -> int:
    """Of contacts."""
    return len([call for call in road.control.calls(path_part="/filter") if call["module"] == "Contacts"])


def test_a_record_that_is_corrected_in_the_crm_releases_itself_gate_2(road: CoreRoad) -> None:
    one = spoil(road)
    assert not is_here(road, one)
    road.control.edit("Contacts", one, {"birthdate": "1980-01-31"})
    road.follow()
    assert held(road) == [(one, "passed its checks")] and is_here(road, one)


def test_what_an_operator_asks_for_is_read_by_the_next_run_and_only_by_that_gate_2(road: CoreRoad) -> None:
    """Back-end SQL corrected it: no stamp moved."""
    one = spoil(road)
    road.follow()
    road.control.reset_calls()
    road.follow()
    assert data_calls(road) == 1, "FLOW-4: one data call per object, however many records are held"
    retry_held(road.road.config, (1,))
    road.follow()
    assert data_calls(road) == 3 and held(road) == [(one, None)]
    road.follow()
    assert data_calls(road) == 4
    road.control.write_raw("Contacts", one, {"birthdate": "1980-01-31"})
    retry_held(road.road.config, (1,))
    road.follow()
    assert held(road) == [(one, "passed its checks")] and is_here(road, one)


def test_a_record_that_nobody_asks_for_is_read_again_after_an_hour_gate_2(road: CoreRoad) -> None:
    one = spoil(road)
    road.control.write_raw("Contacts", one, {"birthdate": "1980-01-31"})
    road.follow()
    assert held(road) == [(one, None)]
    long_ago = now() - timedelta(minutes=61)
    lite = road.road.market.database.lite
    road.road.execute("UPDATE quarantine SET last_held_at = :at", at=f"{long_ago:%Y-%m-%d %H:%M:%S.%f}" if lite else long_ago)
    road.follow()
    assert held(road) == [(one, "passed its checks")] and is_here(road, one)


def test_a_held_record_that_is_deleted_in_the_crm_is_released_with_that_reason_gate_2(road: CoreRoad) -> None:
    """GATE-2, DEL-1"""
    one = spoil(road)
    road.control.delete("Contacts", one)
    road.follow()
    assert held(road) == [(one, "deleted in the CRM")] and not is_here(road, one)


def test_a_record_that_fails_again_after_a_release_by_hand_is_held_anew_gate_2(road: CoreRoad) -> None:
    one = spoil(road)
    road.road.market.quarantine.release((1,), "not ours", now(), who="anna")
    road.follow()
    assert held(road) == [(one, "not ours")]
    road.control.edit("Contacts", one, {"last_name": "Still Held"})
    road.follow()
    assert held(road) == [(one, "not ours"), (one, None)]
