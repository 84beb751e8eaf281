"""Rows are deleted by reports, all or none, and nothing else goes (DEL-3, DEL-4, DEL-6, DEL-7, DEL-8)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.market.engine import Market
from adapters.market.mass_delete import Warrant, soft_delete
from sync.errors import ConfigError
from sync.saved_reports import BrakeLimits, Of, SavedReport, Term, brake_subject
from tests.adapters.market.building import NOW, ask, execute, link, person, put, put_links

FREE = BrakeLimits(1.0, 20)


def report(*terms: Term, of: Of = Of.PEOPLE, **more: Any) -> SavedReport:
    return SavedReport(name="stale", of=of, all_of=terms, **more)


def warrant(limits: BrakeLimits = FREE, **more: Any) -> Warrant:
    return Warrant("run-1", "operator", "spring cleaning", NOW, limits, **more)


def deleted(market: Market) -> list[Any]:
    return [row[0] for row in ask(market, "SELECT contact_id FROM contacts WHERE deleted_date IS NOT NULL ORDER BY 1")]


def test_del_4_the_rows_that_meet_the_report_are_deleted_and_a_plan_made_before_is_made_anew(market: Market) -> None:
    put(market, "contacts", person(1, last_name="x"), person(2, last_name="y"), person(3, last_name="x"))
    before = market.mark()
    done = market.mass_delete.delete(report(Term("last_name", "equals", "x")), warrant())
    assert (done.rows, done.braked, done.examples) == (2, False, ("c1", "c3"))
    assert deleted(market) == [1, 3]
    assert ask(market, "SELECT count(*) FROM contacts WHERE do_not_pull") == [(0,)]
    assert market.mark() != before
    about = [json.loads(row[0]) for row in ask(market, "SELECT counts FROM parcels WHERE connector = ''")]
    assert about == [{"report": "stale", "deleted": 2, "do_not_pull": False, "who": "operator", "why": "spring cleaning"}]


def test_del_3_a_row_that_is_deleted_already_is_not_written_again(market: Market) -> None:
    put(market, "contacts", person(1), person(2))
    market.mass_delete.delete(report(Term("contact_id", "equals", 1)), warrant())
    stamps, mark = ask(market, "SELECT contact_id, deleted_date, updated_at FROM contacts ORDER BY 1"), market.mark()
    assert market.mass_delete.delete(report(Term("contact_id", "equals", 1)), warrant(do_not_pull=True)).rows == 0
    assert (ask(market, "SELECT contact_id, deleted_date, updated_at FROM contacts ORDER BY 1"), market.mark()) == (stamps, mark)


def test_del_7_deleted_with_do_not_pull_says_so_on_the_row(market: Market) -> None:
    put(market, "contacts", person(1), person(2))
    market.mass_delete.delete(report(Term("contact_id", "equals", 2)), warrant(do_not_pull=True))
    assert ask(market, "SELECT contact_id FROM contacts WHERE do_not_pull") == [(2,)]


def test_del_6_deleting_people_takes_them_off_no_list_and_leaves_everything_about_them(market: Market) -> None:
    put(market, "contacts", person(1, opt_out=True))
    put(market, "opportunities", {"opportunity_id": 1, "contact_id": 1})
    put_links(market, link("c1", 1))
    execute(market, "INSERT INTO marketing_lists (list_id, connector, crm_id, list_name) VALUES (1, 'acme', 'l1', 'News')")
    execute(
        market,
        "INSERT INTO marketing_list_members (list_id, kind, crm_id, market_id, first_seen_at) VALUES (1, 'contact', 'c1', 1, :now)",
        now="2026-01-01 00:00:00+00:00",
    )
    around = [
        "SELECT * FROM marketing_list_members",
        "SELECT * FROM opportunities",
        "SELECT * FROM crm_links",
        "SELECT * FROM consent_ledger",
        "SELECT contact_id, opt_out, email_key, account_id FROM contacts",
    ]
    before = [ask(market, query) for query in around]
    market.mass_delete.delete(report(Term("opt_out", "equals", True)), warrant())
    assert deleted(market) == [1] and [ask(market, query) for query in around] == before


@pytest.mark.parametrize("of", [Of.ACCOUNTS, Of.OPPORTUNITIES])
def test_del_4_accounts_and_opportunities_are_deleted_too_but_never_no_company(market: Market, of: Of) -> None:
    put(market, of.table, {of.key: 7}, {of.key: 8})
    assert market.mass_delete.delete(report(Term(of.key, "lte", 7), of=of), warrant()).rows == 1
    assert ask(market, f"SELECT {of.key} FROM {of.table} WHERE deleted_date IS NOT NULL") == [(7,)]
    with market.database.writing() as connection:
        assert soft_delete(connection, "accounts", [1], now=NOW) == 0


def test_del_8_more_than_may_go_unasked_is_not_deleted_and_a_yes_lets_it_go(market: Market) -> None:
    put(market, "contacts", *(person(number) for number in range(1, 11)))
    limits = BrakeLimits(0.2, 5)
    stale = report(Term("contact_id", "lte", 3))
    held = market.mass_delete.delete(stale, warrant(limits))
    assert (held.braked, held.rows, deleted(market)) == (True, 3, [])
    assert market.mass_delete.delete(stale, warrant(limits, allowed_rows=2)).braked  # the yes was for fewer
    asked = {"rows_affected": 3, "rows_before": 10, "limit_share": 0.2, "run_id": "run-1", "now": NOW}
    market.brakes.ask("", brake_subject("stale"), **asked)
    assert not market.mass_delete.delete(stale, warrant(limits, allowed_rows=3)).braked
    assert deleted(market) == [1, 2, 3]
    assert market.brakes.open() == ()  # the question is closed with the deletion


def test_del_8_only_living_rows_count_for_the_share(market: Market) -> None:
    put(market, "contacts", *(person(number) for number in range(1, 11)))
    limits = BrakeLimits(0.3, 5)
    assert not market.mass_delete.delete(report(Term("contact_id", "lte", 3)), warrant(limits)).braked
    assert market.mass_delete.delete(report(Term("contact_id", "lte", 6)), warrant(limits)).braked  # 3 of 7


@pytest.mark.parametrize(
    ("more", "said"), [({}, "without conditions"), ({"limit": 1}, "looking only"), ({"include_deleted": True}, "looking only")]
)
def test_del_4_a_report_for_looking_deletes_nothing(market: Market, more: dict[str, Any], said: str) -> None:
    put(market, "contacts", person(1))
    terms = [Term("contact_id", "equals", 1)] if more else []
    with pytest.raises(ConfigError, match=said):
        market.mass_delete.delete(report(*terms, **more), warrant())
    assert deleted(market) == []
