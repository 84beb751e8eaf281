"""One situation → one plan: PULL-8, MATCH-6, DEL-2, DEL-7."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import pytest

from sync.pull import Action, RowFacts, RowPlan, plan_row

UNCHANGED = RowFacts(
    known_row=True,
    linked=True,
    living_link=True,
    same_values=True,
    fills_only=False,
    row_deleted=False,
    barred=False,
    gives_values=True,
    has_address=True,
    our_address=True,
    same_address=True,
    market_out=False,
    crm_out=False,
    base_out=False,
    unacknowledged=False,
)
CHANGED = replace(UNCHANGED, same_values=False)
NEW = replace(
    CHANGED, known_row=False, linked=False, living_link=False, our_address=False, same_address=False, market_out=None, base_out=None
)
ADOPTED = replace(CHANGED, linked=False, living_link=False, base_out=None)


def plan(facts: RowFacts) -> RowPlan:
    return plan_row(facts, people=True)


TABLE = [
    ("MATCH-3: nothing resembles it", NEW, Action.INSERT),
    ("INIT-4: another record of the batch makes the row", replace(NEW, gives_values=False), Action.LINK),
    ("DEL-7: deleted with 'do not pull again'", replace(CHANGED, barred=True, row_deleted=True), Action.IGNORE),
    ("PULL-8: Market holds exactly this", UNCHANGED, Action.IGNORE),
    ("INIT-4: another record gives the values", replace(CHANGED, gives_values=False), Action.LINK),
    ("INIT-4: it gives no values and is linked already", replace(UNCHANGED, gives_values=False), Action.IGNORE),
    ("MATCH-6: a lead on a contact's row", replace(CHANGED, fills_only=True), Action.FILL),
    ("MATCH-1: its values changed", CHANGED, Action.UPDATE),
    ("MATCH-2: adopted by its address", ADOPTED, Action.UPDATE),
    ("MATCH-2: adopted, with the values of another record's hash", replace(ADOPTED, same_values=True), Action.UPDATE),
    ("DEL-2: undeleted without any other change", replace(UNCHANGED, living_link=False, row_deleted=True), Action.UPDATE),
]


@pytest.mark.parametrize(("facts", "action"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_happens_to_a_record(facts: RowFacts, action: Action) -> None:
    assert plan(facts).action is action


def test_pull_8_an_unchanged_record_asks_for_nothing_at_all() -> None:
    assert plan(UNCHANGED) == RowPlan(Action.IGNORE)


def test_pull_8_an_unchanged_record_of_a_row_deleted_in_market_leaves_it_deleted() -> None:
    """DEL-7: the row comes back when its record is modified, not when it is read again."""
    assert plan(replace(UNCHANGED, row_deleted=True)) == RowPlan(Action.IGNORE)


def test_consent_4_counts_even_where_no_other_value_changed() -> None:
    found = plan(replace(UNCHANGED, market_out=True, crm_out=False, base_out=True))
    assert (found.action, found.opt_out) == (Action.UPDATE, False)


def test_del_7_what_moves_no_stamp_changes_a_deleted_row_and_leaves_it_deleted() -> None:
    """A field that is new in the CRM changes what is read of every record; an opt-out of the address moves no record's stamp."""
    found = plan(replace(CHANGED, row_deleted=True, same_stamp=True))
    assert (found.action, found.restore) == (Action.UPDATE, False)


def test_del_7_a_row_deleted_in_market_comes_back_when_its_record_changes() -> None:
    found = plan(replace(CHANGED, row_deleted=True))
    assert (found.action, found.restore) == (Action.UPDATE, True)


def test_del_2_a_living_row_is_not_restored() -> None:
    assert not plan(CHANGED).restore


def test_del_7_a_barred_row_changes_in_nothing() -> None:
    barred = replace(CHANGED, barred=True, row_deleted=True, market_out=True, crm_out=False, base_out=True, same_address=False)
    assert plan(barred) == RowPlan(Action.IGNORE)


def test_addr_1_another_address_resets_the_delivery_status() -> None:
    assert plan(replace(CHANGED, same_address=False)).reset_delivery
    assert not plan(CHANGED).reset_delivery


def test_addr_1_only_people_have_a_delivery_status() -> None:
    assert not plan_row(replace(CHANGED, same_address=False), people=False).reset_delivery


def test_consent_1_an_opt_out_of_ours_is_queued_when_a_row_is_adopted() -> None:
    found = plan(replace(ADOPTED, market_out=True))
    assert (found.action, found.opt_out, found.queue_opt_out) == (Action.UPDATE, None, True)


def test_consent_only_people_have_an_opt_out() -> None:
    found = plan_row(replace(ADOPTED, market_out=True, crm_out=True), people=False)
    assert (found.opt_out, found.queue_opt_out, found.why) == (None, False, "")


def test_consent_10_no_situation_turns_an_opted_out_row_mailable_but_a_seen_resubscribe() -> None:
    names = [each.name for each in fields(RowFacts)]
    both, three = (True, False), (True, False, None)
    domain = [three if name in {"market_out", "crm_out", "base_out"} else both for name in names]
    found = set()
    for values in itertools.product(*domain):
        facts = RowFacts(*values)
        if facts.known_row and facts.market_out and plan(facts).opt_out is False:
            found.add((facts.linked, facts.crm_out, facts.base_out, facts.unacknowledged, facts.barred, facts.stale, facts.others_out))
    assert found == {(True, False, True, False, False, False, False)}
