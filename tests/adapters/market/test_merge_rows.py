"""CUST-3: the rows that a merge field shows are those of one person; on both databases, and read only."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.market.columns import CatalogueEntry
from adapters.market.engine import Market
from sync.errors import ConfigError
from sync.fields import DATE, TEXT
from sync.merge_fields import MergeField
from sync.records import Kind
from sync.saved_reports import Of, SavedReport, Term
from tests.adapters.market.building import NOW, execute, person, put, say

SUBSCRIPTIONS = Of("custom_subscription")
REPORT = SavedReport(name="active", of=SUBSCRIPTIONS, all_of=(Term("status", "equals", "active"),), columns=("name", "ends"))


@pytest.fixture
def subscribed(market: Market) -> Market:
    """Three people, of whom the third was merged into the first, and their subscriptions."""
    kind = Kind("custom_subscription")
    columns = {"name": TEXT, "status": TEXT, "ends": DATE}
    market.columns.add([CatalogueEntry("acme", kind, each, "any", kind.table, each, type_) for each, type_ in columns.items()], NOW)
    put(market, "accounts", {"account_id": 2, "account_name": "Acme"})
    put(market, "contacts", person(1, account_id=2), person(2), person(3, email="three@x.example"))
    execute(market, "UPDATE contacts SET merged_into = 1 WHERE contact_id = 3")
    rows = [
        (1, "Gold", "active", "2026-05-01"),
        (1, "Silver", "active", "2026-04-01"),
        (1, "Old", "ended", "2025-01-01"),
        (2, "X", "active", None),
    ]
    put(
        market,
        "custom_subscription",
        *(
            {"record_id": number, "crm_id": f"s{number}", "contact_id": who, "name": name, "status": status, "ends": ends}
            for number, (who, name, status, ends) in enumerate(rows, 1)
        ),
    )
    return market


def shown(market: Market, contact_id: int, report: SavedReport = REPORT, **more: Any) -> list[tuple[Any, ...]]:
    merge = MergeField(name="one", report=report.name, **more)
    return [tuple(row.values()) for row in market.merge_rows.of_person(merge, report, contact_id, NOW)]


def test_cust_3_only_the_person_s_own_rows_are_shown_in_order_and_limited(subscribed: Market) -> None:
    assert [name for name, _ in shown(subscribed, 1, order_by=("ends",))] == ["Silver", "Gold"]
    assert [name for name, _ in shown(subscribed, 1, order_by=("-ends",), limit=1)] == ["Gold"]
    assert shown(subscribed, 2) == [("X", None)]
    assert [name for name, _ in shown(subscribed, 3, order_by=("ends",))] == ["Silver", "Gold"], "who was merged away has the winner's rows"
    with pytest.raises(ConfigError, match="there is no person 99"):
        shown(subscribed, 99)


def test_cust_3_a_person_s_account_and_the_person_can_be_shown_too(subscribed: Market) -> None:
    of_accounts = SavedReport(name="r", of=Of.ACCOUNTS, columns=("account_name",))
    of_people = SavedReport(name="r", of=Of.PEOPLE, columns=("email", "account.account_name", "custom_subscription.count"))
    assert shown(subscribed, 1, of_accounts) == [("Acme",)] and shown(subscribed, 2, of_accounts) == []
    assert shown(subscribed, 1, of_people) == [("person1@example.com", "Acme", 3)]


def test_cust_3_activity_can_be_shown(subscribed: Market) -> None:
    say(subscribed, "campaigns", campaign_id=1, campaign_key="k", name="Spring")
    for number, (who, what) in enumerate([(1, "open"), (1, "click"), (2, "open")], 1):
        at = f"2026-02-0{number} 08:00:00+00:00"
        say(subscribed, "email_events", event_id=f"e{number}", what=what, campaign_id=1, contact_id=who, at=at)
    assert [row[0] for row in shown(subscribed, 1, SavedReport(name="r", of=Of.OPENS, columns=("campaign.name",)))] == ["Spring"]


def test_cust_3_what_the_tables_do_not_have_is_told_with_its_place(subscribed: Market) -> None:
    with pytest.raises(ConfigError, match=r'merge_fields.one: custom_subscription have no field "nam"; did you mean "name"'):
        shown(subscribed, 1, row="{nam}")
    with pytest.raises(ConfigError, match="name} is text and no day"):
        shown(subscribed, 1, row="{name:%d}")
    with pytest.raises(ConfigError, match="rows of page_views belong to no person"):
        shown(subscribed, 1, SavedReport(name="r", of=Of.PAGE_VIEWS))
    with pytest.raises(ConfigError, match='there is no custom object "custom_nothing"'):
        shown(subscribed, 1, SavedReport(name="r", of=Of("custom_nothing")))


def test_cust_3_of_several_people_with_an_address_the_living_one_written_last_comes_first(subscribed: Market) -> None:
    put(subscribed, "contacts", person(7, email="person2@example.com"))
    execute(subscribed, "UPDATE contacts SET updated_at = '2026-01-01 00:00:00+00:00' WHERE contact_id = 2")
    execute(subscribed, "UPDATE contacts SET updated_at = '2026-02-01 00:00:00+00:00' WHERE contact_id = 7")
    assert subscribed.merge_rows.people_with(" Person2@Example.com") == (7, 2)
    assert subscribed.merge_rows.people_with("three@x.example") == ()
