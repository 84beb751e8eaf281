"""Queries are parsed and run as Salesforce does it: two truth values, case-insensitive text, its own refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sandbox.salesforce import SalesforceControl, SalesforceSandboxSettings, start_sandbox
from tests.adapters.sandbox.salesforce.conftest import EMPTY, Client

Start = Callable[..., tuple[Client, SalesforceControl]]
Row = dict[str, Any]
PEOPLE: list[Row] = [
    {"LastName": "alpha", "Title": None, "Mkt_Score__c": None, "HasOptedOutOfEmail": False, "Birthdate": "1980-02-03"},
    {"LastName": "Beta", "Title": "Chief", "Mkt_Score__c": 1.5, "HasOptedOutOfEmail": True, "Birthdate": None},
    {"LastName": "gamma's", "Title": "chief of staff", "Mkt_Score__c": 3.0, "HasOptedOutOfEmail": False, "Birthdate": "1990-12-31"},
    {"LastName": "50%_off\\", "Title": "CEO", "Mkt_Score__c": -2.0, "HasOptedOutOfEmail": False, "Birthdate": "1980-02-03"},
    {"LastName": "é\nü", "Title": None, "Mkt_Score__c": 0.0, "HasOptedOutOfEmail": True, "Birthdate": "2000-01-01"},
]


@pytest.fixture(scope="module")
def asked() -> Iterator[Client]:
    """An org with these people and nobody else."""
    with start_sandbox(SalesforceSandboxSettings(**EMPTY)) as running:
        client = Client(running.url)
        client.login()
        for row in PEOPLE:
            running.control.create("Contact", row)
        yield client
        client.http.close()


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("LastName = 'ALPHA'", {"alpha"}),
        ("LastName = 'gamma\\'s'", {"gamma's"}),
        ("LastName = 'é\\nü'", {"é\nü"}),
        ("Title = null", {"alpha", "é\nü"}),
        ("Title != 'chief'", {"alpha", "gamma's", "50%_off\\", "é\nü"}),
        ("NOT Title = 'chief'", {"alpha", "gamma's", "50%_off\\", "é\nü"}),
        ("Title LIKE 'ch%'", {"Beta", "gamma's"}),
        ("NOT(Title LIKE 'ch%')", {"alpha", "50%_off\\", "é\nü"}),
        ("LastName LIKE '50\\%\\_%'", {"50%_off\\"}),
        ("LastName LIKE '%\\\\'", {"50%_off\\"}),
        ("LastName LIKE '_eta'", {"Beta"}),
        ("Title IN ('ceo', 'Chief')", {"Beta", "50%_off\\"}),
        ("Title NOT IN ('ceo', 'Chief')", {"alpha", "gamma's", "é\nü"}),
        ("Mkt_Score__c > 0", {"Beta", "gamma's"}),
        ("NOT(Mkt_Score__c > 0)", {"alpha", "50%_off\\", "é\nü"}),
        ("Mkt_Score__c <= 0.0 AND HasOptedOutOfEmail = true", {"é\nü"}),
        ("(Mkt_Score__c = 3 OR Mkt_Score__c = 1.5) AND HasOptedOutOfEmail != true", {"gamma's"}),
        ("Birthdate < 1985-01-01", {"alpha", "50%_off\\"}),
        ("CALENDAR_YEAR(Birthdate) = 1980", {"alpha", "50%_off\\"}),
        ("Name LIKE '%A%' AND Account.Name = null", {"alpha", "Beta", "gamma's"}),
    ],
)
def test_a_condition_keeps_what_salesforce_would_keep(asked: Client, where: str, names: set[str]) -> None:
    assert set(asked.column(f"SELECT LastName FROM Contact WHERE {where}")) == names
    assert asked.count(f"SELECT COUNT() FROM Contact WHERE {where}") == len(names)


def test_days_are_those_of_the_users_zone(start: Start) -> None:
    """00:30 of Friday the 13th in Berlin is Thursday evening in UTC."""
    now = datetime(2026, 3, 12, 23, 30, tzinfo=UTC)
    client, control = start(clock_fixed=now.timestamp())
    for name, hours in (("now", 0), ("an hour ago", 1), ("two days ago", 48), ("last month", 24 * 20)):
        stamp = (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        control.create("Contact", {"LastName": name, "CreatedDate": stamp})
    words = {
        "= TODAY": {"now"},
        "= YESTERDAY": {"an hour ago"},
        "< TODAY": {"an hour ago", "two days ago", "last month"},
        "= LAST_N_DAYS:1": {"now", "an hour ago"},
        "= THIS_MONTH": {"now", "an hour ago", "two days ago"},
        "= LAST_MONTH": {"last month"},
        ">= LAST_N_MONTHS:1": {"now", "an hour ago", "two days ago", "last month"},
    }
    for word, names in words.items():
        assert set(client.column(f"SELECT LastName FROM Contact WHERE CreatedDate {word}")) == names, word
    control.set_zone("UTC")
    assert set(client.column("SELECT LastName FROM Contact WHERE CreatedDate = TODAY")) == {"now", "an hour ago"}
    assert client.query_refusal("SELECT Id FROM Contact WHERE CreatedDate = THIS_CENTURY") == "MALFORMED_QUERY"


def _texts() -> st.SearchStrategy[tuple[str, Callable[[Row], bool]]]:
    def condition(draw: tuple[str, str, str | None]) -> tuple[str, Callable[[Row], bool]]:
        field, op, value = draw
        wanted = None if value is None else value.strip().lower() or None
        text = f"{field} {op} {'null' if value is None else quoted(value)}"

        def holds(row: Row) -> bool:
            held = row[field].lower() if row[field] else None
            same = held == wanted
            return same if op == "=" else not same

        return text, holds

    values = st.none() | st.sampled_from(["alpha", "BETA", "gamma's", "chief", "CEO", "50%_off\\", "nobody"])
    return st.tuples(st.sampled_from(["LastName", "Title"]), st.sampled_from(["=", "!="]), values).map(condition)


def _numbers() -> st.SearchStrategy[tuple[str, Callable[[Row], bool]]]:
    def condition(draw: tuple[str, float]) -> tuple[str, Callable[[Row], bool]]:
        op, value = draw

        def holds(row: Row) -> bool:
            held = row["Mkt_Score__c"]
            if op in ("=", "!="):
                return (held == value) == (op == "=")
            return held is not None and {"<": held < value, ">": held > value, "<=": held <= value, ">=": held >= value}[op]

        return f"Mkt_Score__c {op} {value}", holds

    return st.tuples(st.sampled_from(["=", "!=", "<", ">", "<=", ">="]), st.sampled_from([-2.0, 0.0, 1.5, 2.0, 3.0])).map(condition)


def _joined(inner: st.SearchStrategy[tuple[str, Callable[[Row], bool]]]) -> st.SearchStrategy[tuple[str, Callable[[Row], bool]]]:
    def both(draw: tuple[str, Any, Any]) -> tuple[str, Callable[[Row], bool]]:
        op, (left, holds_left), (right, holds_right) = draw
        every = all if op == "AND" else any
        return f"(({left}) {op} ({right}))", lambda row: every((holds_left(row), holds_right(row)))

    def opposite(draw: Any) -> tuple[str, Callable[[Row], bool]]:
        text, holds = draw
        return f"(NOT ({text}))", lambda row: not holds(row)

    return st.tuples(st.sampled_from(["AND", "OR"]), inner, inner).map(both) | inner.map(opposite)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(_texts() | _numbers(), _joined, max_leaves=6))
def test_any_condition_means_what_two_valued_logic_says(asked: Client, condition: tuple[str, Callable[[Row], bool]]) -> None:
    text, holds = condition
    assert set(asked.column(f"SELECT LastName FROM Contact WHERE {text}")) == {row["LastName"] for row in PEOPLE if holds(row)}


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FRM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Title = 'a' AND Title = 'b' OR Title = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Title = 'a", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact LIMIT -1", "MALFORMED_QUERY"),
        ("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Title, COUNT(Id) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Nothing FROM Contact", "INVALID_FIELD"),
        ("SELECT Id, Id FROM Contact", "INVALID_FIELD"),
        ("SELECT Nothing.Name FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Title = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Mkt_Score__c = '5'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Description LIKE 'a%'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact ORDER BY Description", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE AccountId = 'abc'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact WHERE Id IN (SELECT Title FROM Contact)", "MALFORMED_QUERY"),
    ],
)
def test_a_wrong_query_is_refused_by_its_code(asked: Client, soql: str, code: str) -> None:
    assert asked.query_refusal(soql) == code


def test_text_is_sorted_without_case_and_nothing_comes_first(asked: Client) -> None:
    assert asked.column("SELECT LastName FROM Contact WHERE LastName LIKE '%a%' ORDER BY LastName DESC") == ["gamma's", "Beta", "alpha"]
    assert asked.column("SELECT Mkt_Score__c FROM Contact ORDER BY Mkt_Score__c") == [None, -2.0, 0.0, 1.5, 3.0]
    assert asked.column("SELECT Mkt_Score__c FROM Contact ORDER BY Mkt_Score__c DESC NULLS LAST LIMIT 2 OFFSET 1") == [1.5, 0.0]


def test_groups_are_counted_and_summed(asked: Client) -> None:
    rows = asked.query("SELECT HasOptedOutOfEmail out, COUNT(Id), MAX(Mkt_Score__c) best FROM Contact GROUP BY HasOptedOutOfEmail")
    assert {(row["out"], row["expr0"], row["best"]) for row in rows} == {(False, 3, 3.0), (True, 2, 1.5)}
    twice = asked.query("SELECT Birthdate FROM Contact GROUP BY Birthdate HAVING COUNT(Id) > 1")
    assert [row["Birthdate"] for row in twice] == ["1980-02-03"]


def test_parents_children_and_polymorphic_references_come_along(start: Start) -> None:
    client, control = start()
    account = control.create("Account", {"Name": "Acme"})
    contact = control.create("Contact", {"LastName": "Eins", "AccountId": account})
    control.create("Contact", {"LastName": "Zwei"})
    lead = control.create("Lead", {"LastName": "Drei", "Company": "C"})
    for who in (contact, lead):
        control.create("Task", {"WhoId": who, "Subject": "Call"})
    rows = {row["LastName"]: row for row in client.query("SELECT LastName, Account.Name, Account.Owner.Username FROM Contact")}
    assert rows["Zwei"]["Account"] is None
    assert (rows["Eins"]["Account"]["Name"], rows["Eins"]["Account"]["Owner"]["Username"]) == ("Acme", "user0@example.com")
    whos = {(row["Who"]["Type"], row["Who"]["LastName"]) for row in client.query("SELECT Who.Type, Who.LastName FROM Task")}
    assert whos == {("Contact", "Eins"), ("Lead", "Drei")}
    (nested,) = client.query("SELECT Id, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account")
    assert [row["LastName"] for row in nested["Contacts"]["records"]] == ["Eins"]
    assert client.column("SELECT Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact)") == ["Acme"]
    assert client.column("SELECT LastName FROM Contact c WHERE c.Account.Name = 'acme'") == ["Eins"]
