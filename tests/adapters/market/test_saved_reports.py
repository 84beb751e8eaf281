"""What saved reports see, what they cannot do, and how they are laid open (REPORT-1)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from adapters.market.engine import Market
from adapters.market.mass_delete import Warrant, refuse_deleting_by
from adapters.market.saved_reports import read_only
from adapters.market.schema import metadata
from sync.errors import ConfigError, MarketUnavailable
from sync.saved_reports import BrakeLimits, Of, SavedReport, Term
from tests.adapters.market.building import NOW, ask, execute, person, put
from tests.adapters.market.report_world import make_columns


def report(*terms: Term, of: Of = Of.PEOPLE, **more: Any) -> SavedReport:
    return SavedReport(name="one", of=of, all_of=terms, **more)


def keys(market: Market, asked: SavedReport) -> list[Any]:
    columns = asked.columns or (asked.of.key,)
    return [row[0] for row in market.saved_reports.rows(SavedReport(**{**_fields(asked), "columns": columns}), NOW)]


def _fields(asked: SavedReport) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in SavedReport.__dataclass_fields__}


def test_report_1_deleted_and_merged_rows_are_left_out_unless_asked_for(market: Market) -> None:
    put(market, "contacts", person(1), person(2), person(3))
    execute(market, "UPDATE contacts SET deleted_date = :now WHERE contact_id = 2", now="2026-01-01 00:00:00+00:00")
    execute(market, "UPDATE contacts SET merged_into = 1 WHERE contact_id = 3")
    assert keys(market, report()) == [1]
    assert keys(market, report(include_deleted=True)) == [1, 2, 3]


def test_report_1_the_account_no_company_is_no_row_but_can_be_asked_about(market: Market) -> None:
    put(market, "accounts", {"account_id": 2, "account_name": "Acme"})
    put(market, "contacts", person(1), person(2, account_id=2))
    assert keys(market, report(of=Of.ACCOUNTS, include_deleted=True)) == [2]
    assert keys(market, report(Term("account.account_name", "equals", "No Company"))) == [1]


def test_report_1_the_rows_come_typed_in_order_and_limited(market: Market) -> None:
    make_columns(market)
    put(market, "contacts", person(1, last_name="Zoe"), person(2, last_name=None), person(3, last_name="Abe"), person(4, last_name="Abe"))
    execute(market, "UPDATE contacts SET score_c = 1.5 WHERE contact_id = 1")
    asked = report(columns=("contact_id", "score_c", "opt_out", "opportunities.count", "account.account_name"), order_by=("-last_name",))
    rows = list(market.saved_reports.rows(asked, NOW))
    assert [row[0] for row in rows] == [1, 3, 4, 2]
    assert rows[0] == (1, Decimal("1.5"), False, 0, "No Company")
    assert len(list(market.saved_reports.rows(asked, NOW, limit=2))) == 2
    assert market.saved_reports.count(report(limit=2), NOW) == 4


def test_report_1_a_value_is_bound_and_never_becomes_sql(market: Market) -> None:
    put(market, "contacts", person(1, last_name="x'; DROP TABLE contacts; --"))
    evil = "x'; DROP TABLE contacts; --"
    assert keys(market, report(Term("last_name", "equals", evil))) == [1]
    assert keys(market, report(Term("last_name", "contains", "%"))) == []
    found = market.saved_reports.explain(report(Term("last_name", "equals", evil)), NOW)
    assert "DROP" not in found.sql and evil in [value for _, value in found.values]


@pytest.mark.parametrize("name", ["outbox.value", "owner.crm_links", "consent_ledger.why", "contacts.email", 'x" or 1=1 --', "1"])
def test_report_1_no_name_outside_the_report_s_tables_is_ever_asked(market: Market, name: str) -> None:
    with pytest.raises(ConfigError, match="people have no field"):
        list(market.saved_reports.rows(report(Term(name, "is_null")), NOW))
    with pytest.raises(ConfigError, match="people have no field"):
        list(market.saved_reports.rows(report(columns=(name,)), NOW))


def test_report_1_one_error_names_what_the_real_tables_do_not_have(market: Market) -> None:
    make_columns(market)
    asked = [report(Term("visits_c", "equals", "x", place="saved_reports.one.all_of.1")), report(columns=("visit_c",))]
    with pytest.raises(ConfigError) as caught:
        market.saved_reports.check(asked)
    assert "saved_reports.one.all_of.1: it is integer and is compared with a whole number" in str(caught.value)
    assert 'saved_reports.one.columns.1: people have no field "visit_c"; did you mean "visits_c"' in str(caught.value)


def test_report_1_where_a_report_reads_the_database_itself_refuses_to_write(market: Market) -> None:
    with pytest.raises(MarketUnavailable), market.database.reading() as connection, read_only(connection):
        connection.execute(text("UPDATE contacts SET last_name = 'x'"))
    execute(market, "UPDATE contacts SET last_name = 'x'")  # and the connection that comes back can write again


def test_report_1_explain_shows_words_sql_values_plan_and_rows(market: Market) -> None:
    put(market, "contacts", person(1, email="a@x.example"), person(2))
    typed = ("contact_id", "created_at", "opt_out")
    found = market.saved_reports.explain(report(Term("email_key", "equals", "a@x.example"), columns=typed), NOW)
    assert found.words[-1] == '  - email_key is "a@x.example"'
    assert "FROM contacts AS people" in found.sql and "a@x.example" not in found.sql
    assert ("a@x.example" in dict(found.values).values()) and found.rows == 1
    assert any("contacts" in line or "people" in line for line in found.plan)


def test_report_1_an_address_is_looked_up_by_its_index(market: Market) -> None:
    """Conditions run over indexes where there are any; on PostgreSQL small tables are scanned whatever there is."""
    if market.database.lite:
        found = market.saved_reports.explain(report(Term("email_key", "equals", "a@x.example")), NOW)
        assert any("ix_contacts_email_key" in line for line in found.plan)


def test_consent_7_a_report_says_who_may_be_mailed_as_the_consent_rules_do(market: Market) -> None:
    """CONSENT-7, CONSENT-10, ADDR-3."""
    put(
        market,
        "contacts",
        person(1, email="fine@x.example"),
        person(2, email="shared@x.example"),
        person(3, email="shared@x.example", opt_out=True),
        person(4, email="guarded@x.example"),
        person(5, email=None),
        person(6, email="gone@x.example"),
        person(7, email="bounced@x.example"),
        person(8, email="merged@x.example"),
        person(9, email="merged@x.example"),
    )
    execute(market, "UPDATE contacts SET deleted_date = :now WHERE contact_id = 6", now="2026-01-01 00:00:00+00:00")
    execute(market, "UPDATE contacts SET del_status = 2 WHERE contact_id = 7")
    execute(market, "UPDATE contacts SET merged_into = 3 WHERE contact_id = 9")
    execute(
        market,
        "INSERT INTO guarded_watch (address, campaign, added_at, reason, who) VALUES ('guarded@x.example', '', :now, 'r', 'w')",
        now="2026-01-01 00:00:00+00:00",
    )
    assert keys(market, report(Term("consent.may_be_mailed", "equals", True), include_deleted=True)) == [1]
    assert keys(market, report(Term("consent.guarded", "not_equals", False))) == [4]


def test_del_4_a_preview_counts_by_type_and_names_ids_and_deletes_nothing(market: Market) -> None:
    put(market, "contacts", person(1, crm_type="Lead"), person(2, crm_type="Lead"), person(3, crm_type=None, crm_id=None), person(4))
    seen = market.saved_reports.preview(report(Term("contact_id", "lte", 3)), NOW)
    assert (seen.rows, seen.rows_before, seen.share) == (3, 4, 0.75)
    assert seen.by_type == (("Lead", 2), ("made in Market", 1))
    assert seen.examples == ("c1", "c2", "contact_id 3")
    assert ask(market, "SELECT count(*) FROM contacts WHERE deleted_date IS NOT NULL") == [(0,)]


def test_report_1_membership_of_lists_follows_who_is_on_them_now(market: Market) -> None:
    put(market, "contacts", *(person(number) for number in range(1, 5)))
    with market.database.writing() as connection:
        lists = (
            "INSERT INTO marketing_lists (list_id, connector, crm_id, list_name) VALUES (1, 'acme', 'l1', 'News'), (2, 'acme', 'l2', 'Old')"
        )
        connection.execute(text(lists))
        member = text(
            "INSERT INTO marketing_list_members (list_id, kind, crm_id, market_id, first_seen_at, left_at)"
            " VALUES (:list, :kind, :id, :row, '2026-01-01 00:00:00+00:00', :left)"
        )
        left = "2026-01-02 00:00:00+00:00"
        for list_, kind, row, gone in ((1, "lead", 1, None), (1, "contact", 2, left), (2, "lead", 3, None), (1, "account", 4, None)):
            connection.execute(member, {"list": list_, "kind": kind, "id": f"m{row}", "row": row, "left": gone})
    assert keys(market, report(Term("lists.name", "equals", "News"))) == [1]
    assert keys(market, report(Term("lists.name", "not_equals", "News"))) == [2, 3, 4]
    assert keys(market, report(Term("lists.name", "is_null"))) == [2, 4]
    assert keys(market, report(Term("lists.crm_id", "in", ("l1", "l2")))) == [1, 3]


@pytest.mark.parametrize(
    ("op", "value", "found"),
    [
        ("gt", 0.1, [1, 2, 3]),
        ("equals", 0.1, [4]),
        ("in", (0.1, 5), [3, 4]),
        ("not_in", (0.1, 5), [1, 2, 5]),
        ("lte", 1, [1, 4]),
        ("gte", 123456789012345, [2]),
        ("lt", 123456789012346, [1, 2, 3, 4]),
    ],
)
def test_report_1_long_decimals_are_compared_digit_by_digit(market: Market, op: str, value: Any, found: list[int]) -> None:
    amounts = ["0.1000000000000000001", "123456789012345.5000001", "5", "0.1", None]
    put(market, "opportunities", *({"opportunity_id": key, "amount": amount} for key, amount in enumerate(amounts, 1)))
    assert keys(market, report(Term("amount", op, value), of=Of.OPPORTUNITIES)) == found


def test_report_1_relative_dates_split_the_rows_in_two_at_the_instant(market: Market) -> None:
    make_columns(market)
    put(market, "contacts", *(person(key) for key in (1, 2, 3)))
    edge = NOW - timedelta(days=30)
    table = market.columns.table("contacts")
    with market.database.writing() as connection:
        for key, seen, born in ((1, edge - timedelta(microseconds=1), edge - timedelta(days=1)), (2, edge, edge)):
            connection.execute(table.update().where(table.c.contact_id == key).values(seen_c=seen, born_c=born.date()))
    for name in ("seen_c", "born_c"):
        assert keys(market, report(Term(name, "older_than_days", 30))) == [1]
        assert keys(market, report(Term(name, "newer_than_days", 30))) == [2]


ACTIVITY: dict[str, tuple[str, dict[str, Any], tuple[Term, ...]]] = {
    "sends": (
        "email_sends",
        {"event_id": "e", "campaign_id": 1, "address": "a", "sent_at": NOW, "opens": 2},
        (Term("campaign.campaign_key", "equals", "spring"), Term("opens", "gte", 2)),
    ),
    "opens": (
        "email_events",
        {"event_id": "e", "what": "open", "campaign_id": 1, "at": NOW},
        (Term("campaign.name", "equals", "Spring"), Term("at", "newer_than_days", 1)),
    ),
    "clicks": (
        "email_events",
        {"event_id": "e", "what": "click", "campaign_id": 1, "at": NOW, "url": "https://x.example/a"},
        (Term("url", "contains", "/A"), Term("person.email", "starts", "PERSON1")),
    ),
    "visits": (
        "web_visits",
        {"event_id": "e", "started_at": NOW},
        (Term("started_at", "gte", NOW), Term("page_views.count", "equals", 0)),
    ),
    "completions": (
        "completions",
        {"event_id": "e", "page_id": 1, "completed_at": NOW, "answers": '{"city": "Rome"}'},
        (Term("page.page_key", "equals", "p"), Term("answers", "contains", "rome")),
    ),
    "registrations": (
        "registrations",
        {"event_id": "e", "marketing_event_id": 1, "registered_at": NOW},
        (Term("event.place", "equals", "Rome"), Term("attended_at", "is_null")),
    ),
    "tasks": ("tasks", {"event_id": "e", "subject": "Call", "created_at": NOW, "due_at": NOW}, (Term("due_at", "in_next_days", 0),)),
    "scores": (
        "scores",
        {"profile_id": 1, "score": Decimal("51.5"), "scored_at": NOW},
        (Term("profile.profile_key", "equals", "default"), Term("score", "gte", 50)),
    ),
}


@pytest.mark.parametrize("name", ACTIVITY)
def test_report_1_what_people_did_is_counted_listed_and_never_deleted(market: Market, name: str) -> None:
    put(market, "contacts", person(1), person(2))
    table, row, where = ACTIVITY[name]
    with market.database.writing() as connection:
        for parent, values in (
            ("campaigns", {"campaign_id": 1, "campaign_key": "spring", "name": "Spring"}),
            ("landing_pages", {"page_id": 1, "page_key": "p", "name": "P"}),
            ("marketing_events", {"marketing_event_id": 1, "event_key": "e", "name": "Fair", "place": "Rome"}),
            ("scoring_profiles", {"profile_id": 1, "profile_key": "default", "name": "Default"}),
            (table, {"contact_id": 1, **row}),
        ):
            connection.execute(metadata.tables[parent].insert(), values)
    count = f"{name}.count"
    assert keys(market, report(Term(count, "gte", 1, where))) == [1]
    assert keys(market, report(Term(count, "equals", 0, where))) == [2]
    assert keys(market, report(Term(count, "gt", 1))) == []
    opposite = Term("contact_id", "gt", 1)
    assert keys(market, report(Term(count, "gte", 1, (*where, opposite)))) == []
    of = Of(name)
    listed = list(market.saved_reports.rows(report(*where, of=of, columns=("contact_id", "person.email")), NOW))
    assert listed == [(1, "person1@example.com")] and len(list(market.saved_reports.rows(report(of=of), NOW))) == 1
    with pytest.raises(ConfigError, match="activity stays"):
        refuse_deleting_by(report(*where, of=of))


def test_cust_2_a_custom_object_is_asked_about_listed_and_deleted_by(market: Market) -> None:
    """CUST-2, DEL-3, DEL-4, REPORT-1."""
    make_columns(market)
    put(market, "contacts", person(1), person(2))
    rows = [(1, 1, "active", 30), (2, 1, "ended", 30), (3, 2, "active", 90), (4, None, "active", -1)]
    table = market.columns.table("custom_subscription")
    with market.database.writing() as connection:
        for key, who, status, away in rows:
            ends = (NOW + timedelta(days=away)).date()
            connection.execute(table.insert(), {"record_id": key, "crm_id": f"s{key}", "contact_id": who, "status": status, "ends": ends})
    soon = (Term("status", "equals", "active"), Term("ends", "in_next_days", 60))
    assert keys(market, report(Term("custom_subscription.count", "gte", 1, soon))) == [1]
    of = Of("custom_subscription")
    assert keys(market, report(Term("person.contact_id", "is_null"), of=of)) == [4]
    ended = report(Term("status", "equals", "ended"), of=of)
    limits = BrakeLimits(0.9, 1)
    seen = market.saved_reports.preview(ended, NOW)
    assert (seen.rows, seen.rows_before, seen.examples) == (1, 4, ("s2",))
    assert market.mass_delete.delete(ended, Warrant("run", "me", "why", NOW, limits)).rows == 1
    assert keys(market, report(of=of)) == [1, 3, 4] and keys(market, report(of=of, include_deleted=True)) == [1, 2, 3, 4]
    with pytest.raises(ConfigError, match='people have no field "custom_nothing'):
        keys(market, report(Term("custom_nothing.count", "gte", 1)))
