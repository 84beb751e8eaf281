"""Saved reports at the end of a pull: auto-deletion, its brake, and segments (DEL-3, DEL-8, REPORT-1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sync.brake import Answer
from sync.errors import ConfigError
from sync.records import Finding
from sync.saved_reports import Deletion, SegmentChange
from tasks.report import BRAKED, noted_findings
from tasks.saved_reports import auto_delete, delete_by_report, preview_report, refresh_segments
from tasks.wiring import now
from tests.adapters.market.building import person, put
from tests.pull_road import OPEN_GATE, PullRoad, pull_road

STALE = '[saved_reports.stale]\nof = "people"\nauto_delete = true\nall_of = [{ field = "title", op = "equals", value = "stale" }]\n'
TIGHT = "[gate]\nmin_rows_for_share = 5\nmass_deletion_share = 0.2\n"


@contextmanager
def road(folder: Path, market_url: str, more: str, people: int = 10, stale: int = 1) -> Iterator[PullRoad]:
    with pull_road(folder, market_url, more=more) as found:
        put(found.market, "contacts", *(person(key, title="stale" if key <= stale else None) for key in range(1, people + 1)))
        yield found


def deleted(found: PullRoad) -> list[Any]:
    return [row["contact_id"] for row in found.rows("SELECT contact_id FROM contacts WHERE deleted_date IS NOT NULL ORDER BY 1")]


def findings(found: PullRoad) -> list[Finding]:
    return list(noted_findings(found.home, found.run))


def test_del_3_every_row_that_meets_the_report_is_deleted_and_told(tmp_path: Path, market_url: str) -> None:
    with road(tmp_path, market_url, OPEN_GATE + STALE + "do_not_pull = true\n", stale=2) as found:
        (done,) = auto_delete.fn(found.run)
        assert (done.report, done.rows, done.braked, done.examples) == ("stale", 2, False, ("c1", "c2"))
        assert deleted(found) == [1, 2]
        assert found.rows("SELECT count(*) AS n FROM contacts WHERE do_not_pull")[0]["n"] == 2  # DEL-7
        assert [(each.topic, each.count) for each in findings(found)] == [("auto-deletion", 2)]


def test_del_3_a_second_run_deletes_and_writes_nothing(tmp_path: Path, market_url: str) -> None:
    with road(tmp_path, market_url, OPEN_GATE + STALE) as found:
        auto_delete.fn(found.run)
        before = found.rows("SELECT contact_id, deleted_date, updated_at FROM contacts ORDER BY 1"), found.market.mark()
        assert auto_delete.fn(found.run) == ()
        assert (found.rows("SELECT contact_id, deleted_date, updated_at FROM contacts ORDER BY 1"), found.market.mark()) == before


def test_del_3_and_report_1_without_such_reports_market_is_not_even_opened(tmp_path: Path) -> None:
    config = tmp_path / "marketsync.toml"
    config.write_text(f'data_dir = "data"\n[market]\nurl = "sqlite:///{tmp_path}/none/market.db"\n[saved_reports.seen]\nof = "people"\n')
    run = PullRoad(str(config)).run
    assert (auto_delete.fn(run), refresh_segments.fn(run)) == ((), ())
    assert not (tmp_path / "none" / "market.db").exists()


def test_del_3_a_report_that_cannot_be_answered_stops_before_any_row_is_deleted(tmp_path: Path, market_url: str) -> None:
    bad = '[saved_reports.bad]\nof = "people"\nauto_delete = true\nall_of = [{ field = "nobody_c", op = "is_null" }]\n'
    with road(tmp_path, market_url, OPEN_GATE + STALE + bad) as found, pytest.raises(ConfigError, match="nobody_c"):
        auto_delete.fn(found.run)
    with pull_road(tmp_path, market_url) as again:
        assert deleted(again) == []


def test_del_8_a_braked_auto_deletion_deletes_nothing_and_says_what_to_type(tmp_path: Path, market_url: str) -> None:
    with road(tmp_path, market_url, TIGHT + STALE, stale=3) as found:
        assert [(each.rows, each.braked) for each in auto_delete.fn(found.run)] == [(3, True)]
        assert deleted(found) == []
        (finding,) = findings(found)
        assert (finding.topic, finding.count) == (BRAKED, 3)
        assert "report preview stale" in finding.message and "deletions list" in finding.message
        (question,) = found.market.brakes.open("acme")
        assert (question.connector, question.subject, question.rows_affected) == ("", "report stale", 3)


def test_del_8_after_a_yes_the_next_run_deletes_and_closes_the_question(tmp_path: Path, market_url: str) -> None:
    with road(tmp_path, market_url, TIGHT + STALE, stale=3) as found:
        auto_delete.fn(found.run)
        found.market.brakes.answer(found.market.brakes.open()[0].brake_id, Answer.ALLOW, who="operator", now=now())
        assert [(each.rows, each.braked) for each in auto_delete.fn(found.run)] == [(3, False)]
        assert deleted(found) == [1, 2, 3] and found.market.brakes.open() == ()


def test_del_8_after_a_no_nothing_is_deleted_and_nobody_is_asked_again(tmp_path: Path, market_url: str) -> None:
    with road(tmp_path, market_url, TIGHT + STALE, stale=3) as found:
        auto_delete.fn(found.run)
        found.market.brakes.answer(found.market.brakes.open()[0].brake_id, Answer.REFUSE, who="operator", now=now())
        assert auto_delete.fn(found.run) == () and deleted(found) == []
        assert findings(found)[-1].topic == "auto-deletion refused"
        assert [each.answer for each in found.market.brakes.open()] == [Answer.REFUSE]


def test_del_8_small_tables_are_not_judged(tmp_path: Path, market_url: str) -> None:
    with road(tmp_path, market_url, TIGHT + STALE, people=4, stale=3) as found:
        auto_delete.fn(found.run)
        assert deleted(found) == [1, 2, 3]


def test_report_1_segments_follow_at_the_end_of_a_run_and_changes_are_told(tmp_path: Path, market_url: str) -> None:
    with road(tmp_path, market_url, OPEN_GATE + STALE.replace("auto_delete", "segment"), stale=2) as found:
        assert refresh_segments.fn(found.run) == (SegmentChange("stale", 2, 0),)
        assert refresh_segments.fn(found.run) == ()
        assert [each.message for each in findings(found)] == ['segment "stale": 2 people joined, 0 left']


def test_del_4_by_hand_the_brake_holds_too_and_a_reason_is_needed(tmp_path: Path, market_url: str) -> None:
    with road(tmp_path, market_url, TIGHT + STALE, stale=3) as found:
        seen, braked = preview_report(found.config, "stale")
        assert (seen.rows, seen.rows_before, braked) == (3, 10, True)
        assert found.market.brakes.open() == ()  # looking asks nobody
        with pytest.raises(ConfigError, match="only for a reason"):
            delete_by_report(found.config, "stale", who="me", why=" ", do_not_pull=False)
        assert delete_by_report(found.config, "stale", who="me", why="old", do_not_pull=False).braked
        found.market.brakes.answer(found.market.brakes.open()[0].brake_id, Answer.ALLOW, who="operator", now=now())
        assert delete_by_report(found.config, "stale", who="me", why="old", do_not_pull=True) == Deletion(
            "stale", preview_report(found.config, "stale")[0].of, 3, examples=("c1", "c2", "c3")
        )
        assert deleted(found) == [1, 2, 3]
