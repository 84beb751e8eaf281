"""Segments follow their reports by difference (REPORT-1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.market.engine import Market
from sync.errors import ConfigError
from sync.saved_reports import Of, SavedReport, SegmentChange, Term
from tests.adapters.market.building import NOW, ask, execute, person, put

LATER = NOW + timedelta(hours=1)


def segment(*terms: Term, name: str = "vip") -> SavedReport:
    return SavedReport(name=name, of=Of.PEOPLE, all_of=terms, segment=True)


def everything(market: Market) -> list[Any]:
    return [ask(market, f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("segments", "segment_members")]


def test_report_1_a_segment_gains_who_meets_the_report_and_loses_who_does_not(market: Market) -> None:
    put(market, "contacts", person(1, title="CEO"), person(2, title="CEO"), person(3))
    ceos = segment(Term("title", "equals", "CEO"))
    assert market.segments.refresh([ceos], NOW) == (SegmentChange("vip", 2, 0),)
    execute(market, "UPDATE contacts SET title = 'CEO' WHERE contact_id = 3")
    execute(market, "UPDATE contacts SET title = NULL WHERE contact_id = 1")
    since = dict(ask(market, "SELECT contact_id, since FROM segment_members"))
    assert market.segments.refresh([ceos], LATER) == (SegmentChange("vip", 1, 1),)
    assert market.segments.members("vip") == (2, 3)
    assert dict(ask(market, "SELECT contact_id, since FROM segment_members"))[2] == since[2]


def test_report_1_deleted_and_merged_people_leave_a_segment(market: Market) -> None:
    put(market, "contacts", person(1), person(2), person(3))
    market.segments.refresh([segment()], NOW)
    execute(market, "UPDATE contacts SET deleted_date = :now WHERE contact_id = 1", now="2026-01-01 00:00:00+00:00")
    execute(market, "UPDATE contacts SET merged_into = 3 WHERE contact_id = 2")
    market.segments.refresh([segment()], LATER)
    assert market.segments.members("vip") == (3,)


def test_report_1_nothing_is_written_when_nobody_joined_or_left(market: Market) -> None:
    put(market, "contacts", person(1, title="CEO"), person(2))
    both = [segment(Term("title", "equals", "CEO")), segment(Term("title", "equals", "nobody"), name="none")]
    assert len(market.segments.refresh(both, NOW)) == 2
    before = everything(market)
    assert market.segments.refresh(both, LATER) == ()
    assert everything(market) == before


def test_report_1_other_segments_stay_as_they_are(market: Market) -> None:
    put(market, "contacts", person(1), person(2))
    market.segments.refresh([segment(name="a"), segment(Term("contact_id", "equals", 2), name="b")], NOW)
    market.segments.refresh([segment(Term("contact_id", "equals", 1), name="a")], LATER)
    assert market.segments.sizes() == {"a": 1, "b": 1}
    assert market.segments.members("b") == (2,)
    assert market.segments.drop("b") == 1 and market.segments.sizes() == {"a": 1}


def test_report_1_a_segment_that_cannot_be_answered_changes_none(market: Market) -> None:
    put(market, "contacts", person(1))
    with pytest.raises(ConfigError, match="nobody_c"):
        market.segments.refresh([segment(), segment(Term("nobody_c", "is_null"), name="bad")], NOW)
    assert market.segments.sizes() == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sets(st.integers(1, 6)), min_size=1, max_size=4))
def test_report_1_after_every_refresh_the_members_are_the_rows_of_the_report(market: Market, steps: list[set[int]]) -> None:
    execute(market, "DELETE FROM contacts")
    put(market, "contacts", *(person(number) for number in range(1, 7)))
    chosen = segment(Term("title", "equals", "in"))
    for step in steps:
        for number in range(1, 7):
            execute(market, "UPDATE contacts SET title = :title WHERE contact_id = :id", title="in" if number in step else "out", id=number)
        market.segments.refresh([chosen], NOW)
        assert set(market.segments.members("vip")) == step
