"""Do the counts agree, and what explains a difference: INIT-6."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.records import Kind
from sync.verification import CountFacts, MemberCountFacts, verify_counts, verify_members

AGREED = CountFacts(
    crm_all=100, crm_filtered=100, crm_since=0, crm_deleted=0, market_linked=100, market_rows=100, market_held=0, market_since=0
)


def explained(facts: CountFacts) -> bool:
    return verify_counts(Kind.LEAD, facts).explained


def said(facts: CountFacts) -> str:
    line = verify_counts(Kind.LEAD, facts)
    return "\n".join([*line.lines, *line.remarks])


def test_init_6_equal_counts_need_no_words() -> None:
    line = verify_counts(Kind.LEAD, AGREED)
    assert (line.explained, line.lines) == (True, ())


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(AGREED, crm_all=130), "30 filtered out by the sync filter"),
        (replace(AGREED, market_linked=97, market_rows=97, market_held=3), "3 held in quarantine"),
        (replace(AGREED, market_rows=98), "2 leads share a row with another record of the same person"),
        (replace(AGREED, crm_all=104, crm_filtered=104, crm_since=4), "4 arrived while the sync was reading"),
        (replace(AGREED, crm_all=98, crm_filtered=98, crm_deleted=2), "2 deleted in the CRM meanwhile"),
        (replace(AGREED, expected=120), "the configuration expects 120, the CRM has 100"),
    ],
)
def test_init_6_each_difference_is_explained_in_words(facts: CountFacts, words: str) -> None:
    assert explained(facts)
    assert words in said(facts)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(AGREED, market_linked=99, market_rows=99), "1 missing in Market, and nothing explains it"),
        (replace(AGREED, crm_filtered=98, crm_all=98), "2 too many in Market, and nothing explains it"),
        (replace(AGREED, crm_filtered=98, crm_all=98, crm_deleted=1), "too many in Market, and nothing explains it"),
        (replace(AGREED, crm_filtered=98, crm_all=98, crm_deleted=None), "too many in Market, and nothing explains it"),
        (replace(AGREED, crm_all=105, crm_filtered=105, crm_since=4), "1 missing in Market, and nothing explains it"),
    ],
)
def test_init_6_what_nothing_explains_fails(facts: CountFacts, words: str) -> None:
    assert not explained(facts)
    assert words in said(facts)


def test_init_6_what_arrived_and_was_read_all_the_same_is_not_counted_twice() -> None:
    facts = replace(AGREED, crm_all=105, crm_filtered=105, crm_since=5, market_linked=105, market_rows=105, market_since=5)
    assert explained(facts)
    assert "arrived" not in said(facts)


def test_init_6_a_record_that_arrived_meanwhile_and_is_held_is_explained() -> None:
    """It was read, and went to quarantine: `market_since` does not know of it."""
    facts = replace(AGREED, crm_all=101, crm_filtered=101, crm_since=1, market_held=1)
    assert explained(facts)


def test_init_6_held_records_do_not_excuse_more_than_arrived() -> None:
    facts = replace(AGREED, crm_all=100, crm_filtered=100, crm_since=1, market_held=2)
    assert not explained(facts)


def test_init_6_records_that_came_and_others_that_went_are_told_apart() -> None:
    facts = replace(AGREED, crm_all=101, crm_filtered=101, crm_since=3, crm_deleted=2)
    assert explained(facts)
    assert "3 arrived" in said(facts)
    assert "2 deleted" in said(facts)


def test_init_6_what_changes_no_number_is_a_remark_so_that_the_explanations_add_up() -> None:
    facts = replace(AGREED, market_linked=97, market_rows=96, market_held=3, expected=120)
    line = verify_counts(Kind.LEAD, facts)
    assert line.lines == ("3 held in quarantine",)
    assert line.explanation.startswith(
        "3 held in quarantine (1 lead shares a row with another record of the same person; the configuration"
    )
    assert verify_counts(Kind.LEAD, replace(AGREED, market_rows=98)).explanation.startswith("equal (2 leads")


def test_list_2_what_the_crm_counts_and_does_not_show_is_told() -> None:
    line = verify_members(MemberCountFacts(crm_counted=12, market=10, unlinked=3))
    assert (line.kind, line.crm, line.market) == (Kind.LIST_MEMBER, 12, 10)
    assert line.explanation == "2 counted by the CRM and not shown to the syncing user (3 without a row in Market)"


def test_del_6_members_who_stay_although_they_were_deleted_are_told() -> None:
    line = verify_members(MemberCountFacts(crm_counted=10, market=11, unlinked=0))
    assert line.explanation == "1 stay on their list although the CRM counts them no more: deletion takes nobody off"
    assert verify_members(MemberCountFacts(10, 10, 0)).explanation == "equal"
