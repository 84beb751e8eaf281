"""One parcel, one transaction."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.market.engine import Market
from adapters.market.schema import contacts, opportunities
from sync.records import CommitCounts, Cursor, Kind
from tests.adapters.market.building import AT, NOW, ask, commit, link, parcel, person, put, put_links, records
from tests.rows import MemoryRows


class Damaged(MemoryRows):
    """Rows whose source breaks after the first batch."""

    def tuples(self, batch_rows: int = 5_000) -> Iterator[list[tuple[Any, ...]]]:
        yield from super().tuples(batch_rows)
        raise ConnectionAbortedError("the parcel can't be read further")

    def csv(self) -> Generator[bytes]:
        yield from super().csv()
        raise ConnectionAbortedError("the parcel can't be read further")


def test_cursor_moves_with_the_rows_or_not_at_all(market: Market) -> None:
    """PULL-2: the cursor advances only inside the transaction that commits the rows."""
    first = Cursor("acme", Kind.CONTACT, datetime(2026, 1, 1, tzinfo=UTC))
    later = Cursor("acme", Kind.CONTACT, datetime(2026, 2, 1, 10, 30, 0, 123456, tzinfo=UTC))
    with commit(market) as tx:
        tx.move_cursor(first)
    with pytest.raises(ConnectionAbortedError), commit(market) as tx:
        tx.move_cursor(later)
        tx.insert("contacts", Damaged(("contact_id", "account_id"), [(1, 1)]))
    assert market.cursors.read("acme", Kind.CONTACT) == first
    assert ask(market, "SELECT contact_id FROM contacts") == []
    with commit(market) as tx:
        tx.move_cursor(later)
    assert market.cursors.read("acme", Kind.CONTACT) == later
    assert market.cursors.read("acme", Kind.LEAD) is None


def test_parcel_is_committed_once(market: Market) -> None:
    """PULL-2: a run that died right after its commit finds the parcel committed and adds nothing."""
    ref = parcel()
    with market.commit(ref, "run-1", NOW) as tx:
        assert not tx.already_committed
        tx.insert("contacts", records([person(tx.allocate("contacts", 1))]))
        tx.finish(CommitCounts(read=1, inserted=1))
    with market.commit(ref, "run-2", NOW) as tx:
        assert tx.already_committed
        with pytest.raises(RuntimeError, match="is committed"):
            tx.insert("contacts", records([person(99)]))
    assert ask(market, "SELECT contact_id FROM contacts") == [(1,)]
    assert market.cursors.is_committed(ref.parcel_id)


@pytest.mark.parametrize("market_url", ["postgresql"], indirect=True)
def test_postgresql_knows_at_once_of_rows_that_make_a_small_table_large(market: Market) -> None:
    """Without that it searches thousands of links one by one, until autovacuum has come by (PULL-1)."""

    def known() -> float:
        return float(ask(market, "SELECT reltuples FROM pg_class WHERE relname = 'crm_links'")[0][0])

    put_links(market, *(link(f"c{key}", key) for key in range(600)))
    assert known() == 600
    put_links(market, *(link(f"d{key}", key) for key in range(8_000)))
    assert known() == 8_600
    put_links(market, *(link(f"e{key}", key) for key in range(600)))
    assert known() == 8_600  # few, as the table is now: autovacuum is early enough


def test_commit_without_its_finish_keeps_nothing(market: Market) -> None:
    """PULL-2: rows without their parcel's mark would be committed a second time."""
    with pytest.raises(RuntimeError, match="not finished"), market.commit(parcel(), "run-1", NOW) as tx:
        tx.insert("contacts", records([person(1)]))
    assert ask(market, "SELECT contact_id FROM contacts") == []


def test_keys_are_never_given_twice(market: Market) -> None:
    def take(_: int) -> range:
        with commit(market, Kind.CONTACT) as tx:
            first = tx.allocate("contacts", 10)
        return range(first, first + 10)

    with ThreadPoolExecutor(4) as pool:
        keys = [key for block in pool.map(take, range(12)) for key in block]
    assert sorted(keys) == list(range(1, 121))


def test_values_come_back_as_they_went_in(market: Market) -> None:
    """Text with every awkward character, the empty string apart from NULL, instants with microseconds, flags."""
    awkward = "a \"quoted\", comma\nnew line\\N \\. 'single' ünïcode 🙂"
    rows = [
        person(1, first_name=awkward, last_name="", company=None, crm_created_at="2026-02-01 08:00:00.123456", converted=True),
        person(2, first_name="\\.", last_name="NULL", company="", crm_created_at=None, converted=None),
    ]
    put(market, "contacts", *rows)
    with market.database.reading() as connection:
        got = connection.execute(contacts.select().order_by(contacts.c.contact_id)).mappings().all()
    assert (got[0]["first_name"], got[0]["last_name"], got[0]["company"]) == (awkward, "", None)
    assert got[0]["crm_created_at"] == datetime(2026, 2, 1, 8, 0, 0, 123456, tzinfo=UTC)
    assert (got[1]["first_name"], got[1]["last_name"], got[1]["company"]) == ("\\.", "NULL", "")
    assert [row["converted"] for row in got] == [True, None]
    assert [(row["del_status"], row["opt_out"]) for row in got] == [(0, False), (0, False)]


DECIMALS = ["0", "12.50", "-0.000001", "99999999999999.9", "12345678901234567890.123456", "-1234567890123456789", "100", "0.100000"]


