"""MATCH-8: what the loser of a merge did, and what waits of theirs, is the winner's."""

from __future__ import annotations

import json
from typing import Any

from adapters.market.engine import Market
from adapters.market.queueing import Queued
from sync.push import Outcome, Receipt
from sync.records import Kind
from tests.adapters.market.building import AT, NOW, ask, commit, execute, link, person, put, put_links, say
from tests.adapters.market.test_outbox import collect, enqueue, settle
from tests.rows import MemoryRows

LOSER, WINNER = 1, 2


def two(market: Market) -> None:
    put(market, "contacts", person(LOSER), person(WINNER))
    put_links(market, link("c1", LOSER), link("c2", WINNER))


def merge(market: Market) -> None:
    with commit(market) as tx:
        tx.merge_people(MemoryRows(("loser_id", "winner_id"), [(LOSER, WINNER)]))


def rows(market: Market, columns: str) -> list[tuple[Any, ...]]:
    return ask(market, f"SELECT {columns} FROM outbox ORDER BY kind, subject_id")


def test_match_8_everything_that_the_loser_did_is_the_winners(market: Market) -> None:
    two(market)
    for who in (LOSER, WINNER):
        for profile in (1, 2) if who == LOSER else (2,):
            say(market, "scores", contact_id=who, profile_id=profile, score=10 * who + profile, scored_at=AT)
        mail = {"event_id": f"e{who}", "campaign_id": 1, "contact_id": who}
        say(market, "email_sends", **mail, address="a", sent_at=AT)
        say(market, "email_events", **mail, what="open", at=AT)
        say(market, "web_visits", event_id=f"v{who}", contact_id=who, started_at=AT)
        say(market, "completions", event_id=f"c{who}", page_id=1, contact_id=who, completed_at=AT)
        say(market, "registrations", event_id=f"r{who}", marketing_event_id=1, contact_id=who)
        say(market, "tasks", event_id=f"t{who}", contact_id=who, subject="x", created_at=AT)
        say(market, "score_changes", event_id=f"s{who}", contact_id=who, profile_id=1, new=1, at=AT)
    merge(market)
    for table in ("email_sends", "email_events", "web_visits", "completions", "registrations", "tasks", "score_changes"):
        assert ask(market, f"SELECT contact_id, count(*) FROM {table} GROUP BY contact_id") == [(WINNER, 2)], table
    found = ask(market, "SELECT contact_id, profile_id, score FROM scores ORDER BY profile_id")
    assert [(who, profile, int(score)) for who, profile, score in found] == [(WINNER, 1, 11), (WINNER, 2, 22)]


def test_match_8_what_waits_of_the_loser_goes_out_as_the_winners(market: Market) -> None:
    """PUSH-3: with the key and the CRM's record that it had."""
    put(market, "contacts", person(LOSER), person(WINNER))
    put_links(market, link("c2", WINNER))
    enqueue(market, Queued("acme", Kind.VISIT, LOSER, 5), Queued("acme", Kind.SENT, LOSER, 6))
    assert market.outbox.waiting("acme", [Kind.VISIT, Kind.SENT], NOW) == {}
    execute(market, "UPDATE outbox SET state = 'acknowledged', remote_id = 'r', waits_for = NULL WHERE kind = 'sent email'")
    before = rows(market, "outbox_id, push_key, remote_id")
    merge(market)
    assert rows(market, "outbox_id, push_key, remote_id") == before
    assert rows(market, "contact_id, waits_for") == [(WINNER, None)] * 2
    assert [row.targets[0].crm_id for row in collect(market, Kind.VISIT)] == ["c2"]
    enqueue(market, Queued("acme", Kind.SENT, WINNER, 6))
    assert rows(market, "version, remote_id")[0] == (2, "r")


def test_match_8_record_updates_of_both_are_one_and_the_winners_values_win(market: Market) -> None:
    """PUSH-2: whatever state they are in, what the CRM has not taken stays."""
    two(market)
    loser = Queued("acme", Kind.UPDATE, LOSER, value='{"title": "a", "phone": "1"}')
    enqueue(market, loser, Queued("acme", Kind.UPDATE, WINNER, value='{"title": "b", "company": null}'))
    merge(market)
    [(who, value, state)] = rows(market, "contact_id, value, state")
    assert (who, json.loads(value), state) == (WINNER, {"title": "b", "phone": "1", "company": None}, "pending")


def test_match_8_a_record_update_that_the_crm_has_is_no_longer_the_winners_word(market: Market) -> None:
    two(market)
    enqueue(market, Queued("acme", Kind.UPDATE, WINNER, value='{"title": "b"}'))
    execute(market, "UPDATE outbox SET state = 'acknowledged'")
    enqueue(market, Queued("acme", Kind.UPDATE, LOSER, value='{"phone": "1"}'))
    merge(market)
    assert rows(market, "contact_id, value, state, version") == [(WINNER, '{"phone": "1"}', "pending", 2)]


def test_match_8_the_winners_score_goes_out_again_when_the_losers_had_not_arrived(market: Market) -> None:
    two(market)
    enqueue(market, *(Queued("acme", Kind.SCORE, who, profile) for who in (LOSER, WINNER) for profile in (1, 2)))
    execute(market, f"UPDATE outbox SET state = 'acknowledged' WHERE contact_id = {WINNER} OR subject_id = 2")
    merge(market)
    assert rows(market, "contact_id, subject_id, state") == [(WINNER, 1, "pending"), (WINNER, 2, "acknowledged")]


def test_match_8_of_two_new_leads_one_is_created(market: Market) -> None:
    """PUSH-3: where the loser was at the CRM this moment, that record is looked for; its late receipt changes nothing."""
    put(market, "contacts", person(LOSER), person(WINNER))
    enqueue(market, Queued("acme", Kind.NEW_LEAD, LOSER), Queued("acme", Kind.NEW_LEAD, WINNER))
    [key] = [row.push_key for row in collect(market, Kind.NEW_LEAD, limit=1)]
    market.outbox.mark_sending([1], NOW)
    merge(market)
    [row] = collect(market, Kind.NEW_LEAD)
    assert (row.outbox_id, row.push_key, row.repeated) == (2, key, True)
    late = Receipt(1, 1, Outcome.ACCEPTED, "l1")
    assert settle(market, Kind.NEW_LEAD, late).accepted == 0
    assert rows(market, "contact_id, state") == [(WINNER, "sending")]
