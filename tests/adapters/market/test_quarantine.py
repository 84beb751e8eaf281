"""Records that are held back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.market.engine import Market
from adapters.market.quarantine import Which
from sync.records import Kind
from tests.adapters.market.building import NOW, ask, commit, parcel
from tests.rows import MemoryRows, one

HOUR = timedelta(hours=1)


def hold(market: Market, *rows: tuple[str | None, str, str], days: int = 0) -> int:
    """(crm_id, rule, row) → how many entries are new."""
    from sync.records import CommitCounts

    held = MemoryRows(("crm_id", "rule", "reason", "row"), [(crm_id, rule, f"why {rule}", row) for crm_id, rule, row in rows])
    with market.commit(parcel(), "run-1", NOW + timedelta(days=days)) as tx:
        new = tx.hold(held)
        tx.finish(CommitCounts())
    return new


def test_record_is_held_once_per_rule_with_its_whole_row(market: Market) -> None:
    """GATE-2: quarantine holds the row with the reason; reading it again replaces its content."""
    assert hold(market, ("c1", "email", '{"a": 1}'), ("c1", "length", '{"a": 1}'), ("c2", "email", "{}")) == 3
    assert hold(market, ("c1", "email", '{"a": 2}'), ("c1", "email", '{"a": 2}'), ("c1", "length", '{"a": 2}'), days=1) == 0
    first = market.quarantine.list("acme", Kind.CONTACT)[0]
    assert (first.crm_id, first.rule, first.reason, first.row) == ("c1", "email", "why email", '{"a": 2}')
    assert (first.first_held_at, first.last_held_at, first.times_held) == (NOW, NOW + timedelta(days=1), 2)
    assert [(count.rule, count.records, count.oldest) for count in market.quarantine.counts("acme")] == [
        ("email", 2, NOW),
        ("length", 1, NOW),
    ]


@pytest.mark.parametrize("missing", [None, ""])
def test_records_without_a_key_are_told_apart_by_their_content(market: Market, missing: str | None) -> None:
    """GATE-2: no id; nothing of such a row is lost, and re-reading it adds nothing."""
    assert hold(market, (missing, "no id", '{"a": 1}'), (missing, "no id", '{"a": 2}')) == 2
    assert hold(market, (missing, "no id", '{"a": 2}'), days=1) == 0
    assert [held.row for held in market.quarantine.list()] == ['{"a": 1}', '{"a": 2}']
    assert market.quarantine.open_ids("acme", Kind.CONTACT) == ()


def test_record_that_passes_is_released_and_may_be_held_anew(market: Market) -> None:
    """GATE-2: a held row is retried when its CRM record changes."""
    hold(market, ("c1", "email", "{}"), ("c1", "length", "{}"), ("c2", "email", "{}"))
    with commit(market) as tx:
        assert tx.release("acme", Kind.CONTACT, one("crm_id", ["c1", "c7"]), "passed", NOW) == 1
        assert tx.release("other", Kind.CONTACT, one("crm_id", ["c2"]), "passed", NOW) == 0
    assert market.quarantine.open_ids("acme", Kind.CONTACT) == ("c2",)
    closed = market.quarantine.show(1)
    assert closed is not None
    assert (closed.released_at, closed.release_reason) == (NOW, "passed")
    assert hold(market, ("c1", "email", "{}"), days=2) == 1
    assert market.quarantine.open_ids("acme", Kind.CONTACT) == ("c1", "c2")


def test_operator_asks_for_a_record_again_and_it_stays_held_until_it_passes(market: Market) -> None:
    """GATE-2: or an operator releases it; nothing is lost meanwhile."""
    hold(market, ("c1", "email", "{}"))
    assert market.quarantine.ask_again((1, 99), NOW) == 1
    assert market.quarantine.open_ids("acme", Kind.CONTACT) == ("c1",)
    assert market.quarantine.release((1,), "spam", NOW) == 1
    assert market.quarantine.release((1,), "spam", NOW) == 0
    assert market.quarantine.open_ids("acme", Kind.CONTACT) == ()
    assert ask(market, "SELECT release_reason FROM quarantine") == [("spam",)]
    assert market.quarantine.show(99) is None


def test_what_is_wrong_is_kept_with_the_entry_and_renewed_gate_2(market: Market) -> None:
    columns = ("crm_id", "rule", "reason", "column_name", "value", "row")
    for value in ("nobody@", "nobody@@"):
        with commit(market) as tx:
            tx.hold(MemoryRows(columns, [("c1", "email", "why", "email", value, "{}"), ("c2", "whole", "why", None, None, "{}")]))
    first, second = market.quarantine.list()
    assert (first.column, first.value, first.times_held) == ("email", "nobody@@", 2)
    assert (second.column, second.value) == ("", "")


def test_a_record_that_fails_another_check_now_keeps_no_entry_of_the_old_one_gate_2(market: Market) -> None:
    hold(market, ("c1", "email", "{}"), ("c2", "email", "{}"), ("", "email", "{}"))
    hold(market, ("c1", "length", "{}"), days=1)
    assert {(held.crm_id, held.rule) for held in market.quarantine.list()} == {("c2", "email"), ("", "email"), ("c1", "length")}
    (old,) = market.quarantine.list(released=True)
    assert (old.crm_id, old.rule, old.released_by) == ("c1", "email", "")
    assert "held by another one" in old.release_reason


def due(market: Market, at: timedelta, most: int = 10) -> tuple[str, ...]:
    """An hour is how long a record is left in peace."""
    return market.quarantine.due_ids("acme", Kind.CONTACT, NOW + at - HOUR, most)


def test_held_records_are_read_again_after_a_while_and_not_in_between_gate_2(market: Market) -> None:
    """GATE-2, FLOW-4: a record that stays as it is costs no call in most runs."""
    hold(market, ("c1", "email", "{}"), ("c1", "length", "{}"), ("c2", "email", "{}"), ("", "no id", "{}"))
    assert due(market, HOUR / 2) == ()
    assert due(market, HOUR * 2) == ("c1", "c2")
    assert due(market, HOUR * 2, most=1) == ("c1",)
    market.quarantine.note_asked("acme", Kind.CONTACT, ("c1",), NOW + HOUR * 2)
    assert due(market, HOUR * 2.5) == ("c2",)
    assert due(market, HOUR * 4) == ("c2", "c1"), "the one that waited longest comes first"
    assert market.quarantine.due_ids("acme", Kind.LEAD, NOW + HOUR * 9, 10) == ()


def test_what_an_operator_asks_for_is_due_until_it_was_read_gate_2(market: Market) -> None:
    hold(market, ("c1", "email", "{}"))
    hold(market, ("c2", "email", "{}"))
    assert market.quarantine.ask_again((2,), NOW + HOUR / 4) == 1
    assert due(market, HOUR / 2) == ("c2",)
    assert due(market, HOUR * 2) == ("c2", "c1"), "asked for first"
    hold(market, ("c2", "email", "{}"), days=0)  # read at the same moment as before: not since it was asked for
    assert due(market, HOUR / 2) == ("c2",)
    market.quarantine.note_asked("acme", Kind.CONTACT, ("c2",), NOW + HOUR / 2)
    assert due(market, HOUR / 2) == ()


def test_everything_that_a_rule_holds_can_be_asked_for_at_once_gate_2(market: Market) -> None:
    hold(market, ("c1", "email", "{}"), ("c2", "email", "{}"), ("", "email", "{}"), ("c3", "length", "{}"))
    assert market.quarantine.ask_all_again(Which("acme", Kind.CONTACT, "email"), NOW + HOUR / 4) == 2
    assert market.quarantine.ask_all_again(Which("other"), NOW + HOUR / 4) == 0
    assert due(market, HOUR / 2) == ("c1", "c2")


def test_released_entries_tell_when_why_and_by_whom_gate_2(market: Market) -> None:
    hold(market, ("c1", "email", "{}"))
    hold(market, ("c2", "email", "{}"))
    market.quarantine.release((1,), "spam", NOW, who="anna")
    with commit(market) as tx:
        tx.release("acme", Kind.CONTACT, one("crm_id", ["c2"]), "passed", NOW + HOUR)
    released = market.quarantine.list(released=True)
    assert [(held.crm_id, held.release_reason, held.released_by) for held in released] == [("c2", "passed", ""), ("c1", "spam", "anna")]
    assert market.quarantine.list() == () and market.quarantine.counts() == ()
    assert [(count.records, count.oldest, count.newest) for count in market.quarantine.count(Which(released=True))] == [(2, NOW, NOW)]
