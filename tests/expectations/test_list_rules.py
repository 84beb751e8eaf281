"""The gate over members of marketing lists (GATE-2, GATE-3)."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest

from expectations.gate import run_gate
from expectations.list_rules import member_rules
from sync.gate import Status, Verdict
from sync.records import Kind
from tests.expectations.parcel import context

Member = tuple[str, str | None]


def judged(written: Sequence[Member], staying: int = 0, share: float = 0.5, least: int = 1) -> Verdict:
    """`written`: (action, CRM id); `staying`: members that stay as they are."""
    con = duckdb.connect(":memory:")
    con.execute("CREATE TABLE plan (seq BIGINT, action VARCHAR, list_id BIGINT, kind VARCHAR, crm_id VARCHAR, present BOOLEAN)")
    rows = [*written, *(("stay", f"s{number}") for number in range(staying))]
    for seq, (action, crm_id) in enumerate(rows):
        con.execute("INSERT INTO plan VALUES (?, ?, 1, 'contact', ?, ?)", [seq, action, crm_id, action in ("stay", "leave", "link")])
    con.execute("CREATE VIEW staged AS SELECT * FROM plan WHERE action <> 'stay'")
    return run_gate(con, context(kind=Kind.LIST_MEMBER, columns={}), member_rules(share, least))


def failed(verdict: Verdict) -> set[str]:
    return {check.rule for check in verdict.checks if check.status is not Status.PASSED}


def test_gate_1_good_members_pass() -> None:
    assert failed(judged([("join", "c1"), ("return", "c2"), ("link", "c3"), ("leave", "c4")], staying=3)) == set()


def test_gate_1_a_batch_without_news_passes() -> None:
    assert judged([], staying=3).passed


def test_gate_2_members_without_a_usable_id_are_held() -> None:
    verdict = judged([("join", None), ("join", "c 1"), ("join", "c1")])
    assert failed(verdict) == {"member_id_present", "member_id_well_formed"}
    assert verdict.passed
    assert verdict.held_rows == 2


def test_gate_3_a_member_that_comes_twice_stops_the_batch() -> None:
    assert failed(judged([("join", "c1"), ("join", "c1")])) == {"member_once"}


@pytest.mark.parametrize(("leaving", "staying", "least", "stops"), [(3, 2, 1, True), (2, 2, 1, False), (3, 2, 6, False), (0, 0, 1, False)])
def test_gate_3_members_may_leave_up_to_a_share(leaving: int, staying: int, least: int, stops: bool) -> None:
    verdict = judged([("leave", f"c{number}") for number in range(leaving)], staying, least=least)
    assert ("mass_leaving" in failed(verdict)) is stops
    assert verdict.passed is not stops
