"""Lists: pages, filters, order, zones, deleted rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from adapters.sandbox.sugarcrm import SandboxControl
from tests.adapters.sandbox.conftest import Client

Start = Callable[..., tuple[Client, SandboxControl]]
ALL: list[Any] = []


def keyset(client: Client, module: str, page_rows: int, **more: Any) -> list[str]:
    """Read a module to its end as a careful client does."""
    stamp, last, out = "1970-01-01T00:00:00Z", "", []
    while True:
        beyond = {
            "$or": [
                {"date_modified": {"$gt": stamp}},
                {"$and": [{"date_modified": {"$equals": stamp}}, {"id": {"$gt": last}}]},
            ]
        }
        body = {
            "filter": [beyond],
            "fields": "id",
            "max_num": page_rows,
            "order_by": "date_modified:ASC,id:ASC",
            **more,
        }
        page = client.good("POST", f"{module}/filter", body)
        out += [record["id"] for record in page["records"]]
        if page["next_offset"] == -1:
            return out
        stamp, last = page["records"][-1]["date_modified"], page["records"][-1]["id"]


def test_a_page_has_twenty_rows_when_nothing_is_said(client: Client) -> None:
    page = client.good("GET", "Contacts")
    assert (len(page["records"]), page["next_offset"]) == (20, 20)
    rest = client.good("GET", "Contacts?offset=20")
    assert (len(rest["records"]), rest["next_offset"]) == (10, -1)


def test_the_page_size_is_capped(start: Start) -> None:
    client, control = start(contacts=12, max_list_limit=10)
    assert len(client.good("GET", "Contacts?max_num=1000")["records"]) == 10
    control.set_limits(max_list_limit=5)
    assert client.good("GET", "Contacts?max_num=1000")["next_offset"] == 5


def test_id_and_stamp_always_come_and_unknown_fields_do_not(client: Client) -> None:
    record = client.found("Contacts", ALL, fields="last_name,no_such_field,opportunities")[0]
    assert set(record) == {"id", "date_modified", "last_name", "_acl", "_module"}


def test_contacts_have_many_plain_fields(client: Client) -> None:
    fields = client.good("GET", "metadata?type_filter=modules&module_filter=Contacts")["modules"]["Contacts"]["fields"]
    assert sum(spec["type"] not in ("link", "relate") for spec in fields.values()) >= 43


def test_values_have_the_types_of_the_wire(client: Client, control: SandboxControl) -> None:
    new_id = control.create(
        "Contacts",
        {
            "last_name": "T",
            "credit_limit_c": 25000,
            "interests_c": ["news", "a,b"],
            "visits_c": 3,
            "vip_c": True,
            "renewal_c": "2026-02-28",
            "email1": "types@example.com",
        },
    )
    record = client.good("GET", f"Contacts/{new_id}")
    assert record["credit_limit_c"] == "25000.000000"
    assert record["interests_c"] == ["news", "a,b"]
    assert (record["visits_c"], record["vip_c"], record["renewal_c"]) == (3, True, "2026-02-28")
    assert record["email"][0] == {
        "email_address_id": record["email"][0]["email_address_id"],
        "email_address": "types@example.com",
        "primary_address": True,
        "opt_out": False,
        "invalid_email": False,
        "reply_to_address": False,
    }


@pytest.mark.parametrize("page_rows", [1, 3, 7, 1000])
def test_keyset_paging_sees_every_row_once_even_in_one_second(start: Start, page_rows: int) -> None:
    client, control = start(contacts=25)
    ids = [record["id"] for record in control.dump("Contacts")]
    control.touch("Contacts", ids[:20], stamp=1767225600)
    assert sorted(keyset(client, "Contacts", page_rows)) == ids
    assert len(keyset(client, "Contacts", page_rows)) == 25


def test_offset_paging_loses_rows_when_a_colleague_saves(start: Start) -> None:
    client, control = start(contacts=40)
    control.set_editors({"module": "Contacts", "rows": 3, "every": 1, "seed": 5})
    seen: set[str] = set()
    offset = 0
    while offset != -1:
        page = client.good(
            "POST",
            "Contacts/filter",
            {"offset": offset, "max_num": 10, "order_by": "date_modified:ASC,id:ASC", "fields": "id"},
        )
        seen |= {record["id"] for record in page["records"]}
        offset = page["next_offset"]
    assert len(seen) < 40
    control.set_editors()
    assert len(keyset(client, "Contacts", 10)) == 40


def test_ids_sort_and_compare_byte_by_byte(start: Start) -> None:
    client, control = start()
    for record_id in ("seed_sally_id", "1", "B", "a", "Z9"):
        control.create("Contacts", {"id": record_id, "last_name": "x"})
    assert client.ids("Contacts", ALL, order_by="id:ASC") == ["1", "B", "Z9", "a", "seed_sally_id"]
    assert client.ids("Contacts", [{"id": {"$gt": "Z9"}}], order_by="id:ASC") == ["a", "seed_sally_id"]


def test_stamps_are_shown_in_the_zone_of_the_user(client: Client, control: SandboxControl) -> None:
    new_id = control.create("Contacts", {"last_name": "Z", "date_modified": "2026-07-01T12:00:00Z", "last_visit_c": "2026-01-01T12:00:00Z"})
    control.set_zone("mkt_sync", "America/New_York")
    try:
        record = client.good("GET", f"Contacts/{new_id}")
        preferences = client.good("GET", "me")["current_user"]["preferences"]
    finally:
        control.set_zone("mkt_sync", "UTC")
    assert record["date_modified"] == "2026-07-01T08:00:00-04:00"
    assert record["last_visit_c"] == "2026-01-01T07:00:00-05:00"
    assert preferences["timezone"] == "America/New_York"


def test_an_instant_without_an_offset_is_local_time_of_the_user(start: Start) -> None:
    client, control = start(time_zone="America/New_York")
    new_id = control.create("Contacts", {"last_name": "Z", "date_modified": "2026-07-01T12:00:00Z"})
    assert client.ids("Contacts", [{"date_modified": "2026-07-01T08:00:00"}]) == [new_id]
    assert client.ids("Contacts", [{"date_modified": "2026-07-01T12:00:00Z"}]) == [new_id]
    assert client.ids("Contacts", [{"date_modified": {"$gt": "2026-07-01T12:00:00"}}]) == []


def test_deleted_rows_are_stubs_and_only_on_request_until_they_are_pruned(start: Start) -> None:
    client, control = start()
    keep, gone = (control.create("Contacts", {"last_name": name}) for name in ("keep", "gone"))
    control.delete("Contacts", gone)
    assert client.ids("Contacts", ALL) == [keep]
    stubs = [record for record in client.found("Contacts", ALL, deleted=True) if record.get("deleted")]
    assert [set(stub) for stub in stubs] == [{"id", "date_modified", "deleted", "_acl"}]
    assert client.call("GET", f"Contacts/{gone}").status_code == 404
    assert client.good("GET", "Contacts/count")["record_count"] == 1
    assert control.prune() == 1
    assert client.ids("Contacts", ALL, deleted=True) == [keep]


def test_a_delayed_row_is_visible_only_later_with_its_early_stamp(start: Start) -> None:
    client, control = start(clock_fixed=1767225600.0)
    new_id = control.create("Contacts", {"last_name": "late"}, delay_s=60)
    assert client.ids("Contacts", ALL) == []
    control.advance_clock(61)
    assert client.found("Contacts", ALL)[0]["date_modified"] == "2026-01-01T00:00:00+00:00"
    control.edit("Contacts", new_id, {"last_name": "later"}, delay_s=60)
    assert client.found("Contacts", ALL)[0]["last_name"] == "late"
    control.advance_clock(61)
    assert client.found("Contacts", ALL)[0]["last_name"] == "later"


def test_a_delayed_change_of_a_record_that_was_deleted_meanwhile_is_lost_with_it(start: Start) -> None:
    """It fails for the colleague who saves, not for whoever asks next."""
    client, control = start(clock_fixed=1767225600.0)
    changed, gone, stays = (control.create("Contacts", {"last_name": name}) for name in ("changed", "gone", "stays"))
    control.edit("Contacts", changed, {"last_name": "late", "email1": "late@example.com"}, delay_s=60)
    control.delete("Contacts", gone, delay_s=60)
    control.delete("Contacts", changed)
    control.delete("Contacts", gone)
    control.advance_clock(100)
    assert client.ids("Contacts", ALL) == [stays]
    assert "late" not in str(control.dump("Contacts"))


PEOPLE = [
    {
        "id": "p1",
        "last_name": "Öztürk",
        "visits_c": 1,
        "credit_limit_c": "10.5",
        "vip_c": True,
        "tier_c": "g",
        "description": None,
        "email1": "One@Example.com",
    },
    {
        "id": "p2",
        "last_name": "abel",
        "visits_c": 20,
        "credit_limit_c": "9",
        "vip_c": False,
        "tier_c": "s",
        "description": "",
        "interests_c": ["news"],
    },
    {
        "id": "p3",
        "last_name": "Abelard",
        "visits_c": None,
        "renewal_c": "2026-03-01",
        "last_visit_c": "2026-03-01T10:00:00Z",
        "description": "x",
        "email1": "three@example.com",
    },
]
CASES: list[tuple[dict[str, Any], str]] = [
    ({"last_name": "ABEL"}, "p2"),
    ({"last_name": {"$equals": "öztürk"}}, "p1"),
    ({"last_name": {"$starts": "abel"}}, "p2 p3"),
    ({"last_name": {"$ends": "LARD"}}, "p3"),
    ({"last_name": {"$contains": "bel"}}, "p2 p3"),
    ({"last_name": {"$not_equals": "abel"}}, "p1 p3"),
    ({"tier_c": {"$in": ["g", "s"]}}, "p1 p2"),
    ({"tier_c": {"$not_in": ["g"]}}, "p2"),
    ({"visits_c": {"$is_null": ""}}, "p3"),
    ({"visits_c": {"$not_null": ""}}, "p1 p2"),
    ({"description": {"$empty": ""}}, "p1 p2"),
    ({"visits_c": {"$gte": 3}}, "p2"),
    ({"visits_c": {"$lt": "3"}}, "p1"),
    ({"visits_c": {"$between": [1, 20]}}, "p1 p2"),
    ({"credit_limit_c": {"$gt": 9.5}}, "p1"),
    ({"vip_c": True}, "p1"),
    ({"interests_c": {"$contains": "news"}}, "p2"),
    ({"renewal_c": {"$dateBetween": ["2026-02-01", "2026-03-01"]}}, "p3"),
    ({"last_visit_c": {"$lte": "2026-03-01"}}, "p3"),
    ({"last_visit_c": "2026-03-01"}, "p3"),
    ({"email1": "one@example.COM"}, "p1"),
    ({"email1": {"$in": ["three@example.com", "x@example.com"]}}, "p3"),
    ({"email_addresses.email_address": "three@example.com"}, "p3"),
    ({"id": {"$in": ["p1", "p3", "p9"]}}, "p1 p3"),
    ({"id": {"$not_in": ["p1"]}}, "p2 p3"),
    ({"$or": [{"id": "p1"}, {"tier_c": "s"}]}, "p1 p2"),
    ({"$and": [{"visits_c": {"$gte": 1}}, {"$or": [{"vip_c": True}, {"last_name": "nobody"}]}]}, "p1"),
    ({"visits_c": {"$gte": 1, "$lt": 10}}, "p1"),
    ({"date_modified": {"$dateRange": "today"}}, "p1 p2 p3"),
    ({"date_modified": {"$dateRange": "last_month"}}, ""),
    ({"$owner": ""}, ""),
]


@pytest.fixture(scope="module")
def people(sandbox: Any) -> Client:
    for person in PEOPLE:
        sandbox.control.create("Leads", person)
    return Client(sandbox.url)


@pytest.mark.parametrize(("condition", "expected"), CASES, ids=[str(case[0]) for case in CASES])
def test_filter_operators(people: Client, condition: dict[str, Any], expected: str) -> None:
    people.login()
    narrowed = [{"id": {"$in": ["p1", "p2", "p3"]}}, condition]
    assert client_ids(people, narrowed) == expected.split()
    assert people.good("POST", "Leads/filter/count", {"filter": narrowed})["record_count"] == len(expected.split())


def client_ids(client: Client, conditions: list[Any]) -> list[str]:
    return client.ids("Leads", conditions, order_by="id:ASC")


def test_the_query_form_of_a_filter(people: Client) -> None:
    people.login()
    query = "filter[0][last_name][$starts]=abel&filter[1][$or][0][id]=p2&filter[1][$or][1][id]=p1&fields=id"
    assert [r["id"] for r in people.good("GET", f"Leads/filter?{query}")["records"]] == ["p2"]
    assert people.good("GET", f"Leads/filter/count?{query}") == {"record_count": 1}


@pytest.mark.parametrize(
    "condition",
    [
        {"no_such": "x"},
        {"last_name": {"$like": "x"}},
        {"$not": []},
        {"date_modified": {"$gt": "soon"}},
        {"account_name": "x"},
    ],
)
def test_a_wrong_filter_is_422(client: Client, condition: dict[str, Any]) -> None:
    answer = client.call("POST", "Contacts/filter", {"filter": [condition]})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_parameter")


def test_rows_sort_by_any_field_with_nulls_first(people: Client) -> None:
    people.login()
    narrowed = [{"id": {"$in": ["p1", "p2", "p3"]}}]
    assert people.ids("Leads", narrowed, order_by="visits_c:DESC") == ["p2", "p1", "p3"]
    assert people.ids("Leads", narrowed, order_by="visits_c:ASC", max_num=2) == ["p3", "p1"]


def test_equality_on_a_stamp_may_match_the_whole_day(start: Start) -> None:
    client, control = start(equals_on_datetime_matches_day=True)
    control.create("Contacts", {"last_name": "x", "date_modified": "2026-05-05T10:00:00Z"})
    assert len(client.ids("Contacts", [{"date_modified": "2026-05-05T23:00:00Z"}])) == 1


def test_hidden_rows_vanish_without_a_trace(client: Client, control: SandboxControl) -> None:
    hidden = control.create("Contacts", {"last_name": "secret"})
    control.hide_rows("mkt_sync", "Contacts", [hidden])
    assert hidden not in client.ids("Contacts", ALL, deleted=True)
    assert client.call("GET", f"Contacts/{hidden}").status_code == 404
    control.hide_rows("mkt_sync", "Contacts", [hidden], hidden=False)
    assert client.good("GET", f"Contacts/{hidden}")["last_name"] == "secret"


def test_a_denied_module_is_403(client: Client, control: SandboxControl) -> None:
    control.deny("mkt_sync", "Notes")
    answer = client.call("GET", "Notes")
    assert (answer.status_code, answer.json()["error"]) == (403, "not_authorized")
    assert "Notes" not in client.good("GET", "metadata?type_filter=modules")["modules"]
    control.deny("mkt_sync", "Notes", denied=False)
    assert client.call("GET", "Notes").status_code == 200


def test_answers_are_compressed_on_request(client: Client, start: Start) -> None:
    assert client.call("GET", "Contacts").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in client.call("GET", "Contacts", headers={"Accept-Encoding": "identity"}).headers
    plain, _ = start(contacts=5, gzip_level=0)
    assert "Content-Encoding" not in plain.call("GET", "Contacts").headers


def test_a_skewed_clock_shows_in_the_date_header(client: Client, control: SandboxControl) -> None:
    control.set_clock(fixed=datetime.fromisoformat("2026-03-01T00:00:00+00:00").timestamp())
    assert client.call("GET", "Contacts", headers={"OAuth-Token": "x"}).headers["Date"] == "Sun, 01 Mar 2026 00:00:00 GMT"
    control.set_clock(skew_s=-3600, release=True)
    assert abs(control.set_clock() - (time.time() - 3600)) < 5


def test_the_call_log_counts_pages(client: Client, control: SandboxControl) -> None:
    control.reset_calls()
    client.ids("Contacts", [{"id": {"$gt": "5"}}], order_by="id:ASC")
    call = control.calls(module="Contacts")[-1]
    assert (call["method"], call["status"], call["user"]) == ("POST", 200, "mkt_sync")
    assert call["summary"]["filter"] == [{"id": {"$gt": "5"}}]
    assert control.call_count() == 1
