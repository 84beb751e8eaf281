"""Records that are held back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.market.engine import Market
from sync.records import Kind
from tests.adapters.market.building import NOW, ask, commit, parcel
from tests.rows import MemoryRows, one


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
    assert hold(market, ("c1", "email", '{"a": 2}'), ("c1", "email", '{"a": 2}'), days=1) == 0
    first = market.quarantine.list("acme", Kind.CONTACT)[0]
    assert (first.crm_id, first.rule, first.reason, first.row) == ("c1", "email", "why email", '{"a": 2}')
    assert (first.first_held_at, first.last_held_at) == (NOW, NOW + timedelta(days=1))
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
