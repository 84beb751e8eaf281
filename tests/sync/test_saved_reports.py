"""Saved reports are read from the configuration, checked, and told in words (REPORT-1, DEL-3)."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from sync.errors import ConfigError
from sync.fields import ValueType
from sync.saved_report_fields import BY_DESIGN, OPERATORS, Known, report_mistakes
from sync.saved_report_relations import counted, parents
from sync.saved_report_words import in_words
from sync.saved_reports import Group, Of, SavedReport, Term
from sync.settings_parser import parse_settings, parse_toml


def parse(text: str) -> dict[str, SavedReport]:
    return dict(parse_settings(parse_toml(text, "test"), base_dir="/srv").saved_reports)


def report(lines: str, of: str = "people") -> SavedReport:
    return parse(f'[saved_reports.one]\nof = "{of}"\n{lines}')["one"]


def mistakes(lines: str, of: str = "people") -> str:
    with pytest.raises(ConfigError) as caught:
        report(lines, of)
    return str(caught.value)


def condition(text: str, of: str = "people") -> str:
    return mistakes(f"all_of = [{{ {text} }}]", of)


def test_report_1_a_report_holds_conditions_that_nest_and_its_uses() -> None:
    found = report(
        """
        all_of = [
          { field = "crm_type", op = "equals", value = "Lead" },
          { any_of = [{ field = "account.industry", op = "is_null" }], none_of = [{ field = "renewal_c", op = "gt", value = 1.5 }] },
        ]
        none_of = [{ field = "opportunities.count", op = "gte", value = 1, where = [{ field = "is_won", op = "equals", value = true }] }]
        columns = ["email", "owner.email"]
        order_by = ["-created_at"]
        do_not_pull = true
        auto_delete = true
        """
    )
    assert found.all_of == (
        Term("crm_type", "equals", "Lead"),
        Group(any_of=(Term("account.industry", "is_null"),), none_of=(Term("renewal_c", "gt", 1.5),)),
    )
    assert found.none_of == (Term("opportunities.count", "gte", 1, (Term("is_won", "equals", True),)),)
    assert (found.columns, found.order_by, found.uses) == (("email", "owner.email"), ("-created_at",), ("auto-deletion",))
    assert pickle.loads(pickle.dumps(found)) == found


def test_report_1_one_error_names_every_mistake_with_its_place_and_near_names() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(
            """
            [saved_reports.Bad]
            of = "peple"
            [saved_reports.deals]
            of = "opportunities"
            all_of = [{ field = "amout", op = "gt", value = 1 }, { any_of = [{ field = "is_won", op = "gt", value = true }] }]
            any_of = [{ field = "stage", op = "equal", value = "Won" }]
            none_of = []
            columns = ["owner.emial"]
            order_by = ["-close_dat"]
            """
        )
    said = str(caught.value)
    for line in (
        "saved_reports.Bad: a report's name has lower-case letters",
        "saved_reports.Bad.of: has to be one of people, accounts, opportunities, sends,",
        'saved_reports.deals.all_of.1: opportunities have no field "amout"; did you mean "amount"?',
        'saved_reports.deals.all_of.2.any_of.1: "is_won" is boolean and takes no gt; it takes equals, not_equals, is_null, not_null',
        "saved_reports.deals.any_of.1.op: has to be one of equals,",
        "saved_reports.deals.none_of: has to be a list of conditions that is not empty",
        'saved_reports.deals.columns.1: opportunities have no field "owner.emial"; did you mean "owner.email"',
        'saved_reports.deals.order_by.1: opportunities have no field "close_dat"; did you mean "close_date"',
    ):
        assert line in said
    assert said.startswith("8 mistakes")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('field = "opt_out", op = "equals", value = "true"', "it is boolean and is compared with true or false, without quotes"),
        ('field = "del_status", op = "equals", value = 1.5', "it is integer and is compared with a whole number"),
        ('field = "del_status", op = "lt", value = 9223372036854775808', "a whole number"),
        ('field = "crm_type", op = "equals", value = 1', "it is text and is compared with a text in quotes"),
        ('field = "crm_type", op = "in", value = []', "in takes a list of 1 to 500 values"),
        ('field = "crm_type", op = "in", value = ["a", 1]', "it is text and is compared with a text in quotes"),
        ('field = "crm_type", op = "equals", value = ["a"]', "equals takes one value"),
        ('field = "crm_type", op = "equals"', "equals takes one value"),
        ('field = "crm_type", op = "is_null", value = "a"', "is_null takes no value"),
        ('field = "crm_type", op = "equals", value = { a = 1 }', "has to be a text, a number"),
        ('field = "crm_type", op = "older_than_days", value = 1', "takes no older_than_days"),
        ('field = "created_at", op = "older_than_days", value = -1', "a whole number of days"),
        ('field = "created_at", op = "older_than_days", value = true', "a whole number of days"),
        ('field = "created_at", op = "lt", value = 2026-01-31T08:00:00', "a point in time with its offset"),
        ('field = "created_at", op = "lt", value = 2026-01-31', "a point in time with its offset"),
        ('field = "created_at", op = "lt", value = 0001-01-01T00:00:00+05:00', "a point in time with its offset"),
        ('field = "renewal_c", op = "older_than_days", value = "x"', "a whole number of days"),
        ('field = "account.industri", op = "gte", value = { }', "has to be a text, a number"),
        ('field = "acount.industry", op = "is_null"', 'did you mean "account.industry"'),
        ('field = "lists.nam", op = "is_null"', 'did you mean "lists.name"'),
        ('field = "opportunities.count", op = "in", value = [1]', "is a count and takes no in"),
        ('field = "opportunities.amount", op = "gt", value = 1', 'people have no field "opportunities.amount"'),
        ('field = "crm_type", op = "is_null", where = [{ field = "a", op = "is_null" }]', "where belongs to a count"),
        ('field = "opportunities.count", op = "gt", value = 0, where = [{ field = "is_wonn", op = "is_null" }]', "where.1: opportunities"),
        ('feld = "crm_type", op = "is_null"', 'is no setting; did you mean "field"?'),
        ('field = "outbox.value", op = "is_null"', 'people have no field "outbox.value"'),
        ('field = "owner.password", op = "is_null"', 'people have no field "owner.password"'),
    ],
)
def test_report_1_a_wrong_condition_is_told_before_anything_runs(text: str, said: str) -> None:
    assert said in condition(text)


def test_report_1_decimals_hold_as_many_digits_as_the_configuration_gives_back() -> None:
    assert "at most 15 digits" in condition('field = "amount", op = "gt", value = 1234567890123456', "opportunities")
    assert "at most 15 digits" in condition('field = "amount", op = "gt", value = nan', "opportunities")
    assert report('all_of = [{ field = "amount", op = "gt", value = 0.1 }]', "opportunities").all_of == (Term("amount", "gt", 0.1),)


def test_report_1_a_column_that_only_the_database_knows_is_checked_when_the_report_runs() -> None:
    found = report('all_of = [{ field = "renewal_c", op = "gt", value = "x" }, { field = "nobody_c", op = "is_null" }]')
    people = {**BY_DESIGN.tables["contacts"], "renewal_c": ValueType.DECIMAL}
    real = Known({**BY_DESIGN.tables, "contacts": people}, whole=True)
    assert list(report_mistakes(found, real)) == [
        ("saved_reports.one.all_of.1", "it is decimal and is compared with a number of at most 15 digits, without quotes"),
        ("saved_reports.one.all_of.2", 'people have no field "nobody_c"'),
    ]


def test_report_1_the_conditions_of_a_count_are_checked_when_the_report_runs() -> None:
    counted = Term("people.count", "gt", 0, (Group(none_of=(Term("renewal_c", "is_null", place="deep"),)),))
    found = SavedReport(name="one", of=Of.ACCOUNTS, all_of=(counted,))
    whole = Known(BY_DESIGN.tables, whole=True)
    assert list(report_mistakes(found, BY_DESIGN)) == []
    assert list(report_mistakes(found, whole)) == [("deep", 'people have no field "renewal_c"')]


@pytest.mark.parametrize(
    ("lines", "of", "said"),
    [
        ("auto_delete = true", "people", "needs at least one condition"),
        ('auto_delete = true\nall_of = [{ field = "email", op = "is_null" }]\nlimit = 5', "people", "does not go with auto_delete"),
        ('segment = true\ninclude_deleted = true\nall_of = [{ field = "email", op = "is_null" }]', "people", "does not go with segment"),
        ("segment = true", "accounts", "is a list of people"),
        ('auto_delete = true\nall_of = [{ field = "at", op = "older_than_days", value = 9 }]', "opens", "opens stay for good"),
        ("limit = 0", "people", "at least 1"),
        ('columns = ["lists.name"]', "people", "may be several"),
        ('order_by = ["lists.name"]', "people", "may be several"),
    ],
)
def test_del_3_uses_that_do_not_go_with_a_report_are_refused(lines: str, of: str, said: str) -> None:
    assert said in mistakes(lines, of)


def test_report_1_conditions_are_limited_in_depth_and_number() -> None:
    deep = '{ field = "email", op = "is_null" }'
    for _ in range(9):
        deep = f"{{ any_of = [{deep}] }}"
    assert "nested more than 8 deep" in mistakes(f"all_of = [{deep}]")
    many = ", ".join(['{ field = "email", op = "is_null" }'] * 201)
    assert "more than 200 conditions" in mistakes(f"all_of = [{many}]")


def test_report_1_an_unknown_report_is_refused_with_near_names() -> None:
    settings = parse_settings(parse_toml('[saved_reports.stale]\nof = "people"', "test"), base_dir="/srv")
    with pytest.raises(ConfigError, match='did you mean "stale"'):
        settings.saved_report("stail")


def test_report_1_a_report_is_told_in_words() -> None:
    found = report(
        """
        all_of = [
          { field = "crm_type", op = "in", value = ["Lead", "Contact"] },
          { field = "created_at", op = "older_than_days", value = 30 },
          { field = "opportunities.count", op = "lt", value = 2, where = [{ field = "is_closed", op = "equals", value = false }] },
          { none_of = [{ field = "lists.name", op = "not_equals", value = "News" }, { field = "lists.type", op = "is_null" }] },
        ]
        any_of = [{ field = "consent.may_be_mailed", op = "not_equals", value = true }]
        """
    )
    assert in_words(found) == (
        "people that are not deleted or merged away, for which",
        "  all of this holds:",
        '  - crm_type is one of "Lead", "Contact"',
        "  - created_at lies more than 30 days back",
        "  - the number of its opportunities is less than 2",
        "    counting only those for which all of this holds:",
        "    - is_closed is false",
        "  - none of this holds:",
        '    - it is on no marketing list whose name is "News"',
        "    - it is on no marketing list",
        "  at least one of this holds:",
        "  - the person may not be mailed",
    )
    assert in_words(replace(found, all_of=(), any_of=(), include_deleted=True)) == ("every row of people, deleted and merged ones as well",)


def test_cust_2_report_1_activity_and_custom_objects_are_asked_about_and_told_in_words() -> None:
    found = report(
        """
        all_of = [
          { field = "opens.count", op = "gte", value = 2, where = [
            { field = "campaign.name", op = "equals", value = "Spring" }, { field = "at", op = "newer_than_days", value = 30 } ] },
          { field = "custom_subscription.count", op = "gte", value = 1, where = [{ field = "end_date", op = "in_next_days", value = 60 }] },
        ]
        none_of = [{ field = "visits.count", op = "gt", value = 0, where = [{ field = "page_views.count", op = "gte", value = 3 }] }]
        """
    )
    assert in_words(found)[1:] == (
        "  all of this holds:",
        "  - the number of its opens is at least 2",
        "    counting only those for which all of this holds:",
        '    - campaign.name is "Spring"',
        "    - at lies at most 30 days back, or ahead",
        "  - the number of its custom_subscription is at least 1",
        "    counting only those for which all of this holds:",
        "    - end_date lies ahead, at most 60 days",
        "  none of this holds:",
        "  - the number of its visits is more than 0",
        "    counting only those for which all of this holds:",
        "    - the number of its page_views is at least 3",
    )
    assert in_words(report('all_of = [{ field = "campaign.name", op = "is_null" }]', "clicks"))[0] == "clicks, for which"
    assert report('all_of = [{ field = "anything", op = "is_null" }]', "custom_subscription").of is Of("custom_subscription")


@pytest.mark.parametrize(
    ("lines", "of", "said"),
    [
        (
            'all_of = [{ field = "opens.count", op = "gte", value = 1, where = [{ field = "campain.name", op = "is_null" }] }]',
            "people",
            "opens have no field",
        ),
        ('all_of = [{ field = "opens.count", op = "gte", value = 1 }]', "accounts", 'accounts have no field "opens.count"'),
        ('all_of = [{ field = "outbox.count", op = "gte", value = 1 }]', "people", "people have no field"),
        ('all_of = [{ field = "campaigns.name", op = "is_null" }]', "opens", 'did you mean "campaign.name"'),
        ('columns = ["quarantine_id"]', "tasks", "tasks have no field"),
        ("", "custom_", "has to be one of people"),
        ("", "email_sends", "has to be one of people"),
    ],
)
def test_report_1_only_the_tables_of_a_report_are_ever_asked(lines: str, of: str, said: str) -> None:
    assert said in mistakes(lines, of)


@pytest.mark.parametrize("value", ["2026-01-31", date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)])
def test_report_1_days_and_instants_are_told_apart(value: Any) -> None:
    day = SavedReport(name="one", of=Of.OPPORTUNITIES, all_of=(Term("close_date", "lt", value),))
    instant = SavedReport(name="one", of=Of.OPPORTUNITIES, all_of=(Term("created_at", "lt", value),))
    is_instant = isinstance(value, datetime)
    assert bool(list(report_mistakes(day, BY_DESIGN))) is is_instant
    assert bool(list(report_mistakes(instant, BY_DESIGN))) is not is_instant


def test_report_1_the_examples_of_the_documentation_are_valid() -> None:
    page = (Path(__file__).parents[2] / "docs" / "saved-reports.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert [list(parse(example)) for example in examples] == [["stale_leads"], ["warm", "renewals"]]


def test_report_1_the_documentation_names_every_operator_and_relation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "saved-reports.md").read_text(encoding="utf-8")
    rows = [*Of, Of("custom_NAME".lower())]
    relations = [f"{name}." for of in rows for name in (*parents(of), *counted(of, BY_DESIGN))]
    assert [word for word in (*OPERATORS, *relations) if f"`{word}" not in page] == []
