"""What the CRM no longer has: noted, then applied (DEL-1, DEL-2, DEL-8, MATCH-8, FILT-2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.market.applying import Removed
from adapters.market.engine import Market
from adapters.market.removals import FILTER
from sync.brake import Answer
from sync.records import Kind, Removal
from sync.settings import LeftScope
from tests.adapters.market.building import NOW, ask, execute, link, person, put, put_links

GONE = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
EARLIER, LATER = "2026-02-01 08:00:00.000000", "2026-02-25 08:00:00.000000"


def note(market: Market, *removed: Removal, kind: Kind = Kind.CONTACT) -> int:
    return market.removals.note("acme", kind, removed, run_id="run-1", now=NOW)


def state(market: Market, contact_id: int) -> tuple[bool, bool]:
    """(deleted, merged away)"""
    [(deleted, merged)] = ask(market, "SELECT deleted_date, merged_into FROM contacts WHERE contact_id = :id", id=contact_id)
    return deleted is not None, merged is not None


def living(market: Market) -> set[str]:
    return {row[0] for row in ask(market, "SELECT crm_id FROM crm_links WHERE living")}


def test_del_1_a_record_that_was_deleted_in_the_crm_deletes_its_row_and_keeps_it(market: Market) -> None:
    put(market, "contacts", person(1), person(2))
    put_links(market, link("c1", 1, crm_modified_at=EARLIER), link("c2", 2, crm_modified_at=EARLIER))
    assert note(market, Removal("c1", GONE), Removal("unknown", GONE)) == 1
    assert state(market, 1) == (False, False)
    assert market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW) == Removed(deleted=1)
    assert state(market, 1) == (True, False) and state(market, 2) == (False, False)
    assert living(market) == {"c2"}
    assert ask(market, "SELECT * FROM removals") == []


def test_del_1_what_was_applied_before_is_neither_noted_nor_written_again(market: Market) -> None:
    put(market, "contacts", person(1))
    put_links(market, link("c1", 1))
    note(market, Removal("c1", GONE))
    market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW)
    assert note(market, Removal("c1", GONE)) == 0
    assert market.removals.known_living("acme", Kind.CONTACT, ["c1"]) == frozenset()


def test_del_2_a_record_that_was_seen_living_since_stays(market: Market) -> None:
    put(market, "contacts", person(1))
    put_links(market, link("c1", 1, crm_modified_at=EARLIER))
    note(market, Removal("c1", GONE))
    execute(market, "UPDATE crm_links SET crm_modified_at = :at", at=LATER)
    assert market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW) == Removed()
    assert state(market, 1) == (False, False) and living(market) == {"c1"}
    assert note(market, Removal("c1", GONE)) == 0, "an old removal is no news"


def test_del_1_a_row_that_another_record_holds_lives_on_in_its_name(market: Market) -> None:
    put(market, "contacts", person(1, crm_type="Contact"))
    put_links(market, link("c1", 1), link("l1", 1, kind="lead"))
    note(market, Removal("c1", GONE))
    assert market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW) == Removed(kept=1, heirs=((Kind.LEAD, "l1"),))
    assert state(market, 1) == (False, False)
    assert ask(market, "SELECT crm_type, crm_id FROM contacts") == [("Lead", "l1")]
    assert ask(market, "SELECT row_hash FROM crm_links WHERE crm_id = 'l1'") == [(None,)], "the lead's values are to be read again"


def test_match_8_a_merged_record_becomes_an_alias_and_its_row_moves_to_the_winner(market: Market) -> None:
    put(market, "contacts", person(1), person(2, opt_out=True))
    put_links(market, link("c1", 1), link("c2", 2))
    note(market, Removal("c2", GONE, merged_into="c1"))
    assert market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW) == Removed(merged=1)
    assert ask(market, "SELECT market_id, alias_of, living FROM crm_links WHERE crm_id = 'c2'") == [(1, "c1", False)]
    assert state(market, 2) == (True, True)
    assert ask(market, "SELECT opt_out FROM contacts WHERE contact_id = 1") == [(True,)], "out wins (CONSENT-10)"


def test_match_8_a_loser_whose_winner_is_not_here_is_deleted_like_any_other(market: Market) -> None:
    put(market, "contacts", person(2))
    put_links(market, link("c2", 2))
    note(market, Removal("c2", GONE, merged_into="nobody"))
    assert market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW) == Removed(deleted=1)


def test_gate_2_a_held_record_that_was_deleted_is_released(market: Market) -> None:
    execute(
        market,
        "INSERT INTO quarantine (connector, kind, crm_id, rule, reason, row, first_held_at, last_held_at)"
        " VALUES ('acme', 'contact', 'c9', 'email', 'malformed', '{}', :at, :at)",
        at=EARLIER,
    )
    assert note(market, Removal("c9", GONE)) == 1
    market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW)
    assert ask(market, "SELECT release_reason FROM quarantine") == [("deleted in the CRM",)]


def test_a_removal_that_left_no_trace_counts_unless_the_record_was_read_since(market: Market) -> None:
    put(market, "contacts", person(1), person(2))
    put_links(market, link("c1", 1), link("c2", 2))
    note(market, Removal("c1"), Removal("c2"))
    execute(market, "UPDATE crm_links SET written_at = :at WHERE crm_id = 'c2'", at=str((NOW + timedelta(minutes=1)).replace(tzinfo=None)))
    assert market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW + timedelta(minutes=2)) == Removed(deleted=1)
    assert living(market) == {"c2"}


@pytest.mark.parametrize(
    ("behaviour", "marked", "deleted"),
    [(LeftScope.MARK, True, False), (LeftScope.KEEP, False, False), (LeftScope.SOFT_DELETE, False, True)],
)
def test_filt_2_a_record_that_left_the_filter_stays_is_marked_or_goes_as_the_setting_says(
    market: Market, behaviour: LeftScope, marked: bool, deleted: bool
) -> None:
    put(market, "contacts", person(1), person(2))
    put_links(market, link("c1", 1), link("c2", 2))
    assert market.scope.leave("acme", Kind.CONTACT, ["c1"], behaviour, run_id="run-1", now=NOW) == 1
    market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW)
    assert ask(market, "SELECT crm_id FROM crm_links WHERE left_scope AND living") == [("c1",)]
    [(left, gone)] = ask(market, "SELECT left_scope, deleted_date FROM contacts WHERE contact_id = 1")
    assert (left is not None, gone is not None) == (marked, deleted)
    assert ask(market, "SELECT left_scope, deleted_date FROM contacts WHERE contact_id = 2") == [(None, None)]
    assert market.scope.leave("acme", Kind.CONTACT, ["c1"], behaviour, run_id="run-1", now=NOW) == 0 or deleted


def test_del_8_the_brake_asks_once_and_acts_upon_the_answer_once(market: Market) -> None:
    question = {"rows_affected": 30, "rows_before": 100, "limit_share": 0.1, "run_id": "run-1", "now": NOW}
    assert market.brakes.ask("acme", "contact", **question) is Answer.WAIT
    assert market.brakes.ask("acme", "contact", **question) is Answer.WAIT
    [open_] = market.brakes.open("acme")
    assert (open_.rows_affected, open_.rows_before, open_.answer) == (30, 100, Answer.WAIT)
    assert market.brakes.answer(open_.brake_id, Answer.ALLOW, who="ann", now=NOW)
    assert market.brakes.ask("acme", "contact", **question) is Answer.ALLOW
    market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=NOW)
    assert market.brakes.open("acme") == ()
    assert market.brakes.ask("acme", "contact", **question) is Answer.WAIT, "an answer is used once"


def test_del_8_what_has_grown_since_the_answer_is_asked_about_again(market: Market) -> None:
    question = {"rows_before": 100, "limit_share": 0.1, "run_id": "run-1", "now": NOW}
    market.brakes.ask("acme", "contact", rows_affected=30, **question)
    market.brakes.answer(market.brakes.open()[0].brake_id, Answer.ALLOW, who="ann", now=NOW)
    assert market.brakes.ask("acme", "contact", rows_affected=31, **question) is Answer.WAIT
    assert market.brakes.ask("acme", "contact", rows_affected=31, **question) is Answer.WAIT
    assert market.brakes.open()[0].rows_affected == 31


def test_del_8_refused_removals_are_dropped_and_the_records_stay(market: Market) -> None:
    put(market, "contacts", person(1))
    put_links(market, link("c1", 1))
    note(market, Removal("c1", GONE))
    assert market.removals.drop("acme", Kind.CONTACT, now=NOW) == 1
    assert market.removals.waiting("acme", Kind.CONTACT) == 0 and living(market) == {"c1"}


def test_del_8_the_brake_is_told_how_many_rows_would_go_and_counts_no_further_than_it_must(market: Market) -> None:
    put(market, "contacts", *(person(n) for n in range(1, 41)))
    put_links(market, *(link(f"c{n}", n) for n in range(1, 41)))
    note(market, *(Removal(f"c{n}", GONE) for n in range(1, 6)))
    measured = market.removals.measure("acme", Kind.CONTACT, most=25)
    assert (measured.rows, measured.of) == (5, 25)


@pytest.mark.parametrize("crm", ["acme", "hub"])
def test_match_8_match_4_a_lead_that_is_merged_leaves_its_row_to_the_contact_that_holds_it(market: Market, crm: str) -> None:
    """A contact of this CRM or of another. Lead and contact were one row by their address (MATCH-6). The contact was not merged: its
    row is nobody's to absorb, least of all another contact's; the opt-out goes on (CONSENT-10), also to the CRM (CONSENT-8)."""
    put(market, "contacts", *(person(number, crm_type="Contact", opt_out=number == 1) for number in (1, 2)), person(3, crm_type="Lead"))
    put_links(market, link("c1", 1, connector=crm), link("c2", 2, connector=crm))
    put_links(market, *(link(f"l{number}", number, kind="lead") for number in (1, 2, 3)))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme", "hub"])
    note(market, Removal("l1", GONE, merged_into="l2"), Removal("l2", GONE, merged_into="l3"), kind=Kind.LEAD)
    assert market.removals.apply("acme", Kind.LEAD, run_id="run-1", now=NOW) == Removed(kept=2)
    assert ask(market, "SELECT crm_id, market_id, living, alias_of FROM crm_links ORDER BY crm_id") == [
        ("c1", 1, True, None),
        ("c2", 2, True, None),
        ("l1", 1, False, "l2"),
        ("l2", 2, False, "l3"),
        ("l3", 3, True, None),
    ]
    assert [state(market, number) for number in (1, 2, 3)] == [(False, False)] * 3
    assert ask(market, "SELECT opt_out FROM contacts ORDER BY contact_id") == [(True,), (True,), (True,)]
    told = ask(market, "SELECT crm_kind, crm_id FROM outbox WHERE state = 'pending' ORDER BY crm_id")
    assert set(told) >= {("contact", "c1"), ("contact", "c2"), ("lead", "l3")}


def test_match_8_match_4_a_lead_that_is_merged_leaves_its_row_to_another_lead_that_shares_it(market: Market) -> None:
    """Both had become one contact, which is gone. The other was not merged: it keeps the row, and what the first said goes on."""
    put(market, "contacts", person(1, crm_type="Lead", crm_id="l1", opt_out=True), person(2, crm_type="Lead", crm_id="l2"))
    put_links(market, link("l1", 1, kind="lead"), link("other", 1, kind="lead"), link("l2", 2, kind="lead"))
    note(market, Removal("l1", GONE, merged_into="l2"), kind=Kind.LEAD)
    done = market.removals.apply("acme", Kind.LEAD, run_id="run-1", now=NOW)
    assert done == Removed(kept=1, heirs=((Kind.LEAD, "other"),)), "the row goes on in the other's name, whose values are read again"
    assert ask(market, "SELECT crm_id, market_id, living, alias_of FROM crm_links ORDER BY crm_id") == [
        ("l1", 1, False, "l2"),
        ("l2", 2, True, None),
        ("other", 1, True, None),
    ]
    assert [state(market, number) for number in (1, 2)] == [(False, False)] * 2
    assert ask(market, "SELECT opt_out FROM contacts ORDER BY contact_id") == [(True,), (True,)]


@pytest.mark.parametrize("other", ["merged", "deleted", "left the filter", "had left it before"])
def test_match_8_a_lead_that_is_merged_takes_its_row_along_if_the_lead_that_shares_it_leaves_as_well(market: Market, other: str) -> None:
    """At once, or one run after the other: what hangs on the row is the winner's, and not on a row that is deleted then."""
    put(market, "contacts", person(1, crm_type="Lead", crm_id="l1"), person(2, crm_type="Lead", crm_id="l2"))
    put_links(market, link("l1", 1, kind="lead"), link("l2", 2, kind="lead"))
    put_links(market, link("other", 1, kind="lead", left_scope=other == "had left it before"))
    note(market, Removal("l1", GONE, merged_into="l2"), kind=Kind.LEAD)
    if other in ("merged", "deleted"):
        note(market, Removal("other", GONE, merged_into="l2" if other == "merged" else None), kind=Kind.LEAD)
    if other == "left the filter":
        gone = [Removal("other", GONE)]
        market.removals.note("acme", Kind.LEAD, gone, found_by=FILTER, run_id="run-1", now=NOW)
    assert market.removals.apply("acme", Kind.LEAD, run_id="run-1", now=NOW).merged == 1
    assert [state(market, number) for number in (1, 2)] == [(True, True), (False, False)]


def test_consent_10_records_of_one_row_that_are_merged_into_several_put_each_of_them_out(market: Market) -> None:
    """The row goes to one of the winners, what was said in its name to all."""
    put(market, "contacts", person(1, crm_type="Lead", crm_id="l1", opt_out=True), *(person(n, crm_type="Lead") for n in (2, 3)))
    put_links(market, link("l1", 1, kind="lead"), link("other", 1, kind="lead"), link("l2", 2, kind="lead"), link("l3", 3, kind="lead"))
    note(market, Removal("l1", GONE, merged_into="l2"), Removal("other", GONE, merged_into="l3"), kind=Kind.LEAD)
    assert market.removals.apply("acme", Kind.LEAD, run_id="run-1", now=NOW).merged == 1
    assert ask(market, "SELECT opt_out FROM contacts ORDER BY contact_id") == [(True,), (True,), (True,)]
    assert dict(ask(market, "SELECT crm_id, alias_of FROM crm_links WHERE NOT living")) == {"l1": "l2", "other": "l3"}
