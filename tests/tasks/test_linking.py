"""Who is linked with whom, and when: PULL-6, PULL-7, MATCH-6 to MATCH-9, INIT-4, CONSENT-10, GATE-2, through plan and commit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.records import Kind
from tests.pull_road import PullRoad, pull_road
from tests.reference.stories import READINGS, raw

PERSON = {"email": None, "out": False, "owner": None, "account": None, "company": None, "converted_to": None, "values": {}, "modified": 1}


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[PullRoad]:
    with pull_road(tmp_path, market_url) as opened:
        for kind in (Kind.LEAD, Kind.CONTACT):
            opened.make_columns(kind, READINGS[kind])
        yield opened


def bring(road: PullRoad, kind: Kind, *records: dict[str, Any], gate: bool = False) -> None:
    road.commit_records(kind, READINGS[kind], [[[raw(kind, record) for record in records]]], gate=gate)


def lead(crm_id: str, **values: Any) -> dict[str, Any]:
    return {**PERSON, "id": crm_id, **values}


contact = lead


def account(crm_id: str, name: str, **values: Any) -> dict[str, Any]:
    return {"id": crm_id, "name": name, "owner": None, "modified": 1, **values}


def user(crm_id: str, email: str | None = None, **values: Any) -> dict[str, Any]:
    return {"id": crm_id, "name": crm_id, "email": email, "modified": 1, **values}


def person(road: PullRoad, crm_id: str) -> dict[str, Any]:
    """The row that a record is linked to."""
    query = "SELECT contacts.* FROM contacts JOIN crm_links ON market_id = contact_id WHERE kind IN ('lead', 'contact') "
    query += "AND crm_links.crm_id = :id"
    [row] = road.rows(query, id=crm_id)
    return row


def account_of(road: PullRoad, crm_id: str) -> str:
    [row] = road.rows("SELECT account_name FROM accounts WHERE account_id = :id", id=person(road, crm_id)["account_id"])
    return str(row["account_name"])


# -- accounts -------------------------------------------------------------------------------------------------------


def test_pull_6_without_an_account_a_person_stands_under_no_company(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1"))
    assert account_of(road, "c1") == "No Company"


def test_pull_6_a_contact_waits_for_its_account_and_is_linked_when_it_arrives(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", account="a1"))
    assert (account_of(road, "c1"), person(road, "c1")["account_ref"]) == ("No Company", "a1")
    bring(road, Kind.ACCOUNT, account("a1", "Acme"))
    assert account_of(road, "c1") == "Acme"


@pytest.mark.parametrize("crm_id", ["l1", "l2"], ids=["account id null", "account id an empty text"])
@pytest.mark.parametrize("company", ["Acme", " ACME "])
def test_pull_6_a_lead_finds_its_account_by_company_name_whichever_comes_first(road: PullRoad, crm_id: str, company: str) -> None:
    bring(road, Kind.LEAD, lead(crm_id, company=company))
    assert (account_of(road, crm_id), person(road, crm_id)["company"]) == ("No Company", company)
    bring(road, Kind.ACCOUNT, account("a1", "Acme"))
    assert account_of(road, crm_id) == "Acme"
    bring(road, Kind.LEAD, lead("l3", company=company))
    assert account_of(road, "l3") == "Acme"


@pytest.mark.parametrize("accounts_first", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(["a2", "a1", "a3"])), ids="-".join)
def test_pull_6_match_9_of_accounts_with_one_name_the_lowest_id_counts_whatever_the_order(
    tmp_path: Path, order: tuple[str, ...], accounts_first: bool
) -> None:
    """PULL-6, MATCH-9: pages come in any order; the company of a lead does not depend on it."""
    with pull_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}") as road:
        road.make_columns(Kind.LEAD, READINGS[Kind.LEAD])
        same = [account(crm_id, name) for crm_id, name in zip(order, ("Acme", " ACME", "acme "), strict=True)]
        if accounts_first:
            bring(road, Kind.ACCOUNT, *same)
        bring(road, Kind.LEAD, lead("l1", company="Acme"))
        if not accounts_first:
            bring(road, Kind.ACCOUNT, *same)
        [found] = road.rows("SELECT crm_id FROM accounts WHERE account_id = :id", id=person(road, "l1")["account_id"])
        assert found["crm_id"] == "a1"


def test_pull_6_the_choice_among_accounts_with_one_name_is_the_same_on_both_databases(road: PullRoad) -> None:
    for crm_id in ("b", "B", "a"):
        bring(road, Kind.ACCOUNT, account(crm_id, "Acme"))
    bring(road, Kind.LEAD, lead("l1", company="Acme"))
    [found] = road.rows("SELECT crm_id FROM accounts WHERE account_id = :id", id=person(road, "l1")["account_id"])
    assert found["crm_id"] == "B"


def test_pull_6_an_account_that_gets_the_name_later_is_found_too(road: PullRoad) -> None:
    bring(road, Kind.ACCOUNT, account("a1", "Zed"))
    bring(road, Kind.LEAD, lead("l1", company="Acme"))
    bring(road, Kind.ACCOUNT, account("a1", "Acme", modified=2))
    assert account_of(road, "l1") == "Acme"


def test_pull_6_only_a_lead_is_linked_by_company_name(road: PullRoad) -> None:
    """A contact's account comes from the CRM's account id, and "none" is an answer."""
    bring(road, Kind.LEAD, lead("l1", company="Acme", email="ann@x.test"))
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    bring(road, Kind.ACCOUNT, account("a1", "Acme"))
    assert account_of(road, "c1") == "No Company"


# -- owners ---------------------------------------------------------------------------------------------------------


def test_pull_7_an_owner_who_arrives_later_is_linked(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", owner="u1"))
    assert person(road, "c1")["owner_id"] is None
    bring(road, Kind.USER, user("u1"))
    [found] = road.rows("SELECT crm_id FROM users WHERE user_id = :id", id=person(road, "c1")["owner_id"])
    assert found["crm_id"] == "u1"


def test_match_6_a_lead_does_not_give_a_contact_another_owner_while_its_own_is_unknown(road: PullRoad) -> None:
    bring(road, Kind.USER, user("u1"))
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", owner="u9"))
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test", owner="u1"))
    assert (person(road, "c1")["owner_ref"], person(road, "c1")["owner_id"]) == ("u9", None)


def test_init_4_users_who_share_an_address_share_one_account(road: PullRoad) -> None:
    bring(road, Kind.USER, user("u1", "ann@x.test", modified=1), user("u2", " Ann@X.TEST", modified=2), user("u3", modified=3))
    assert sorted(row["crm_id"] for row in road.rows("SELECT crm_id FROM users")) == ["u2", "u3"]
    bring(road, Kind.CONTACT, contact("c1", owner="u1"), contact("c2", owner="u2"))
    assert person(road, "c1")["owner_id"] == person(road, "c2")["owner_id"] is not None


def test_init_4_a_held_user_leaves_no_link_to_an_account_that_was_never_made(road: PullRoad) -> None:
    """It would have given the values; its id is none."""
    bring(road, Kind.USER, user("u1", "ann@x.test", modified=1), user("u 2", "ann@x.test", modified=2), gate=True)
    assert [entry.crm_id for entry in road.market.quarantine.list()] == ["u 2"]
    loose = "SELECT crm_id FROM crm_links WHERE kind = 'user' AND market_id NOT IN (SELECT user_id FROM users)"
    assert road.rows(loose) == []


def test_init_4_a_user_who_gets_the_address_of_another_account_stops_nothing(road: PullRoad) -> None:
    """MATCH-1 comes first: both keep their accounts, and the batch is committed."""
    bring(road, Kind.USER, user("u1", "ann@x.test"), user("u2", "bob@x.test"))
    bring(road, Kind.USER, user("u2", "ann@x.test", modified=2))
    assert sorted(row["crm_id"] for row in road.rows("SELECT crm_id FROM users")) == ["u1", "u2"]


def test_match_9_an_address_that_passes_to_a_successor_in_one_batch_makes_an_account_of_its_own(road: PullRoad) -> None:
    """INIT-4, record after record: u1 leaves the address, then u2 comes with it."""
    bring(road, Kind.USER, user("u1", "sales@x.test"))
    bring(road, Kind.USER, user("u1", "ann@x.test", modified=2), user("u2", "sales@x.test", modified=3))
    assert sorted(row["crm_id"] for row in road.rows("SELECT crm_id FROM users")) == ["u1", "u2"]


# -- people ---------------------------------------------------------------------------------------------------------


def test_match_6_the_contact_owns_the_row_and_the_lead_fills_only_what_is_empty(road: PullRoad) -> None:
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test", company="Acme", values={"title": "Ms", "score": 1}))
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", values={"title": None, "score": 0}))
    row = person(road, "c1")
    assert (row["crm_type"], row["crm_id"], row["title"], row["score"], row["company"]) == ("Contact", "c1", None, 0, "Acme")
    bring(road, Kind.LEAD, lead("l1", email="bob@x.test", company="Zed", values={"title": "Dr", "score": 9}, modified=2))
    row = person(road, "l1")
    assert (row["crm_type"], row["crm_id"], row["email"], row["title"], row["score"], row["company"]) == (
        "Contact",
        "c1",
        "ann@x.test",
        "Dr",
        0,
        "Acme",
    )


def test_match_7_the_contact_takes_the_row_of_its_lead_whatever_the_addresses_say(road: PullRoad) -> None:
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test", converted_to="c1"))
    bring(road, Kind.CONTACT, contact("c1", email="other@x.test"))
    assert person(road, "l1")["contact_id"] == person(road, "c1")["contact_id"]
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test", converted_to="c1", values={"title": "Dr"}, modified=2))
    assert person(road, "c1")["crm_id"] == "c1"
    assert person(road, "c1")["email"] == "other@x.test"


def test_match_7_a_lead_converted_later_brings_its_row_and_its_opt_out(road: PullRoad) -> None:
    """MATCH-8, CONSENT-10."""
    bring(road, Kind.CONTACT, contact("c1", email="c@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="l@x.test", out=True))
    old = person(road, "l1")["contact_id"]
    bring(road, Kind.LEAD, lead("l1", email="l@x.test", out=True, converted_to="c1", modified=2))
    row = person(road, "l1")
    assert (row["crm_id"], bool(row["opt_out"])) == ("c1", True)
    [gone] = road.rows("SELECT merged_into, deleted_date FROM contacts WHERE contact_id = :id", id=old)
    assert gone["merged_into"] == row["contact_id"]
    assert gone["deleted_date"] is not None


def test_match_8_a_row_that_was_merged_away_is_adopted_by_nobody(road: PullRoad) -> None:
    test_match_7_a_lead_converted_later_brings_its_row_and_its_opt_out(road)
    bring(road, Kind.CONTACT, contact("c2", email="l@x.test"))
    assert person(road, "c2")["merged_into"] is None


def test_match_9_several_leads_that_became_one_contact_all_fill_what_is_empty(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1"))
    first = lead("l1", converted_to="c1", values={"title": "Ms"}, company=None, modified=1)
    second = lead("l2", converted_to="c1", values={"title": "Dr", "score": 7}, company="Acme", modified=2)
    bring(road, Kind.LEAD, second, first)
    row = person(road, "c1")
    assert (row["title"], row["score"], row["company"]) == ("Ms", 7, "Acme")


def test_gate_2_a_held_lead_does_not_merge_its_row_away(road: PullRoad) -> None:
    """Nothing of a record that is held back reaches Market."""
    bring(road, Kind.CONTACT, contact("c1", email="c@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="l@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="no address", converted_to="c1", modified=2), gate=True)
    assert [entry.crm_id for entry in road.market.quarantine.list()] == ["l1"]
    assert road.rows("SELECT contact_id FROM contacts WHERE merged_into IS NOT NULL") == []


def test_gate_2_a_record_that_no_reader_takes_is_held_whole_on_both_databases(road: PullRoad) -> None:
    ref = road.stage_bodies(
        Kind.CONTACT,
        READINGS[Kind.CONTACT],
        [[b'{"id": "c1", "title": "a\x00\xff"}\n{"id": "c2", "date_modified": "2026-01-01T00:00:00Z"}']],
    )
    assert road.bring_in(ref).held == 1
    assert {entry.row for entry in road.market.quarantine.list()} == {'{"id": "c1", "title": "a\\x00\\xff"}'}


# -- going and coming back --------------------------------------------------------------------------------------------


def test_init_10_a_purge_takes_rows_that_were_changed_since_and_a_re_import_makes_nobody_mailable(road: PullRoad) -> None:
    """CONSENT-10: who had opted out stays unmailable, though the CRM now says in."""
    from tasks.wiring import now

    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True), contact("c2", email="bob@x.test"))
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True, values={"title": "Dr"}, modified=2))
    road.market.purge("acme", who="test", now=now())
    assert road.rows("SELECT contact_id FROM contacts") == []
    for kind in (Kind.LEAD, Kind.CONTACT):
        road.make_columns(kind, READINGS[kind])
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=False), contact("c2", email="bob@x.test"))
    assert not road.market.consent.may_be_mailed("ann@x.test")
    assert road.market.consent.may_be_mailed("bob@x.test")


def test_consent_10_who_opts_out_between_plan_and_commit_stays_out(road: PullRoad) -> None:
    """CONSENT-5: the CRM's re-subscribe was planned, then the person unsubscribed again."""
    from tasks.commit import commit
    from tasks.plan import plan

    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True))
    again = raw(Kind.CONTACT, contact("c1", email="ann@x.test", out=False, modified=2))
    ref = road.stage(Kind.CONTACT, READINGS[Kind.CONTACT], [[[again]]])
    plan.fn(road.run, ref)
    row = person(road, "c1")["contact_id"]
    road.execute(
        "INSERT INTO outbox (connector, kind, contact_id, crm_kind, crm_id, value, state, created_at) "
        "VALUES ('acme', 'opt-out', :id, 'contact', 'c1', '{}', 'pending', '2026-01-01 00:00:00.000000')",
        id=row,
    )
    road.execute(
        "INSERT INTO consent_ledger (contact_id, at, who, source, old, new, why) "
        "VALUES (:id, '2026-01-01 00:00:00.000000', 'person', 'market', true, true, 'unsubscribed')",
        id=row,
    )
    commit.fn(road.run, ref, True)
    assert bool(person(road, "c1")["opt_out"])


def test_consent_4_an_opt_out_that_is_taken_back_leaves_no_date(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", out=True))
    bring(road, Kind.CONTACT, contact("c1", out=False, modified=2))
    row = person(road, "c1")
    assert (bool(row["opt_out"]), row["opt_out_date"]) == (False, None)
