"""What the planner is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from adapters.market.engine import Market
from sync.records import Kind
from tests.adapters.market.building import AT, commit, link, person, put, put_links
from tests.rows import MemoryRows, one


def by(table: pa.Table, column: str) -> dict[Any, dict[str, Any]]:
    return {row[column]: row for row in table.to_pylist()}


def test_links_are_found_by_connector_kind_and_id(market: Market) -> None:
    """MATCH-1: the CRM id (connector, object, id) comes first."""
    put_links(
        market,
        link("c1", 1, row_hash=-(2**63), crm_opt_out=True),
        link("c2", 2, living=False, alias_of="c1"),
        link("c1", 7, kind="lead", converted_to="c1"),
        link("c1", 9, connector="other"),
    )
    found = by(market.lookup_links("acme", Kind.CONTACT, one("crm_id", ["c1", "c2", "c3"])), "crm_id")
    assert set(found) == {"c1", "c2"}
    assert found["c1"] == {
        "crm_id": "c1",
        "market_id": 1,
        "living": True,
        "alias_of": None,
        "converted_to": None,
        "row_hash": -(2**63),
        "crm_opt_out": True,
        "left_scope": False,
        "crm_modified_at": None,
        "written_at": datetime(2026, 2, 1, 8),
        "opt_out_acknowledged_at": None,
    }
    assert (found["c2"]["living"], found["c2"]["alias_of"], found["c2"]["crm_opt_out"]) == (False, "c1", None)


def test_leads_are_found_by_the_contact_that_they_became(market: Market) -> None:
    """MATCH-7: lead conversion is read from the CRM's own pointer."""
    put_links(market, link("l1", 4, kind="lead", converted_to="c9", crm_modified_at=AT), link("l2", 5, kind="lead"))
    found = market.lookup_conversions("acme", one("crm_id", ["c9", "c8"]))
    expected = {"contact_crm_id": "c9", "lead_crm_id": "l1", "market_id": 4, "crm_modified_at": datetime(2026, 2, 1, 8)}
    assert found.to_pylist() == [expected]
    assert market.lookup_conversions("other", one("crm_id", ["c9"])).num_rows == 0


def test_people_are_found_by_address_and_by_key_each_once(market: Market) -> None:
    """MATCH-2: the address, trimmed and compared without case."""
    put(
        market,
        "contacts",
        person(1, email=" Ann@Example.COM ", opt_out=True, opt_out_date=AT, crm_modified_at=AT),
        person(2, email="", opt_out=False, opt_out_date=None, crm_modified_at=None),
        person(3, opt_out=False, opt_out_date=None, crm_modified_at=None),
    )
    people = market.lookup_people(email_keys=one("email_key", ["ann@example.com", "x@example.com"]), market_ids=one("id", [1, 2]))
    found = by(people, "contact_id")
    assert (people.num_rows, set(found)) == (2, {1, 2})
    assert found[1]["email"] == " Ann@Example.COM "
    assert (found[1]["opt_out"], found[1]["opt_out_date"]) == (True, datetime(2026, 2, 1, 8))
    assert (found[2]["email"], found[2]["email_key"], found[2]["crm_modified_at"]) == ("", None, None)
    assert people.schema.field("updated_at").type == pa.timestamp("us")


@pytest.mark.parametrize(("state", "pending"), [("pending", True), ("refused", True), ("parked", True), ("acknowledged", False)])
def test_opt_out_is_pending_until_that_crm_acknowledged_it(market: Market, state: str, pending: bool) -> None:
    """CONSENT-5: our own opt-out has not been acknowledged yet."""
    put(market, "contacts", person(1))
    put_links(market, link("c1", 1), link("c1", 1, connector="other"))
    columns = ("connector", "kind", "contact_id", "crm_kind", "crm_id", "value", "state", "created_at")
    with commit(market) as tx:
        tx.append("outbox", MemoryRows(columns, [("acme", "opt-out", 1, "contact", "c1", "{}", state, AT)]))
    ids = one("contact_id", [1])
    assert market.lookup_people(market_ids=ids)["opt_out_pending"].to_pylist() == [pending]
    assert market.lookup_people(market_ids=ids, connector="acme")["opt_out_pending"].to_pylist() == [pending]
    assert market.lookup_people(market_ids=ids, connector="other")["opt_out_pending"].to_pylist() == [False]


def test_an_opt_out_for_a_record_that_is_gone_waits_for_nothing(market: Market) -> None:
    """CONSENT-5: that CRM will never acknowledge it."""
    put(market, "contacts", person(1))
    put_links(market, link("c1", 1, living=False), link("c2", 1))
    columns = ("connector", "kind", "contact_id", "crm_kind", "crm_id", "value", "state", "created_at")
    with commit(market) as tx:
        tx.append("outbox", MemoryRows(columns, [("acme", "opt-out", 1, "contact", "c1", "{}", "pending", AT)]))
    assert market.lookup_people(market_ids=one("contact_id", [1]))["opt_out_pending"].to_pylist() == [False]


