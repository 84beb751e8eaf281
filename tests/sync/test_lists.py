"""Whose turn it is, and what becomes of a member (LIST-1, LIST-2, DEL-6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from sync.lists import (
    ListState,
    MemberAction,
    MemberFacts,
    Unlinked,
    decide_member,
    due_at_once,
    in_turn,
    unlinked_findings,
    unread_finding,
)
from sync.records import Kind

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CAME = MemberFacts(came=True, known=True, present=True, told_left=False, complete=True, pulled=True, living=True, relinked=False)
MISSING = replace(CAME, came=False)


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (replace(CAME, known=False, present=False), MemberAction.JOIN),
        (replace(CAME, present=False), MemberAction.RETURN),
        (replace(CAME, relinked=True), MemberAction.LINK),
        (CAME, MemberAction.STAY),
        (replace(MISSING, present=False), MemberAction.STAY),
        (replace(MISSING, told_left=True, complete=False), MemberAction.LEAVE),
        (replace(MISSING, complete=False), MemberAction.STAY),
        (replace(MISSING, pulled=False, living=None), MemberAction.LEAVE),
        (MISSING, MemberAction.LEAVE),
        (replace(MISSING, living=False), MemberAction.STAY),
        (replace(MISSING, living=None), MemberAction.ASK),
    ],
)
def test_list_1_each_line_of_the_truth_table(facts: MemberFacts, action: MemberAction) -> None:
    assert decide_member(facts) is action


def test_del_6_nobody_leaves_whose_record_is_gone_whatever_else_holds() -> None:
    for known, present, complete, relinked in product((True, False), repeat=4):
        facts = replace(MISSING, known=known, present=present, complete=complete, relinked=relinked, living=False)
        assert decide_member(facts) is not MemberAction.LEAVE


def state(crm_id: str, *, members: int | None = 10, read_minutes_ago: int | None = 30, changed_minutes_ago: int = 60) -> ListState:
    read_at = None if read_minutes_ago is None else NOON - timedelta(minutes=read_minutes_ago)
    return ListState(crm_id, members, read_at, NOON - timedelta(minutes=changed_minutes_ago))


def test_list_1_new_lists_and_changed_ones_are_due_at_once() -> None:
    lists = [state("b", read_minutes_ago=None), state("a", read_minutes_ago=30, changed_minutes_ago=10), state("c")]
    assert due_at_once(lists) == ("a", "b")


def test_list_1_the_lists_that_waited_longest_are_next_in_turn() -> None:
    lists = [state(name, read_minutes_ago=minutes) for name, minutes in (("a", 10), ("b", 50), ("c", 40), ("d", 20), ("e", 30), ("f", 55))]
    assert in_turn(lists, {}, 500) == ("b", "c", "e", "f")
    compared = {"b": NOON, "f": NOON}
    assert in_turn(lists, compared, 500) == ("a", "c", "d", "e")


def test_flow_4_a_turn_holds_no_more_than_one_call_brings_and_a_large_list_goes_alone() -> None:
    lists = [state("large", members=9_000, read_minutes_ago=50), state("small", read_minutes_ago=40)]
    assert in_turn(lists, {}, 500) == ("large",)
    lists = [state("small", read_minutes_ago=50), state("unknown", members=None, read_minutes_ago=40)]
    assert in_turn(lists, {}, 500) == ("small",)


def test_list_1_a_list_that_is_due_has_no_turn_as_well() -> None:
    assert in_turn([state("a", read_minutes_ago=None)], {}, 500) == ()


def test_list_2_who_has_no_row_is_told_by_kind_with_examples() -> None:
    found = unlinked_findings([Unlinked("lead", 2, ("l1", "l2")), Unlinked("target", 1, ("t1",)), Unlinked("user", 0, ())], (Kind.LEAD,))
    assert [(each.count, each.examples) for each in found] == [(2, ("l1", "l2")), (1, ("t1",))]
    assert found[0].message == "2 leads stand on marketing lists and are not in Market: filtered out, hidden or deleted in the CRM"
    assert found[1].message == "1 target stands on marketing lists and is not in Market: this kind is not pulled"


def test_list_2_members_that_may_not_be_seen_are_told_with_their_lists() -> None:
    finding = unread_finding("lead", ("a", "b"))
    assert (finding.count, finding.examples) == (2, ("a", "b"))
    assert "may not see which leads stand on 2 marketing lists" in finding.message
