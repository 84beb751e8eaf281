"""Creating, changing, linking, upserting, in one call or in bulk."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.sandbox.sugarcrm import FaultRule, SandboxControl
from tests.adapters.sandbox.conftest import Client

Start = Callable[..., tuple[Client, SandboxControl]]


def stamp_of(control: SandboxControl, module: str, record_id: str) -> str:
    record = control.stored(module, record_id)
    assert record is not None
    return str(record["date_modified"])


def test_the_client_may_choose_the_id_once(client: Client) -> None:
    assert client.good("POST", "Contacts", {"id": "mine-1", "last_name": "A"})["id"] == "mine-1"
    answer = client.call("POST", "Contacts", {"id": "mine-1", "last_name": "B"})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_parameter")
    assert client.good("DELETE", "Contacts/mine-1") == {"id": "mine-1"}
    assert client.call("POST", "Contacts", {"id": "mine-1", "last_name": "B"}).status_code == 422


def test_a_required_field_is_required(client: Client) -> None:
    answer = client.call("POST", "Contacts", {"first_name": "A"})
    assert (answer.status_code, answer.json()["error"]) == (422, "missing_parameter")


def test_fields_parameter_narrows_the_answer_of_a_write(client: Client) -> None:
    record = client.good("POST", "Leads?fields=id", {"last_name": "A"})
    assert set(record) == {"id", "date_modified", "_acl", "_module"}


def test_read_only_fields_and_unknown_fields_are_dropped_without_a_word(client: Client) -> None:
    body = {"last_name": "A", "date_entered": "1999-01-01T00:00:00Z", "no_such": 1, "sync_key": "x", "created_by": "y"}
    record = client.good("POST", "Contacts", body)
    assert not record["date_entered"].startswith("1999")
    assert record["sync_key"] is None
    assert "no_such" not in record


@pytest.mark.parametrize(
    "values",
    [
        {"visits_c": "many"},
        {"renewal_c": "soon"},
        {"tier_c": "platinum"},
        {"credit_limit_c": "n/a"},
        {"last_visit_c": "x"},
        {"email": [{"email_address": "nobody"}]},
        {"interests_c": 7},
    ],
)
def test_values_that_make_no_sense_are_422(client: Client, values: dict[str, Any]) -> None:
    before = client.good("GET", "Contacts/count")
    answer = client.call("POST", "Contacts", {"last_name": "A", **values})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_parameter")
    assert client.good("GET", "Contacts/count") == before


def test_a_long_text_is_cut_without_a_word(client: Client) -> None:
    assert len(client.good("POST", "Contacts", {"last_name": "x" * 300})["last_name"]) == 255


def test_a_put_moves_the_stamp_even_without_a_change(client: Client, control: SandboxControl) -> None:
    new_id = control.create("Contacts", {"last_name": "A", "date_modified": "2020-01-01T00:00:00Z"})
    client.good("PUT", f"Contacts/{new_id}", {"last_name": "A"})
    assert not stamp_of(control, "Contacts", new_id).startswith("2020")


def test_an_old_version_is_an_edit_conflict_with_the_present_record(client: Client, control: SandboxControl) -> None:
    new_id = control.create("Contacts", {"last_name": "A", "date_modified": "2020-01-01T00:00:00Z"})
    old = {"X-TIMESTAMP": "2019-01-01T00:00:00Z"}
    answer = client.call("PUT", f"Contacts/{new_id}", {"last_name": "B"}, headers=old)
    assert (answer.status_code, answer.json()["error"]) == (409, "edit_conflict")
    assert answer.json()["record"]["last_name"] == "A"
    right = {"X-TIMESTAMP": "2019-12-31T19:00:00-05:00"}
    assert client.call("PUT", f"Contacts/{new_id}", {"last_name": "B"}, headers=right).status_code == 200


def test_the_email_array_replaces_the_whole_list(client: Client) -> None:
    addresses = [{"email_address": "a1@example.com", "primary_address": True}, {"email_address": "a2@example.com"}]
    new_id = client.good("POST", "Contacts", {"last_name": "A", "email": addresses})["id"]
    record = client.good("PUT", f"Contacts/{new_id}", {"email": [{"email_address": "a3@example.com"}]})
    assert [entry["email_address"] for entry in record["email"]] == ["a3@example.com"]
    assert record["email1"] == "a3@example.com"


def test_email1_sets_the_primary_address_and_keeps_the_others(client: Client) -> None:
    addresses = [{"email_address": "b1@example.com", "primary_address": True}, {"email_address": "b2@example.com"}]
    new_id = client.good("POST", "Contacts", {"last_name": "A", "email": addresses})["id"]
    record = client.good("PUT", f"Contacts/{new_id}", {"email1": "b3@example.com"})
    assert [(e["email_address"], e["primary_address"]) for e in record["email"]] == [
        ("b3@example.com", True),
        ("b2@example.com", False),
    ]


def test_an_opt_out_lives_on_the_shared_address_and_moves_no_stamp(client: Client, control: SandboxControl) -> None:
    shared = {"email1": "Shared@example.com", "date_modified": "2020-01-01T00:00:00Z", "last_name": "A"}
    contact = control.create("Contacts", shared)
    lead = control.create("Leads", {**shared, "email1": "shared@EXAMPLE.com"})
    assert control.opt_out("SHARED@example.com") == 1
    for module, record_id in (("Contacts", contact), ("Leads", lead)):
        record = client.good("GET", f"{module}/{record_id}")
        assert record["email"][0]["opt_out"] is True
        assert record["email_opt_out"] is True
        assert record["date_modified"].startswith("2020-01-01")
    found = client.found("EmailAddresses", [{"opt_out": True}, {"date_modified": {"$gte": "2026-01-02T00:00:00Z"}}])
    assert [row["email_address"] for row in found] == ["Shared@example.com"]
    assert contact in client.ids("Contacts", [{"email_addresses.opt_out": True}])


def test_an_opt_out_pushed_by_one_record_hits_the_other(client: Client, control: SandboxControl) -> None:
    ids = [control.create("Contacts", {"last_name": n, "email1": "two@example.com"}) for n in ("A", "B")]
    before = stamp_of(control, "Contacts", ids[1])
    entry = client.good("GET", f"Contacts/{ids[0]}")["email"][0]
    client.good("PUT", f"Contacts/{ids[0]}", {"email": [{**entry, "opt_out": True}]})
    assert client.good("GET", f"Contacts/{ids[1]}")["email"][0]["opt_out"] is True
    assert stamp_of(control, "Contacts", ids[1]) == before
    address = entry["email_address_id"]
    client.good("PUT", f"EmailAddresses/{address}", {"opt_out": False})
    assert client.good("GET", f"Contacts/{ids[0]}")["email_opt_out"] is False


def test_a_new_record_with_a_known_opted_out_address_is_opted_out(client: Client, control: SandboxControl) -> None:
    control.create("Contacts", {"last_name": "A", "email1": "out@example.com"})
    control.opt_out("out@example.com")
    assert client.good("POST", "Leads", {"last_name": "B", "email1": "out@example.com"})["email_opt_out"] is True


def test_an_opt_out_stays_with_an_address_that_nobody_holds_for_a_while(client: Client, control: SandboxControl) -> None:
    lead = control.create("Leads", {"last_name": "A", "email1": "Alone@example.com"})
    control.opt_out("alone@example.com")
    assert client.good("PUT", f"Leads/{lead}", {"email1": "other@example.com"})["email_opt_out"] is False
    record = client.good("POST", "Leads", {"last_name": "B", "email1": "alone@example.com"})
    assert (record["email_opt_out"], record["email"][0]["opt_out"]) == (True, True)
    assert len(client.found("EmailAddresses", [{"email_address_caps": "ALONE@EXAMPLE.COM"}])) == 1


def bulk(client: Client, *parts: dict[str, Any]) -> list[dict[str, Any]]:
    return list(client.good("POST", "bulk", {"requests": list(parts)}))


def test_bulk_parts_fail_alone_and_the_outer_answer_is_200(client: Client, control: SandboxControl) -> None:
    control.reset_calls()
    parts = bulk(
        client,
        {"url": "v11_24/Leads", "method": "POST", "data": json.dumps({"id": "b-1", "last_name": "A"})},
        {"url": "/v11_24/Leads", "method": "POST", "data": {"first_name": "no last name"}},
        {
            "url": "v11_24/Leads/b-1?fields=last_name",
            "method": "PUT",
            "data": {"last_name": "C"},
            "headers": ["X-TIMESTAMP: 2001-01-01T00:00:00Z"],
        },
        {"url": "v11_24/Leads/b-1?fields=last_name", "method": "GET"},
        {"url": "v11_24/bulk", "method": "POST", "data": {"requests": []}},
    )
    assert [part["status"] for part in parts] == [200, 422, 409, 200, 422]
    assert parts[1]["contents"]["error"] == "missing_parameter"
    assert parts[3]["contents"]["last_name"] == "A"
    assert [call["in_bulk"] for call in control.calls()] == [True] * 5 + [False]


def test_faults_can_hit_one_part_of_a_bulk_call(client: Client, control: SandboxControl) -> None:
    control.set_faults(FaultRule("status", status=500, path="/Leads", nth=2, inside_bulk=True))
    part = {"url": "v11_24/Leads", "method": "POST", "data": {"last_name": "A"}}
    assert [one["status"] for one in bulk(client, part, part, part)] == [200, 500, 200]
    control.set_faults(*(FaultRule("status", status=status, nth=1, inside_bulk=True) for status in (401, 503)))
    assert [one["contents"]["error"] for one in bulk(client, part, part)] == ["invalid_grant", "maintenance"]
    control.set_faults(FaultRule("html", nth=1, inside_bulk=True))
    page = bulk(client, part)[0]
    assert page["status"] == 200 and page["contents"].startswith("<html>")


def test_upsert_by_sync_key(client: Client) -> None:
    created = client.call("PATCH", "Contacts/sync_key/k 1", {"last_name": "A"})
    assert created.status_code == 201
    again = client.call("PATCH", "integrate/Contacts/sync_key/k%201", {"last_name": "B"})
    assert (again.status_code, again.json()) == (200, created.json())
    record = client.good("PATCH", "Contacts/sync_key/k%201?fields=last_name,sync_key", {"last_name": "C"})["record"]
    assert (record["last_name"], record["sync_key"]) == ("C", "k 1")
    assert client.good("GET", "integrate/Contacts/sync_key/k%201")["last_name"] == "C"
    assert client.call("DELETE", "Contacts/sync_key/k%201").status_code == 200
    assert client.call("GET", "Contacts/sync_key/k%201").status_code == 404


def test_an_existing_record_gets_its_key_by_put_only(client: Client, control: SandboxControl) -> None:
    new_id = control.create("Contacts", {"last_name": "A"})
    client.good("PUT", f"Contacts/{new_id}", {"sync_key": "k2"})
    assert client.call("GET", "Contacts/sync_key/k2").status_code == 404
    assert client.good("PUT", f"integrate/Contacts/{new_id}/sync_key/k2")["success"] is True
    assert client.good("GET", "Contacts/sync_key/k2")["id"] == new_id


def test_upsert_is_for_administrators(client: Client, control: SandboxControl) -> None:
    control.set_admin("mkt_sync", False)
    answer = client.call("PATCH", "Contacts/sync_key/k3", {"last_name": "A"})
    assert (answer.status_code, answer.json()["error"]) == (403, "not_authorized")
    control.set_limits(sync_key_admin_only=False)
    assert client.call("PATCH", "Contacts/sync_key/k3", {"last_name": "A"}).status_code == 201
    control.set_limits(sync_key_admin_only=True)
    control.set_admin("mkt_sync", True)


def test_our_own_key_is_found_by_filter(client: Client) -> None:
    client.good("POST", "mkt_Campaign", {"name": "Spring", "campaign_key": "spring", "opens": 2})
    found = client.found("mkt_Campaign", [{"campaign_key": {"$in": ["spring", "summer"]}}])
    assert [(row["campaign_key"], row["opens"]) for row in found] == [("spring", 2)]


def test_deal_contacts_come_with_their_role(client: Client, control: SandboxControl) -> None:
    deal = control.create("Opportunities", {"name": "D", "date_modified": "2020-01-01T00:00:00Z"})
    one, two = (control.create("Contacts", {"last_name": name}) for name in ("A", "B"))
    ids = [{"id": one, "opportunity_role": "Primary Decision Maker"}, two]
    answer = client.good("POST", f"Opportunities/{deal}/link", {"link_name": "contacts", "ids": ids})
    assert [r["id"] for r in answer["related_records"]] == [one, two]
    linked = client.good("GET", f"Opportunities/{deal}/link/contacts?fields=id,opportunity_role")["records"]
    assert {r["id"]: r["opportunity_role"] for r in linked} == {one: "Primary Decision Maker", two: ""}
    assert stamp_of(control, "Opportunities", deal).startswith("2020")
    assert [r["id"] for r in client.good("GET", f"Contacts/{one}/link/opportunities")["records"]] == [deal]


def test_list_members_page_and_leave(client: Client, control: SandboxControl) -> None:
    target = client.good("POST", "ProspectLists", {"name": "L", "list_type": "default"})["id"]
    ids = sorted(control.create("Contacts", {"last_name": str(n)}) for n in range(5))
    client.good("POST", f"ProspectLists/{target}/link", {"link_name": "contacts", "ids": ids})
    page = client.good("GET", f"ProspectLists/{target}/link/contacts?max_num=3&order_by=id:ASC&fields=id")
    assert ([r["id"] for r in page["records"]], page["next_offset"]) == (ids[:3], 3)
    client.good("DELETE", f"ProspectLists/{target}/link/contacts/{ids[0]}")
    assert client.call("DELETE", f"ProspectLists/{target}/link/contacts/{ids[0]}").status_code == 404
    assert client.good("GET", f"ProspectLists/{target}")["entry_count"] == 4


def test_children_are_linked_by_their_key(client: Client, control: SandboxControl) -> None:
    account = control.create("Accounts", {"name": "Parent"})
    contact = client.good("POST", "Contacts", {"last_name": "A", "account_id": account})
    assert contact["account_name"] == "Parent"
    linked = client.good("GET", f"Accounts/{account}/link/contacts")["records"]
    assert [record["id"] for record in linked] == [contact["id"]]
    control.edit("Accounts", account, {"name": "Renamed"})
    assert client.found("Contacts", [{"id": contact["id"]}])[0]["account_name"] == "Renamed"


def test_merge_leaves_a_deleted_loser_without_a_pointer(client: Client, control: SandboxControl) -> None:
    winner = control.create("Contacts", {"last_name": "W", "email1": "w@example.com"})
    loser = control.create("Contacts", {"last_name": "L", "email1": "l@example.com"})
    deal = control.create("Opportunities", {"name": "D"})
    control.link("Opportunities", deal, "contacts", loser)
    control.merge("Contacts", winner, loser)
    assert client.call("GET", f"Contacts/{loser}").status_code == 404
    assert [r["id"] for r in client.good("GET", f"Opportunities/{deal}/link/contacts")["records"]] == [winner]
    addresses = [e["email_address"] for e in client.good("GET", f"Contacts/{winner}")["email"]]
    assert addresses == ["w@example.com", "l@example.com"]
    control.undelete("Contacts", loser)
    assert client.call("GET", f"Contacts/{loser}").status_code == 200


@pytest.mark.parametrize("existing", [True, False])
def test_a_converted_lead_points_at_its_contact(client: Client, control: SandboxControl, existing: bool) -> None:
    lead = control.create("Leads", {"last_name": "L", "first_name": "F", "email1": "lead@example.com"})
    contact = control.create("Contacts", {"last_name": "C"}) if existing else None
    account = control.create("Accounts", {"name": "A"})
    made = control.convert_lead(lead, contact=contact, account=account, opportunity="opp-1")
    record = client.good("GET", f"Leads/{lead}")
    assert (record["converted"], record["status"]) == (True, "Converted")
    assert (record["contact_id"], record["account_id"], record["opportunity_id"]) == (
        made["contact_id"],
        account,
        "opp-1",
    )
    shown = client.good("GET", f"Contacts/{made['contact_id']}")
    assert shown["last_name"] == ("C" if existing else "L")
    if not existing:
        assert (shown["email1"], shown["account_name"]) == ("lead@example.com", "A")


def test_a_silent_edit_moves_no_stamp(client: Client, control: SandboxControl) -> None:
    new_id = control.create("Contacts", {"last_name": "A", "date_modified": "2020-01-01T00:00:00Z"})
    client.good("GET", f"Contacts/{new_id}")
    control.edit("Contacts", new_id, {"last_name": "B"}, silent=True)
    record = client.good("GET", f"Contacts/{new_id}")
    assert (record["last_name"], record["date_modified"]) == ("B", "2020-01-01T00:00:00+00:00")


def test_duplicate_check_ranks_but_does_not_refuse(client: Client) -> None:
    first = client.good("POST", "Contacts", {"first_name": "Dup", "last_name": "Licate", "email1": "dup@example.com"})
    found = client.good("POST", "Contacts/duplicateCheck", {"first_name": "dup", "last_name": "licate", "email1": "DUP@example.com"})
    assert [(r["id"], r["duplicate_check_rank"]) for r in found["records"]] == [(first["id"], 3)]
    assert client.call("POST", "Contacts", {"last_name": "Licate", "email1": "dup@example.com"}).status_code == 200


def test_too_large_a_body_is_413(start: Start) -> None:
    client, _ = start(max_body_bytes=1000)
    assert client.call("POST", "Contacts", {"last_name": "A", "description": "x" * 2000}).status_code == 413
