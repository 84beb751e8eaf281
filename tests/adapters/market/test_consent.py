"""Who may be mailed."""

from __future__ import annotations

import pytest

from adapters.market.engine import Market
from adapters.market.unsubscribing import Unsubscribed
from adapters.market.watch import LedgerEntry, Watched
from sync.errors import ConfigError
from tests.adapters.market.building import AT, NOW, ask, commit, execute, link, person, put, put_links
from tests.rows import MemoryRows


def watched(address: str, campaign: str = "spring") -> Watched:
    return Watched(address, campaign, NOW, "unsubscribed", "landing page")


def test_nobody_on_the_guarded_watch_is_mailed_whatever_opt_out_says(market: Market) -> None:
    """CONSENT-7: "may this person be mailed" is false while their address is on it."""
    put(market, "contacts", person(1, email="Ann@Example.com"))
    assert market.consent.may_be_mailed(" ann@EXAMPLE.com")
    assert market.consent.watch([watched(" ANN@example.com "), watched("ann@example.com"), watched("ann@example.com", "summer")]) == 2
    assert not market.consent.may_be_mailed("ann@example.com")
    assert market.consent.watch([watched("ann@example.com")]) == 0


def test_address_leaves_the_watch_by_an_operator_with_a_reason_in_the_ledger(market: Market) -> None:
    """CONSENT-7: taking an address off it is an operator's act with a reason."""
    put(market, "contacts", person(1, email="ann@example.com"))
    market.consent.watch([watched("ann@example.com")])
    with pytest.raises(ConfigError):
        market.consent.unwatch("ann@example.com", who="olga", why="  ", now=NOW)
    assert not market.consent.may_be_mailed("ann@example.com")
    assert market.consent.unwatch("Ann@example.com", who="olga", why="asked by letter", now=NOW) == 1
    assert market.consent.unwatch("ann@example.com", who="olga", why="asked by letter", now=NOW) == 0
    assert market.consent.may_be_mailed("ann@example.com")
    entries = [(entry.who, entry.old, entry.new, entry.why) for entry in market.consent.ledger(address="ann@example.com")]
    assert entries == [("landing page", False, True, "unsubscribed"), ("olga", True, False, "asked by letter")]


@pytest.mark.parametrize(
    ("people", "may"),
    [
        ([], False),
        ([{}], True),
        ([{"opt_out": True}], False),
        ([{}, {"opt_out": True}], False),
        ([{"deleted_date": AT}], False),
        ([{}, {"opt_out": True, "deleted_date": AT}], False),
        ([{}, {"opt_out": True, "deleted_date": AT, "merged_into": 1}], True),
        ([{}, {"deleted_date": AT, "merged_into": 3}, {"email": "other@example.com", "opt_out": True}], False),
        ([{"del_status": 2}], False),
        ([{"del_status": 2}, {"del_status": 1}], True),
    ],
)
def test_mail_needs_a_living_person_and_nobody_who_opted_out(market: Market, people: list[dict[str, object]], may: bool) -> None:
    """CONSENT-10, DEL-1: deleting somebody who opted out frees their address for nobody."""
    for place, values in enumerate(people, start=1):
        put(market, "contacts", person(place, **({"email": "ann@example.com"} | values)))
    assert market.consent.may_be_mailed("ann@example.com") is may


def test_ledger_keeps_entries_in_order(market: Market) -> None:
    """CONSENT: who, when, source, old, new, why."""
    entries = [LedgerEntry(1, "ann@example.com", NOW, "olga", "market", bool(n % 2), not n % 2, f"change {n}") for n in range(3)]
    market.consent.record(entries)
    assert market.consent.ledger(contact_id=1) == tuple(entries)
    assert market.consent.ledger(contact_id=2) == ()


