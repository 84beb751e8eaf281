"""Two rows turn out to be one person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from adapters.market.engine import Market
from sync.records import Kind
from tests.adapters.market.building import AT, NOW, ask, commit, execute, link, person, put, put_links
from tests.rows import MemoryRows


def merge(market: Market, *pairs: tuple[int, int]) -> int:
    with commit(market) as tx:
        return tx.merge_people(MemoryRows(("loser_id", "winner_id"), pairs))


def test_links_and_activity_move_to_the_winner(market: Market) -> None:
    """MATCH-7, MATCH-8: the loser's records and activity move to the winner; the loser is deleted and says where it went."""
    put(market, "contacts", person(1), person(2))
    put(market, "opportunities", {"opportunity_id": 1, "contact_id": 1, "account_id": 1})
    put_links(market, link("l1", 1, kind="lead"), link("c2", 2), link("a1", 1, kind="account"))
    columns = ("connector", "kind", "contact_id", "crm_kind", "crm_id", "value", "created_at")
    with commit(market) as tx:
        tx.append("outbox", MemoryRows(columns, [("acme", "opt-out", 1, "lead", "l1", "{}", AT)]))
    assert merge(market, (1, 2)) == 1
    assert ask(market, "SELECT crm_id, market_id, origin FROM crm_links ORDER BY crm_id") == [
        ("a1", 1, True),
        ("c2", 2, True),
        ("l1", 2, False),
    ]
    assert ask(market, "SELECT contact_id FROM opportunities") == [(2,)]
    assert ask(market, "SELECT contact_id FROM outbox") == [(2,)]
    assert ask(market, "SELECT contact_id, merged_into, deleted_date IS NULL FROM contacts ORDER BY contact_id") == [
        (1, 2, False),
        (2, None, True),
    ]


def test_winner_is_out_when_the_loser_was(market: Market) -> None:
    """CONSENT-10: no merge turns an opted-out person mailable; the ledger tells why."""
    put(market, "contacts", person(1, opt_out=True, opt_out_date=AT), person(2, opt_out=False, opt_out_date=None))
    merge(market, (1, 2))
    assert ask(market, "SELECT opt_out FROM contacts WHERE contact_id = 2") == [(True,)]
    (entry,) = market.consent.ledger(contact_id=2)
    assert (entry.old, entry.new, entry.source, entry.at, entry.who) == (False, True, "merge", NOW, "sync")
    assert not market.consent.may_be_mailed("person2@example.com")


def test_winner_who_was_out_stays_out_without_a_new_entry(market: Market) -> None:
    """CONSENT-10: the winner's own word stands, with its own date."""
    put(market, "contacts", person(1, opt_out=True, opt_out_date="2026-02-05 00:00:00.000000"), person(2, opt_out=True, opt_out_date=AT))
    put(market, "contacts", person(3), person(4))
    assert merge(market, (1, 2), (3, 4)) == 2
    assert market.consent.ledger() == ()
    with market.database.reading() as connection:
        from adapters.market.schema import contacts

        rows = connection.execute(contacts.select().order_by(contacts.c.contact_id)).mappings().all()
    assert [(row["opt_out"], row["opt_out_date"]) for row in rows][1] == (True, datetime(2026, 2, 1, 8, tzinfo=UTC))
    assert [row["opt_out"] for row in rows[2:]] == [False, False]


def test_chain_of_merges_ends_at_the_last_winner(market: Market) -> None:
    """MATCH-8: whatever the order and the batches in which merges are read."""
    put(market, "contacts", *(person(key, opt_out=key == 1) for key in range(1, 6)))
    put_links(market, *(link(f"c{key}", key) for key in range(1, 6)))
    assert merge(market, (1, 2), (2, 3)) == 2
    assert merge(market, (3, 4)) == 1
    assert merge(market, (1, 2), (5, 2)) == 1
    assert ask(market, "SELECT market_id, count(*) FROM crm_links GROUP BY market_id") == [(4, 5)]
    assert ask(market, "SELECT merged_into FROM contacts ORDER BY contact_id") == [(4,), (4,), (4,), (None,), (4,)]
    assert ask(market, "SELECT opt_out FROM contacts WHERE contact_id = 4") == [(True,)]


def test_circle_of_merges_ends_and_keeps_somebody(market: Market) -> None:
    """MATCH-8: a CRM that contradicts itself deletes nobody for good."""
    put(market, "contacts", person(1), person(2))
    assert merge(market, (1, 2), (2, 1)) == 1
    assert ask(market, "SELECT contact_id, merged_into FROM contacts ORDER BY contact_id") == [(1, None), (2, 1)]


