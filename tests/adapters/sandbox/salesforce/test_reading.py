"""Pages, locators, counts, descriptions: what a client that reads has to live with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.sandbox.salesforce import SalesforceControl
from tests.adapters.sandbox.salesforce.conftest import Client

Start = Callable[..., tuple[Client, SalesforceControl]]


def first_page(client: Client, soql: str, **headers: str) -> dict[str, Any]:
    return dict(client.good("GET", "query", params={"q": soql}, headers=headers))


def test_a_result_is_a_snapshot_of_ids_and_not_of_values(start: Start) -> None:
    """A row that was deleted for good meanwhile is missing, one that was edited is shown as it is now, new ones are not there."""
    client, control = start(contacts=7, page_rows=3)
    page = first_page(client, "SELECT Id, Title FROM Contact ORDER BY Id")
    ids = [row["Id"] for row in control.dump("Contact")]
    control.edit("Contact", ids[4], {"Title": "edited"})
    control.delete("Contact", ids[5])
    control.purge("Contact")
    control.create("Contact", {"LastName": "new"})
    second = client.good("GET", page["nextRecordsUrl"])
    assert [row["Title"] for row in second["records"] if row["Id"] == ids[4]] == ["edited"]
    third = client.good("GET", second["nextRecordsUrl"])
    found = [row["Id"] for one in (page, second, third) for row in one["records"]]
    assert found == [one for one in ids if one != ids[5]]
    assert (third["done"], third["totalSize"]) == (True, 7)


def test_the_oldest_locator_goes_when_there_are_too_many(start: Start) -> None:
    client, control = start(contacts=5, page_rows=3, open_cursors=2)
    pages = [first_page(client, "SELECT Id FROM Contact") for _ in range(3)]
    for _ in range(5):
        assert first_page(client, "SELECT Id FROM Contact LIMIT 1")["done"]  # what fits on a page takes no locator
    assert client.refused("GET", pages[0]["nextRecordsUrl"]) == (400, "INVALID_QUERY_LOCATOR")
    assert client.good("GET", pages[2]["nextRecordsUrl"])["done"]
    control.advance_clock(7_000)
    client.good("GET", "limits")
    control.advance_clock(2 * 86_400)
    client.login()
    assert client.refused("GET", pages[1]["nextRecordsUrl"]) == (400, "INVALID_QUERY_LOCATOR")


def test_the_batch_size_is_a_hint_and_wide_rows_make_short_pages(start: Start) -> None:
    client, control = start(contacts=450)
    soql = "SELECT Id, Description FROM Contact ORDER BY Id"
    assert len(first_page(client, soql)["records"]) == 450
    assert len(first_page(client, soql, **{"Sforce-Query-Options": "batchSize=200"})["records"]) == 200
    assert len(first_page(client, soql, **{"Sforce-Query-Options": "batchSize=7"})["records"]) == 200
    control.set_limits(page_bytes=20_000)
    short = first_page(client, soql)
    assert 1 < len(short["records"]) < 200
    assert len(client.query(soql)) == 450
    control.set_limits(page_cap=100, page_bytes=4_000_000)
    assert len(first_page(client, soql)["records"]) == 100


def test_records_that_colleagues_edit_while_somebody_pages(start: Start) -> None:
    client, control = start(contacts=20, page_rows=5)
    control.set_editors({"object": "Contact", "rows": 2, "every": 1})
    assert len({row["Id"] for row in client.query("SELECT Id FROM Contact")}) == 20
    (state,) = control.editor_state()
    assert (state["pages"], state["edits"]) == (4, 8)


def test_deleted_and_archived_records_are_for_query_all_only(start: Start) -> None:
    client, control = start(contacts=3, tasks=2)
    gone = next(control.dump("Contact"))["Id"]
    control.delete("Contact", gone)
    old = next(row["Id"] for row in control.dump("Task", deleted=False))
    control.write_raw("Task", old, {"IsArchived": "true"})
    assert gone not in client.column("SELECT Id FROM Contact")
    assert client.column("SELECT Id FROM Contact WHERE IsDeleted = true", everything=True) == [gone]
    assert old not in client.column("SELECT Id FROM Task")
    assert old in client.column("SELECT Id FROM Task", everything=True)


def test_values_have_their_json_types(start: Start) -> None:
    client, control = start()
    values = {
        "LastName": "Typ",
        "Mkt_Score__c": 5,
        "Birthdate": "1980-02-03",
        "MailingCity": "Ort",
        "Mkt_Score_Date__c": "2026-01-02T03:04:05Z",
    }
    control.create("Contact", values)
    (row,) = client.query("SELECT Mkt_Score__c, Birthdate, MailingAddress, HasOptedOutOfEmail, Mkt_Score_Date__c, FirstName FROM Contact")
    assert (repr(row["Mkt_Score__c"]), row["Birthdate"], row["HasOptedOutOfEmail"], row["FirstName"]) == ("5.0", "1980-02-03", False, None)
    assert row["Mkt_Score_Date__c"] == "2026-01-02T03:04:05.000+0000"
    assert row["MailingAddress"] == {"street": None, "city": "Ort", "state": None, "postalCode": None, "country": None}


def test_field_level_security_makes_a_field_vanish(client: Client, control: SalesforceControl) -> None:
    def names() -> set[str]:
        return {field["name"] for field in client.good("GET", "sobjects/Contact/describe")["fields"]}

    before = names()
    control.hide_field("Contact", "HasOptedOutOfEmail")
    assert before - names() == {"HasOptedOutOfEmail"}
    for soql in ("SELECT HasOptedOutOfEmail FROM Contact", "SELECT Id FROM Contact WHERE HasOptedOutOfEmail = true"):
        assert client.query_refusal(soql) == "INVALID_FIELD"
    body = {"LastName": "x", "HasOptedOutOfEmail": True}
    assert client.refused("POST", "sobjects/Contact", body) == (400, "INVALID_FIELD")
    assert "HasOptedOutOfEmail" not in client.good("GET", f"sobjects/Contact/{next(control.dump('Contact'))['Id']}")
    control.hide_field("Contact", "HasOptedOutOfEmail", hidden=False)
    control.protect_field("Contact", "HasOptedOutOfEmail")
    assert client.refused("POST", "sobjects/Contact", body) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    control.protect_field("Contact", "HasOptedOutOfEmail", protected=False)
    assert names() == before


def test_an_object_without_rights_is_not_there(client: Client, control: SalesforceControl) -> None:
    control.deny("Lead")
    assert "Lead" not in {one["name"] for one in client.good("GET", "sobjects")["sobjects"]}
    assert client.query_refusal("SELECT Id FROM Lead") == "INVALID_TYPE"
    assert client.refused("GET", "sobjects/Lead/describe") == (404, "NOT_FOUND")
    control.deny("Lead", denied=False)
    control.deny("Lead", "create")
    assert client.refused("POST", "sobjects/Lead", {"LastName": "x", "Company": "y"}) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    control.deny("Lead", "create", denied=False)


def test_sharing_hides_records_without_a_trace(client: Client, control: SalesforceControl) -> None:
    ids = client.column("SELECT Id FROM Contact")
    control.hide_rows("Contact", ids[:1])
    assert client.column("SELECT Id FROM Contact", everything=True) == ids[1:]
    assert client.call("GET", f"sobjects/Contact/{ids[0]}").status_code == 404
    control.hide_rows("Contact", ids[:1], hidden=False)


def test_the_schema_changes_while_the_org_is_at_work(start: Start) -> None:
    client, control = start(contacts=2)

    def field(name: str) -> dict[str, Any] | None:
        answer = client.good("GET", "sobjects/Contact/describe")
        return next((one for one in answer["fields"] if one["name"] == name), None)

    stale = client.call("GET", "sobjects/Contact/describe").headers["Last-Modified"]
    assert client.call("GET", "sobjects/Contact/describe", headers={"If-Modified-Since": stale}).status_code == 304
    control.add_field("Contact", "Hat_Size__c string(10)")
    assert client.call("GET", "sobjects/Contact/describe", headers={"If-Modified-Since": stale}).status_code == 200
    ids = client.column("SELECT Id FROM Contact")
    for one, text in zip(ids, ("57", "large"), strict=True):
        client.good("PATCH", f"sobjects/Contact/{one}", {"Hat_Size__c": text})
    stamps = client.column("SELECT SystemModstamp FROM Contact")
    control.rename_field("Contact", "Hat_Size__c", "Hat__c")
    control.retype_field("Contact", "Hat__c double(4,1)")
    assert sorted(client.column("SELECT Hat__c FROM Contact"), key=str) == [57.0, None]
    assert client.column("SELECT SystemModstamp FROM Contact") == stamps
    found = field("Hat__c")
    assert found is not None and (found["type"], found["custom"], field("Hat_Size__c")) == ("double", True, None)
    control.set_values("Account", "Tier__c", ["gold", "lead"], restricted=True)
    control.remove_field("Contact", "Hat__c")
    assert client.query_refusal("SELECT Hat__c FROM Contact") == "INVALID_FIELD"
    control.add_object("Thing__c", "Size__c double(4,0)", "Contact__c reference to=Contact rel=Contact__r")
    made = client.good("POST", "sobjects/Thing__c", {"Name": "one", "Contact__c": ids[0]})
    (thing,) = client.query("SELECT Contact__r.Id FROM Thing__c")
    assert thing["Contact__r"]["Id"] == ids[0]
    assert made["success"]


def test_versions_resources_and_limits(client: Client, control: SalesforceControl) -> None:
    versions = client.http.get(f"{client.root}/services/data/", timeout=10).json()
    assert {"version", "url", "label"} <= set(versions[-1]) and versions[-1]["version"] == "66.0"
    assert client.good("GET", "")["sobjects"] == "/services/data/v60.0/sobjects"
    assert client.call("GET", "/services/data/v30.0/limits").status_code == 404
    counts = client.good("GET", "limits/recordCount", params={"sObjects": "Contact,Lead"})["sObjects"]
    assert counts == [{"count": 30, "name": "Contact"}, {"count": 10, "name": "Lead"}]


def test_an_address_has_a_longest_length(client: Client) -> None:
    ids = ", ".join(f"'003Sb00000{n:05}AAA'" for n in range(600))
    soql = f"SELECT Id FROM Contact WHERE Id IN ({ids})"
    assert client.refused("GET", "query", params={"q": soql}) == (414, "URI_TOO_LONG")
    part = {"method": "GET", "url": f"/services/data/v60.0/query?q={soql.replace(' ', '+')}", "referenceId": "q"}
    assert client.good("POST", "composite", {"compositeRequest": [part]})["compositeResponse"][0]["httpStatusCode"] == 200