def test_consent_7_addresses_are_folded_as_the_staging_engine_folds_them(market: Market) -> None:
    """ADDR-2: blanks of all kinds, case, and letters whose case depends on their neighbours."""
    put(market, "contacts", person(1, email="ΑΣ@x.test", email_key="ασ@x.test"))
    assert market.consent.watch([watched("\u200b ΑΣ@X.TEST\u00a0")]) == 1
    assert not market.consent.may_be_mailed("ασ@x.test")
    assert market.consent.unwatch("\ufeffΑΣ@x.test", who="olga", why="asked", now=NOW) == 1


def test_match_8_a_person_who_was_merged_away_is_judged_by_the_winner(market: Market) -> None:
    """CONSENT-10: and so is the address that they had."""
    put(market, "contacts", person(1), person(2, opt_out=True), person(3, email="person1@example.com"))
    with commit(market) as tx:
        tx.merge_people(MemoryRows(("loser_id", "winner_id"), [(1, 2)]))
    assert [(j.contact_id, j.stands_for_it, j.decision.why) for j in market.consent.judge([1, 2, 3])] == [
        (1, 2, "opted out"),
        (2, 2, "opted out"),
        (3, 3, "somebody with the same address has opted out"),
    ]
    execute(market, "UPDATE contacts SET opt_out = false WHERE contact_id = 2")
    assert [j.decision.may for j in market.consent.judge([1, 2, 3])] == [True, True, True]


def test_consent_8_an_unsubscribe_here_puts_out_guards_and_queues_for_every_record_of_the_person(market: Market) -> None:
    put(market, "contacts", person(1, email="Ann@x.test", opt_out_date=None), person(2))
    put_links(market, link("l1", 1, kind="lead"), link("c1", 1), link("c2", 2), link("o1", 1, connector="other"))
    put_links(market, link("c9", 1, living=False))
    first = market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    assert first == Unsubscribed((1,), 1, 2)
    assert ask(market, "SELECT crm_kind, crm_id, contact_id, state, kind FROM outbox ORDER BY crm_kind") == [
        ("contact", "c1", 1, "pending", "opt-out"),
        ("lead", "l1", 1, "pending", "opt-out"),
    ]
    assert ask(market, "SELECT opt_out, opt_out_date IS NOT NULL FROM contacts ORDER BY contact_id") == [(True, True), (False, False)]
    assert [(e.contact_id, e.email_key, e.old, e.new, e.source, e.who) for e in market.consent.ledger()] == [
        (1, "ann@x.test", False, True, "market", "ann"),
        (None, "ann@x.test", False, True, "guarded watch", "ann"),
    ]
    assert not market.consent.may_be_mailed("ann@x.test")
    again = market.consent.unsubscribe(" ANN@x.test", who="ann", why="clicked", now=NOW, push=["acme"])
    assert again == Unsubscribed((1,), 0, 0)
    assert market.consent.violations() == ()


def test_consent_8_the_push_of_a_converted_lead_goes_to_its_contact(market: Market) -> None:
    """PUSH-7"""
    put(market, "contacts", person(1))
    put_links(market, link("l1", 1, kind="lead", converted_to="c1"), link("c1", 1))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    assert ask(market, "SELECT crm_kind, crm_id FROM outbox") == [("contact", "c1")]


def test_consent_8_an_address_that_nobody_has_is_guarded(market: Market) -> None:
    assert market.consent.unsubscribe("new@x.test", who="n", why="wrote a letter", now=NOW) == Unsubscribed((), 1, 0)
    put(market, "contacts", person(1, email="new@x.test"))
    assert not market.consent.may_be_mailed("new@x.test")


@pytest.mark.parametrize(("target", "who", "why"), [(7, "a", "b"), ("  ", "a", "b"), ("a@x.test", " ", "b"), ("a@x.test", "a", "")])
def test_consent_8_an_unsubscribe_of_nobody_or_without_a_reason_is_refused(market: Market, target: int | str, who: str, why: str) -> None:
    with pytest.raises(ConfigError):
        market.consent.unsubscribe(target, who=who, why=why, now=NOW)
    assert market.consent.ledger() == market.consent.watched() == ()


