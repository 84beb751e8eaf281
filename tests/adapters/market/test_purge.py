"""Everything of one connector goes."""

from __future__ import annotations

from typing import Any

from adapters.market.columns import CatalogueEntry
from adapters.market.engine import Market
from adapters.market.purge import PurgeCounts
from adapters.market.queueing import Queued, queue
from sync.fields import TEXT
from sync.records import Cursor, Kind
from tests.adapters.market.building import AT, NOW, ask, commit, execute, link, person, put, put_links
from tests.rows import MemoryRows


def purge(market: Market, connector: str = "acme") -> PurgeCounts:
    return market.purge(connector, who="operator", now=NOW)


def keys(market: Market, table: str) -> list[Any]:
    key = {"users": "user_id", "accounts": "account_id", "contacts": "contact_id", "opportunities": "opportunity_id"}[table]
    return [row[0] for row in ask(market, f"SELECT {key} FROM {table} ORDER BY 1")]


def test_rows_that_the_connector_made_go_and_adopted_ones_stay(market: Market) -> None:
    """INIT-10: rows that were in Market before lose the link and stay."""
    put(market, "contacts", person(1), person(2, connector=None, crm_id=None), person(3), person(4))
    put_links(market, link("c1", 1), link("c2", 2, origin=False), link("c3", 3), link("x3", 3, connector="other", origin=False))
    counts = purge(market)
    assert (counts.removed["contacts"], counts.kept["contacts"]) == (1, 2)
    assert keys(market, "contacts") == [2, 3, 4]
    assert ask(market, "SELECT connector, crm_id FROM crm_links") == [("other", "x3")]
    assert ask(market, "SELECT connector, crm_id FROM contacts WHERE contact_id = 3") == [(None, None)]


def test_every_kind_and_every_book_of_the_connector_goes(market: Market) -> None:
    """INIT-10: every account, person and opportunity, with links, cursors, catalogue, parcels; another connector keeps all."""
    for place, connector in enumerate(("acme", "other"), start=2):
        put(market, "users", {"user_id": place, "connector": connector, "crm_id": "u"})
        put(market, "accounts", {"account_id": place, "connector": connector, "crm_id": "a", "owner_id": place})
        put(market, "contacts", person(place, connector=connector, account_id=place, owner_id=place))
        put(market, "opportunities", {"opportunity_id": place, "connector": connector, "account_id": place, "contact_id": place})
        for kind in ("user", "account", "lead", "opportunity"):
            put_links(market, link("k", place, kind=kind, connector=connector))
        with commit(market, Kind.LEAD, connector) as tx:
            tx.move_cursor(Cursor(connector, Kind.LEAD, NOW))
            tx.hold(MemoryRows(("crm_id", "rule", "reason", "row"), [("c9", "email", "why", "{}")]))
        market.columns.add([CatalogueEntry(connector, Kind.LEAD, "f", "varchar", "contacts", "f", TEXT)], NOW)
    purge(market)
    assert {table: keys(market, table) for table in ("users", "accounts", "contacts", "opportunities")} == {
        "users": [3],
        "accounts": [1, 3],
        "contacts": [3],
        "opportunities": [3],
    }
    for book in ("crm_links", "cursors", "field_catalogue", "quarantine", "parcels"):
        assert {row[0] for row in ask(market, f"SELECT connector FROM {book}")} == {"other"} or book == "parcels", book
    assert ask(market, "SELECT count(*) FROM parcels WHERE connector = 'acme' AND kind = 'lead'") == [(0,)]


def test_rows_that_stay_no_longer_name_rows_that_went(market: Market) -> None:
    """INIT-10, PULL-6: a person whose account is purged belongs to "No Company"."""
    put(market, "accounts", {"account_id": 2, "connector": "acme", "crm_id": "a2"})
    put(market, "users", {"user_id": 1, "connector": "acme", "crm_id": "u1"})
    put(market, "contacts", person(1, connector="other", account_id=2, owner_id=1))
    put_links(market, link("a2", 2, kind="account"), link("u1", 1, kind="user"), link("c1", 1, connector="other"))
    purge(market)
    assert ask(market, "SELECT account_id, owner_id FROM contacts") == [(1, None)]


