"""References that arrive late."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.market.engine import Market
from sync.records import Kind
from tests.adapters.market.building import ask, commit, link, person, put, put_links, records
from tests.rows import MemoryRows


def account(account_id: int, name: str, **values: Any) -> dict[str, Any]:
    given = {"account_id": account_id, "connector": "acme", "crm_id": f"a{account_id}", "account_name": name}
    return given | {"account_name_key": name.strip().lower()} | values


def arrive(market: Market, *names: str) -> int:
    """Accounts arrive in a commit of their own. → how many rows were linked to them."""
    with commit(market, Kind.ACCOUNT) as tx:
        first = tx.allocate("accounts", len(names))
        tx.insert("accounts", records([account(first + place, name) for place, name in enumerate(names)]))
        tx.put_links(records([link(f"a{first + place}", first + place, kind="account") for place in range(len(names))]))
        return tx.link_waiting_accounts()


def test_people_are_linked_when_their_account_arrives(market: Market) -> None:
    """PULL-6: an account that has not arrived yet is held as a reference and linked when it does."""
    put(market, "contacts", person(1, account_ref="a2"), person(2, account_ref="a9"), person(3, account_ref=None))
    put(market, "opportunities", {"opportunity_id": 1, "connector": "acme", "account_id": 1, "account_ref": "a2"})
    assert arrive(market, "Two Ltd") == 2
    assert ask(market, "SELECT contact_id, account_id FROM contacts ORDER BY contact_id") == [(1, 2), (2, 1), (3, 1)]
    assert ask(market, "SELECT account_id FROM opportunities") == [(2,)]


def test_account_of_another_connector_is_not_the_one(market: Market) -> None:
    """CONN-1: the same id in another CRM is another account."""
    put(market, "contacts", person(1, connector="other", account_ref="a2"))
    assert arrive(market, "Two Ltd") == 0
    assert ask(market, "SELECT account_id FROM contacts") == [(1,)]


@pytest.mark.parametrize("company", ["Müller & Söhne GmbH", "  MÜLLER & SÖHNE GMBH ", "müller & söhne gmbh"])
def test_leads_are_linked_by_their_company_name(market: Market, company: str) -> None:
    """PULL-6: a lead's account is found by its company name, which stays in `company`."""
    put(market, "contacts", person(1, account_ref=None, crm_type="Lead", company=company), person(2, account_ref=None, company="Nobody"))
    assert arrive(market, "Müller & Söhne GmbH", "Else") == 1
    assert ask(market, "SELECT company, account_id FROM contacts ORDER BY contact_id") == [(company, 2), ("Nobody", 1)]


def test_leads_are_linked_when_an_account_takes_their_company_name(market: Market) -> None:
    """PULL-6: a child never waits for ever; a renamed account may be the one."""
    put(market, "contacts", person(1, account_ref=None, crm_type="Lead", company="New Name"))
    arrive(market, "Old Name")
    with commit(market, Kind.ACCOUNT) as tx:
        tx.update("accounts", MemoryRows(("account_id", "account_name", "account_name_key"), [(2, "New Name", "new name")]))
        assert tx.link_waiting_accounts() == 1
    assert ask(market, "SELECT account_id FROM contacts") == [(2,)]


def test_of_accounts_with_one_name_the_oldest_is_taken(market: Market) -> None:
    put(market, "contacts", person(1, account_ref=None, crm_type="Lead", company="Twin"))
    assert arrive(market, "Twin", "TWIN") == 1
    assert ask(market, "SELECT account_id FROM contacts") == [(2,)]


def test_owners_are_linked_when_the_user_arrives(market: Market) -> None:
    """PULL-7: owners resolve through the users table."""
    put(market, "contacts", person(1, owner_ref="u1"), person(2, owner_ref="u2"))
    put(market, "accounts", account(7, "Seven", owner_ref="u1"))
    put(market, "opportunities", {"opportunity_id": 1, "connector": "acme", "account_id": 1, "owner_ref": "u1"})
    put(market, "users", {"user_id": 5, "connector": "acme", "crm_id": "u1", "email_key": "owner@example.com"})
    put_links(market, link("u1", 5, kind="user"))
    with commit(market, Kind.USER) as tx:
        assert tx.link_waiting_accounts() == 3
    assert ask(market, "SELECT contact_id, owner_id FROM contacts ORDER BY contact_id") == [(1, 5), (2, None)]
    assert ask(market, "SELECT owner_id FROM accounts WHERE account_id = 7") == [(5,)]


def test_opportunities_are_linked_when_their_person_arrives(market: Market) -> None:
    """PULL-6: a child never waits for ever; the person may be a contact or a lead."""
    rows = [
        {"opportunity_id": key, "connector": "acme", "account_id": 1, "contact_ref": ref} for key, ref in ((1, "c1"), (2, "l1"), (3, "x"))
    ]
    put(market, "opportunities", *rows)
    put_links(market, link("c1", 11), link("l1", 12, kind="lead"))
    with commit(market) as tx:
        assert tx.link_waiting_accounts() == 2
    assert ask(market, "SELECT contact_id FROM opportunities ORDER BY opportunity_id") == [(11,), (12,), (None,)]