def test_decimals_stay_exact_and_can_be_summed(market: Market) -> None:
    from decimal import Decimal

    rows = [{"opportunity_id": key, "amount": amount, "account_id": 1} for key, amount in enumerate(DECIMALS, start=1)]
    put(market, "opportunities", *rows)
    with market.database.reading() as connection:
        query = opportunities.select().order_by(opportunities.c.opportunity_id)
        assert [row["amount"] for row in connection.execute(query).mappings()] == [Decimal(amount) for amount in DECIMALS]
    assert ask(market, "SELECT opportunity_id FROM opportunities WHERE amount > 12 AND amount < 13") == [(2,)]
    assert ask(market, "SELECT sum(amount) FROM opportunities WHERE opportunity_id IN (2, 7)")[0][0] == Decimal("112.5")


def test_update_policies_decide_what_an_incoming_value_does(market: Market) -> None:
    put(market, "contacts", *(person(key, title="Boss", phone="1", company=None, last_name="", del_status=2) for key in (1, 2)))
    columns = ("contact_id", "title", "phone", "company", "last_name", "updated_at")
    policies = {"phone": "keep_if_null", "company": "only_if_empty", "last_name": "only_if_empty", "title": "overwrite"}
    with commit(market) as tx:
        rows = [(1, None, None, "Acme", "Doe", "2026-02-02 00:00:00.000000"), (2, "Chief", "2", None, None, "2026-02-02 00:00:00.000000")]
        assert tx.update("contacts", MemoryRows(columns, rows), policies) == 2
    assert ask(market, "SELECT title, phone, company, last_name FROM contacts ORDER BY contact_id") == [
        (None, "1", "Acme", "Doe"),
        ("Chief", "2", None, ""),
    ]
    with commit(market) as tx:
        again = MemoryRows(columns, [(1, None, "9", "Other", "Other", AT)])
        assert tx.update("contacts", again, policies) == 1
    assert ask(market, "SELECT phone, company, last_name FROM contacts WHERE contact_id = 1") == [("9", "Acme", "Doe")]


def test_row_that_would_stay_the_same_is_not_written(market: Market) -> None:
    """PULL-8: rows equal to what Market already holds are not written, so their stamp stays."""
    put(market, "contacts", person(1, title="Boss", updated_at="2026-01-01 00:00:00.000000"))
    with commit(market) as tx:
        rows = MemoryRows(("contact_id", "title", "email", "updated_at"), [(1, "Boss", None, "2026-02-02 00:00:00.000000")])
        assert tx.update("contacts", rows, {"email": "keep_if_null"}) == 0
    assert str(ask(market, "SELECT updated_at FROM contacts")[0][0]).startswith("2026-01-01")


def test_update_of_very_many_columns_works(market: Market) -> None:
    """INIT-2: a CRM may describe more fields than a database likes to see in one condition."""
    from adapters.market.columns import CatalogueEntry
    from sync.fields import TEXT

    names = [f"custom_{number}_c" for number in range(1_200)]
    market.columns.add([CatalogueEntry("acme", Kind.CONTACT, name, "varchar", "contacts", name, TEXT) for name in names], NOW)
    put(market, "contacts", person(1))
    with commit(market) as tx:
        rows = MemoryRows(("contact_id", *names), [(1, *("x" for _ in names))])
        assert tx.update("contacts", rows) == 1
        assert tx.update("contacts", rows) == 0
    assert ask(market, "SELECT custom_1199_c FROM contacts") == [("x",)]


def test_links_are_inserted_once_and_updated_afterwards(market: Market) -> None:
    put_links(market, link("c1", 1), link("c2", 2))
    put_links(market, link("c2", 5, row_hash=9, first_seen_at="2030-01-01 00:00:00.000000"), link("c3", 3))
    rows = ask(market, "SELECT crm_id, market_id, row_hash FROM crm_links ORDER BY crm_id")
    assert rows == [("c1", 1, 1), ("c2", 5, 9), ("c3", 3, 1)]
    seen = ask(market, "SELECT first_seen_at FROM crm_links WHERE crm_id = 'c2'")[0][0]
    assert str(seen).startswith("2026-02-01")


def test_links_keep_the_columns_that_rows_leave_out(market: Market) -> None:
    put_links(market, link("c1", 1, crm_opt_out=True), link("c2", 2, crm_opt_out=None))
    with commit(market) as tx:
        tx.put_links(MemoryRows(("connector", "kind", "crm_id", "market_id", "living"), [("acme", "contact", "c1", 1, False)]))
    assert ask(market, "SELECT living, crm_opt_out, row_hash FROM crm_links WHERE crm_id = 'c1'") == [(False, True, 1)]


def test_same_id_of_two_connectors_are_two_links(market: Market) -> None:
    """CONN-1: every CRM id is stored together with its connector."""
    put_links(market, link("1", 1), link("1", 2, connector="other"))
    assert ask(market, "SELECT connector, market_id FROM crm_links ORDER BY connector") == [("acme", 1), ("other", 2)]


def test_outbox_and_ledger_take_entries_inside_the_commit(market: Market) -> None:
    """CONSENT-1: the opt-out is queued for the CRM in the same transaction that adopts the row."""
    with commit(market) as tx:
        columns = ("connector", "kind", "contact_id", "crm_kind", "crm_id", "value", "created_at")
        tx.append("outbox", MemoryRows(columns, [("acme", "opt-out", 1, "contact", "c1", '{"opt_out": true}', AT)]))
        ledger = ("contact_id", "email_key", "at", "who", "source", "old", "new", "why")
        tx.append("consent_ledger", MemoryRows(ledger, [(1, "a@example.com", AT, "acme", "crm", None, True, "CONSENT-3")]))
    assert ask(market, "SELECT contact_id, state, attempts FROM outbox") == [(1, "pending", 0)]
    entry = market.consent.ledger(contact_id=1)[0]
    assert (entry.new, entry.old, entry.why, entry.at) == (True, None, "CONSENT-3", datetime(2026, 2, 1, 8, tzinfo=UTC))
