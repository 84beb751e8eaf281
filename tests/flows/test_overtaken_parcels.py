"""Two flows may run at once: what one read before the other committed something newer is history (PULL-2, CONSENT-10)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.records import Kind, ParcelRef
from tests.core_road import CoreRoad, core_road
from tests.pull_road import PullRoad

ROUND_S = 1_200
MANY = 20_000


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    with core_road(tmp_path, market_url) as opened:
        opened.control.advance_clock(ROUND_S)
        yield opened


def contact(road: CoreRoad) -> dict[str, Any]:
    return next(row for row in road.control.dump("Contacts", deleted=False) if row["email"])


def read_again(road: CoreRoad) -> tuple[PullRoad, ParcelRef]:
    """What `run initial --again` has staged of the contacts, and not committed yet."""
    again = PullRoad(road.road.config, run_id="again")
    return again, again.extract(Kind.CONTACT, again.schema())


def row_of(road: CoreRoad, crm_id: str) -> dict[str, Any]:
    query = "SELECT c.* FROM crm_links l JOIN contacts c ON c.contact_id = l.market_id WHERE l.kind = 'contact' AND l.crm_id = :id"
    [row] = road.rows(query, id=crm_id)
    return row


def test_consent_10_an_initial_sync_that_read_before_an_opt_out_and_commits_after_it_re_subscribes_nobody(road: CoreRoad) -> None:
    one = contact(road)
    again, read_before = read_again(road)
    road.control.advance_clock(ROUND_S)
    road.control.opt_out(one["email"][0]["email_address"])
    road.follow()
    assert row_of(road, one["id"])["opt_out"] in (1, True)
    again.bring_in(read_before, gate=False)
    assert row_of(road, one["id"])["opt_out"] in (1, True)
    road.control.advance_clock(ROUND_S)
    road.follow()
    assert row_of(road, one["id"])["opt_out"] in (1, True)


def test_consent_4_a_re_subscribe_after_that_still_counts(road: CoreRoad) -> None:
    one = contact(road)
    again, read_before = read_again(road)
    road.control.advance_clock(ROUND_S)
    road.control.opt_out(one["email"][0]["email_address"])
    road.follow()
    again.bring_in(read_before, gate=False)
    road.control.advance_clock(ROUND_S)
    road.control.opt_out(one["email"][0]["email_address"], False)
    road.follow()
    assert row_of(road, one["id"])["opt_out"] in (0, False)


def test_pull_1_a_newer_version_that_another_flow_has_committed_is_not_overwritten_with_an_older_one(road: CoreRoad) -> None:
    one = contact(road)
    again, read_before = read_again(road)
    road.control.advance_clock(ROUND_S)
    road.control.edit("Contacts", one["id"], {"title": "Newer"})
    road.follow()
    again.bring_in(read_before, gate=False)
    assert row_of(road, one["id"])["title"] == "Newer"


def test_a_commit_comes_to_its_end_however_often_others_commit_while_it_is_planned(road: CoreRoad) -> None:
    """Each entry of the ledger makes every plan void that was made before it. One that is made while nobody else can write holds."""
    again, read_before = read_again(road)
    entry = "INSERT INTO consent_ledger (contact_id, at, who, source, old, new, why) "
    entry += "VALUES (NULL, CURRENT_TIMESTAMP, 'others', 'guarded watch', false, true, 'a test')"
    enough = threading.Event()

    def write() -> None:
        for _ in range(MANY):
            if enough.is_set():
                return
            road.road.execute(entry)
            time.sleep(0.002)  # SQLite's writers do not queue: who never pauses lets nobody in

    others = threading.Thread(target=write)
    others.start()
    again.bring_in(read_before, gate=False)
    still_writing = others.is_alive()
    enough.set()
    others.join()
    assert still_writing
    assert road.one("SELECT count(*) FROM parcels WHERE run_id = 'again'") == 1
