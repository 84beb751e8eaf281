"""The next window (PULL-1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.records import Window
from sync.watermark import next_window

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
OVERLAP = timedelta(minutes=2)


def test_pull_1_a_window_reaches_back_by_the_overlap_and_is_open_at_its_end() -> None:
    assert next_window(NOON, OVERLAP, NOON + timedelta(minutes=20)) == Window(NOON - OVERLAP, None)


def test_pull_1_a_clock_that_went_back_asks_from_the_cursor_all_the_same() -> None:
    assert next_window(NOON, OVERLAP, NOON - timedelta(hours=1)) == Window(NOON - OVERLAP, None)


def test_pull_1_after_an_outage_of_days_the_window_ends_now_so_that_connections_can_share_it() -> None:
    now = NOON + timedelta(days=3)
    assert next_window(NOON, OVERLAP, now) == Window(NOON - OVERLAP, now)