def test_same_merge_again_changes_nothing(market: Market) -> None:
    put(market, "contacts", person(1, updated_at=AT), person(2, updated_at=AT))
    merge(market, (1, 2))
    stamps = ask(market, "SELECT updated_at FROM contacts")
    assert merge(market, (1, 2)) == 0
    assert ask(market, "SELECT updated_at FROM contacts") == stamps


def test_del_2_who_was_merged_away_and_lives_again_gets_back_what_names_it(market: Market) -> None:
    """MATCH-8: its own row, what the CRM or an opt-out of ours names it by; activity that nobody can tell apart stays."""
    own: dict[str, Any] = {"connector": "acme", "crm_type": "Contact"}
    put(market, "contacts", *(person(number, crm_id=f"c{number}", **own) for number in (1, 2, 3)))
    opportunity = {"account_id": 1, "contact_id": 2, "connector": "acme"}
    put(market, "opportunities", {"opportunity_id": 1, "contact_ref": "c2", **opportunity}, {"opportunity_id": 2, **opportunity})
    put_links(market, link("c1", 1), link("c2", 2, living=False, alias_of="c1"), link("c3", 3, living=False))
    columns = ("connector", "kind", "contact_id", "crm_kind", "crm_id", "value", "created_at")
    with commit(market) as tx:
        tx.append("outbox", MemoryRows(columns, [("acme", "opt-out", 2, "contact", "c2", "{}", AT)]))
    merge(market, (2, 1))

    ids = MemoryRows(("crm_id",), [("c1",), ("c2",), ("c3",)])
    assert dict(_rows_of(market, ids)) == {"c1": 1, "c2": 1, "c3": 3}
    assert dict(_rows_of(market, ids, living=True)) == {"c1": 1, "c2": 2, "c3": 3}
    keys = MemoryRows(("contact_id",), [(2,)])
    assert _pending(market, keys) == [False], "a record that is gone is told nothing"
    execute(market, "UPDATE crm_links SET living = true WHERE crm_id = 'c2'")
    assert _pending(market, keys) == [True], "it waits for the winner"
    with commit(market) as tx:
        assert tx.part_people(MemoryRows(("crm_id", "contact_id"), [("c2", 2)])) == 1
    assert ask(market, "SELECT merged_into FROM contacts ORDER BY contact_id") == [(None,), (None,), (None,)]
    assert ask(market, "SELECT contact_id FROM opportunities ORDER BY opportunity_id") == [(2,), (1,)]
    assert ask(market, "SELECT contact_id FROM outbox") == [(2,)]


def test_del_2_match_8_a_record_that_was_gone_before_stays_with_its_row(market: Market) -> None:
    """MATCH-4: the winner's row may be another record's of its kind when it lives again. An alias goes along, as its winner does."""
    put(market, "contacts", person(1), person(2))
    put_links(market, link("c1", 1, living=False), link("c0", 1, living=False, alias_of="c1"), link("c2", 2))
    put_links(market, link("l1", 1, kind="lead"))
    merge(market, (1, 2))
    assert ask(market, "SELECT crm_id, market_id FROM crm_links ORDER BY crm_id") == [("c0", 2), ("c1", 1), ("c2", 2), ("l1", 2)]


def _pending(market: Market, keys: MemoryRows) -> list[Any]:
    found: list[Any] = market.lookup_people(market_ids=keys, connector="acme")["opt_out_pending"].to_pylist()
    return found


def test_match_8_the_records_of_a_winner_who_is_out_by_a_merge_are_told_where_the_losers_were(market: Market) -> None:
    """CONSENT-8: on every lead and contact with that person's id. A converted lead, or one that says out, needs no telling."""
    put(market, "contacts", person(1, opt_out_date=None), person(2, opt_out_date=None), person(3, opt_out=True, opt_out_date=AT), person(4))
    put_links(market, link("c1", 1), link("c2", 2), link("c3", 3), link("c4", 4))
    put_links(market, link("l2", 2, kind="lead", crm_opt_out=True), link("l1", 1, kind="lead", converted_to="c2"))
    put_links(market, link("o2", 2, connector="other"))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    execute(market, "UPDATE outbox SET state = 'acknowledged'")
    execute(market, "UPDATE crm_links SET living = false WHERE crm_id = 'c1'")
    merge(market, (1, 2), (3, 4))
    waits = "SELECT connector, contact_id, crm_kind, crm_id FROM outbox WHERE state = 'pending'"
    assert ask(market, waits) == [("acme", 2, "contact", "c2")]


def _rows_of(market: Market, ids: MemoryRows, *, living: bool = False) -> list[tuple[str, int]]:
    found = market.lookup_links("acme", Kind.CONTACT, ids, living=living)
    return list(zip(found["crm_id"].to_pylist(), found["market_id"].to_pylist(), strict=True))