def test_opted_out_people_stay_unmailable_when_they_come_back(market: Market) -> None:
    """CONSENT-10, INIT-10: purge and re-import make nobody mailable; every address of theirs is guarded."""
    more = '[{"email_address": "Second@Example.com", "primary_address": false}, {"email_address": "out@example.com"}]'
    put(market, "contacts", person(1, email="Out@example.com", opt_out=True, email_addresses=more), person(2, email_addresses="{broken"))
    put_links(market, link("c1", 1), link("c2", 2))
    assert purge(market).guarded == 2
    put(
        market,
        "contacts",
        person(8, email="out@example.com"),
        person(9, email="second@example.com"),
        person(10, email="person2@example.com"),
    )
    assert [market.consent.may_be_mailed(f"{name}@example.com") for name in ("out", "second", "person2")] == [False, False, True]
    watched = market.consent.watched("OUT@example.com")[0]
    assert (watched.who, watched.added_at) == ("operator", NOW)
    assert "INIT-10" in watched.reason


def test_history_stays(market: Market) -> None:
    """INIT-10: the ledger, the guarded watch, and opt-outs that the CRM was to be told."""
    put(market, "contacts", person(1, opt_out=True))
    put_links(market, link("c1", 1))
    columns = ("connector", "kind", "contact_id", "crm_kind", "crm_id", "value", "created_at")
    ledger = ("contact_id", "email_key", "at", "who", "source", "old", "new", "why")
    with commit(market) as tx:
        tx.append("outbox", MemoryRows(columns, [("acme", "opt-out", 1, "contact", "c1", "{}", AT)]))
        tx.append("consent_ledger", MemoryRows(ledger, [(1, "person1@example.com", AT, "acme", "crm", None, True, "CONSENT-3")]))
    purge(market)
    assert len(market.consent.ledger(contact_id=1)) == 1
    assert ask(market, "SELECT count(*) FROM outbox") == [(1,)]


def test_merged_away_rows_go_as_well(market: Market) -> None:
    """INIT-10: a loser of a merge has no link any more, but it came from this connector."""
    put(market, "contacts", person(1), person(2))
    put_links(market, link("c1", 1), link("c2", 2))
    with commit(market) as tx:
        tx.merge_people(MemoryRows(("loser_id", "winner_id"), [(1, 2)]))
    purge(market)
    assert keys(market, "contacts") == []


def test_purge_of_a_connector_that_brought_nothing_removes_nothing(market: Market) -> None:
    put(market, "contacts", person(1))
    put_links(market, link("c1", 1))
    counts = purge(market, "nobody")
    assert set(counts.removed.values()) == {0}
    assert keys(market, "contacts") == [1]


def test_what_waits_for_the_connector_goes_and_what_it_acknowledged_stays(market: Market) -> None:
    """INIT-10: no row waits for ever for people who are gone; activity stays, and a later push of it makes nothing twice (PUSH-3)."""
    put(market, "contacts", person(1), person(2, connector=None, crm_id=None))
    put_links(market, link("c1", 1), link("c2", 2, origin=False))
    execute(market, f"INSERT INTO web_visits (visit_id, event_id, contact_id, started_at) VALUES (1, 'v', 1, '{AT}')")
    kinds = (Kind.VISIT, Kind.SCORE, Kind.NEW_LEAD)
    with market.database.writing() as connection:
        queue(connection, [Queued(name, kind, who, 1) for name in ("acme", "other") for kind in kinds for who in (1, 2)], NOW)
    execute(market, "UPDATE outbox SET state = 'acknowledged' WHERE kind <> 'web visit'")
    purge(market)
    left = ask(market, "SELECT connector, kind, contact_id FROM outbox ORDER BY 1, 2, 3")
    others = [("other", kind, who) for kind in ("new lead", "score") for who in (1, 2)]
    assert left == [("acme", "score", 1), ("acme", "score", 2), *others, ("other", "web visit", 2)]
    assert ask(market, "SELECT count(*) FROM web_visits") == [(1,)]