def test_consent_4_an_acknowledged_opt_out_is_what_the_record_last_said(market: Market) -> None:
    put(market, "contacts", person(1))
    put_links(market, link("c1", 1, crm_opt_out=False))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    [(number,)] = ask(market, "SELECT outbox_id FROM outbox")
    assert market.consent.acknowledge([number], at=NOW) == 1
    assert market.consent.acknowledge([number], at=NOW) == 0
    assert ask(market, "SELECT crm_opt_out FROM crm_links") == [(True,)]
    assert ask(market, "SELECT state, acknowledged_at IS NOT NULL FROM outbox") == [("acknowledged", True)]


BROKEN = [
    "UPDATE contacts SET opt_out = false WHERE contact_id = 1",
    "DELETE FROM guarded_watch",
    "UPDATE contacts SET merged_into = NULL, deleted_date = NULL, opt_out = false",
]


@pytest.mark.parametrize("damage", BROKEN)
def test_consent_10_the_query_finds_whoever_may_be_mailed_against_their_word(market: Market, damage: str) -> None:
    put(market, "contacts", person(1, opt_out=False, opt_out_date=None), person(2), person(3, email="watched@x.test"), person(4))
    market.consent.watch([watched("watched@x.test")])
    market.consent.record([LedgerEntry(1, "person1@example.com", NOW, "sync", "acme contact", False, True, "CONSENT-3")])
    execute(market, "UPDATE contacts SET opt_out = true WHERE contact_id = 1")
    with commit(market) as tx:
        tx.merge_people(MemoryRows(("loser_id", "winner_id"), [(4, 1)]))
    assert market.consent.violations() == ()
    execute(market, damage)
    assert {each.contact_id for each in market.consent.violations()} == ({3} if "watch" in damage else {1})


def test_consent_10_an_address_under_which_somebody_said_out_is_free_after_a_release_only(market: Market) -> None:
    put(market, "contacts", person(1, email="new@x.test", opt_out=True), person(2, email="old@x.test"))
    market.consent.record([LedgerEntry(1, "old@x.test", NOW, "sync", "acme contact", False, True, "CONSENT-3")])
    assert [each.contact_id for each in market.consent.violations()] == [2]
    market.consent.watch([watched("old@x.test")])
    assert market.consent.violations() == ()
    market.consent.unwatch("old@x.test", who="olga", why="it is another person's now", now=NOW)
    assert market.consent.may_be_mailed("old@x.test") and market.consent.violations() == ()


def test_consent_10_a_resubscription_takes_back_what_the_person_said_before_it_and_not_what_they_say_later(market: Market) -> None:
    """Out under one address, in again under another, out under a third: the first one is free, the third is not."""
    people = [person(1, email="third@x.test", opt_out=True), person(2, email="first@x.test"), person(3, email="second@x.test")]
    put(market, "contacts", *people)
    said = (("first@x.test", False, True), ("second@x.test", True, False), ("third@x.test", False, True))
    market.consent.record([LedgerEntry(1, address, NOW, "sync", "acme contact", old, new, "CONSENT-3") for address, old, new in said])
    assert market.consent.violations() == ()
    put(market, "contacts", person(4, email="third@x.test", opt_out=False))
    execute(market, "UPDATE contacts SET email_key = 'fourth@x.test' WHERE contact_id = 1")
    assert [each.contact_id for each in market.consent.violations()] == [4]


def test_match_8_of_two_losers_who_were_out_the_ledger_says_once_that_the_winner_is(market: Market) -> None:
    """CONSENT-10"""
    put(market, "contacts", person(1, opt_out=True), person(2, opt_out=True), person(3))
    with commit(market) as tx:
        tx.merge_people(MemoryRows(("loser_id", "winner_id"), [(1, 3), (2, 3)]))
    assert [(entry.old, entry.new) for entry in market.consent.ledger(contact_id=3)] == [(False, True)]