def test_holds_name_every_record_that_is_linked_to_a_person(market: Market) -> None:
    """MATCH-4: an address match adopts a row only if no other living record of the same object holds it."""
    put(market, "contacts", person(1), person(2))
    put_links(
        market, link("c1", 1), link("l1", 1, kind="lead", converted_to="c1"), link("c2", 2, living=False), link("a1", 1, kind="account")
    )
    holds = market.lookup_holds(email_keys=one("email_key", ["person1@example.com"]), market_ids=one("id", [1, 2]))
    got = sorted((row["market_id"], row["kind"], row["crm_id"], row["living"], row["converted_to"]) for row in holds.to_pylist())
    assert got == [(1, "contact", "c1", True, None), (1, "lead", "l1", True, "c1"), (2, "contact", "c2", False, None)]


def test_users_are_found_by_address(market: Market) -> None:
    """INIT-4: users are matched by email address."""
    put(market, "users", {"user_id": 3, "connector": "acme", "crm_id": "u3", "email_key": "u@example.com"})
    found = market.lookup_users_by_email(one("email_key", ["u@example.com", "v@example.com"]))
    assert [(row["user_id"], row["crm_id"]) for row in found.to_pylist()] == [(3, "u3")]


def test_accounts_are_found_by_name_the_oldest_first_and_never_a_deleted_one(market: Market) -> None:
    """PULL-6: a lead's account comes from its company name."""
    rows = [(2, "twin", AT), (4, "twin", None), (3, "twin", None), (5, "gone", AT)]
    put(market, "accounts", *({"account_id": key, "account_name_key": name, "deleted_date": gone} for key, name, gone in rows))
    assert market.lookup_account_names(one("name", ["twin", "gone"])).to_pylist() == [{"account_name_key": "twin", "account_id": 3}]


def test_lookups_in_an_empty_market_answer_with_their_columns(market: Market) -> None:
    assert market.lookup_links("acme", Kind.LEAD, one("crm_id", ["x"])).column_names[:3] == ["crm_id", "market_id", "living"]
    people = market.lookup_people(email_keys=one("email_key", ["x"]), market_ids=one("contact_id", []))
    assert (people.num_rows, people.column_names[-2:]) == (0, ["opt_out_pending", "out_links"])
    assert market.lookup_holds(email_keys=one("email_key", ["x"])).num_rows == 0
    assert market.lookup_conversions("acme", one("crm_id", ["x"])).num_rows == 0
    assert market.lookup_users_by_email(one("email_key", ["x"])).num_rows == 0
    assert market.lookup_account_names(one("name", [])).num_rows == 0


@pytest.mark.parametrize("connector", ["it's", "100%", 'quo"te', "back\\slash"])
def test_any_name_of_a_connector_is_safe(market: Market, connector: str) -> None:
    put_links(market, link("c1", 1, connector=connector))
    assert market.lookup_links(connector, Kind.CONTACT, one("crm_id", ["c1"])).num_rows == 1


def test_lookups_read_by_index_and_never_the_whole_table(market: Market) -> None:
    """PULL-1: cost follows the number of changes, never the size of the table."""
    people = 3_000
    put(market, "contacts", *(person(key) for key in range(1, people + 1)))
    put_links(market, *(link(f"c{key}", key) for key in range(1, people + 1)))
    put(market, "accounts", *({"account_id": key, "account_name_key": f"a{key}"} for key in range(2, people)))
    if not market.database.lite:
        with market.database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
    queries = [
        ("SELECT * FROM crm_links WHERE connector = 'acme' AND kind = 'contact' AND crm_id IN (SELECT k FROM incoming)", "c7"),
        ("SELECT * FROM contacts WHERE email_key IN (SELECT k FROM incoming)", "person7@example.com"),
        ("SELECT * FROM accounts WHERE account_name_key IN (SELECT k FROM incoming)", "a7"),
    ]
    for query, key in queries:
        assert _scanned(market, query, key) == {"incoming"}, query


def _scanned(market: Market, query: str, key: str) -> set[str]:
    """The tables that the database would read from end to end."""
    with market.database.reading() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE incoming (k TEXT)")
        connection.exec_driver_sql(f"INSERT INTO incoming VALUES ('{key}')")
        if market.database.lite:
            steps = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
            return {step.split()[1] for step in steps if step.startswith("SCAN")}
        connection.exec_driver_sql("ANALYZE incoming")
        steps = [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {query}")]
        return {step.split("Seq Scan on ")[1].split()[0] for step in steps if "Seq Scan on " in step}
