"""Saving records, one by one and many at a time, with everything that refuses them."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from adapters.sandbox.salesforce import DuplicateRule, Rule, SalesforceControl
from tests.adapters.sandbox.salesforce.conftest import Client

Start = Callable[..., tuple[Client, SalesforceControl]]
NOBODY = "003Sb00000zzzzzAAA"


def typed(name: str, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": name}, **values}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "  "}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "x", "Nope": 1}, "INVALID_FIELD"),
        ({"LastName": "x", "Name": "y"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"LastName": "x" * 81}, "STRING_TOO_LONG"),
        ({"LastName": "x", "Email": "no address"}, "INVALID_EMAIL_ADDRESS"),
        ({"LastName": "x", "Mkt_Score__c": 10**16}, "NUMBER_OUTSIDE_VALID_RANGE"),
        ({"LastName": "x", "Mkt_Score__c": "many"}, "JSON_PARSER_ERROR"),
        ({"LastName": "x", "Birthdate": "2026-02-30"}, "JSON_PARSER_ERROR"),
        ({"LastName": "x", "HasOptedOutOfEmail": "maybe"}, "JSON_PARSER_ERROR"),
        ({"LastName": "x", "AccountId": "abc"}, "MALFORMED_ID"),
        ({"LastName": "x", "AccountId": NOBODY}, "MALFORMED_ID"),
        ({"LastName": "x", "AccountId": "001Sb00000zzzzzAAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"LastName": "x", "Account": {"Mkt_Id__c": "y"}}, "INVALID_FIELD"),
    ],
)
def test_a_contact_is_refused_by_its_code(client: Client, values: dict[str, Any], code: str) -> None:
    assert client.refused("POST", "sobjects/Contact", values) == (400, code)


def test_texts_are_trimmed_and_empty_ones_are_null(client: Client, control: SalesforceControl) -> None:
    made = client.good("POST", "sobjects/Contact", {"LastName": "  Doe ", "FirstName": "J", "Title": " ", "HasOptedOutOfEmail": None})["id"]
    row = control.stored("Contact", made)
    assert row is not None
    assert [row[name] for name in ("Name", "Title", "HasOptedOutOfEmail")] == ["J Doe", None, False]
    client.good("PATCH", f"sobjects/Contact/{made}", {"FirstName": None})
    assert client.good("GET", f"sobjects/Contact/{made[:15]}?fields=Name")["Name"] == "Doe"


def test_a_restricted_picklist_takes_no_other_value(client: Client) -> None:
    for value, status in (("gold", 201), ("GOLD", 201), ("tin", 400)):
        assert client.call("POST", "sobjects/Account", {"Name": "A", "Tier__c": value}).status_code == status


def test_a_save_after_somebody_elses_is_seen_by_its_stamp(client: Client, control: SalesforceControl) -> None:
    made = client.good("POST", "sobjects/Contact", {"LastName": "x"})["id"]
    seen = formatdate(usegmt=True)
    control.edit("Contact", made, {"Title": "theirs"}, stamp=4_000_000_000)
    assert client.refused("PATCH", f"sobjects/Contact/{made}", {"Title": "mine"}, headers={"If-Unmodified-Since": seen})[0] == 412
    assert client.call("PATCH", f"sobjects/Contact/{made}", {"Title": "mine"}).status_code == 204


def test_what_is_not_there_or_gone_is_404(client: Client) -> None:
    made = client.good("POST", "sobjects/Contact", {"LastName": "x"})["id"]
    assert client.call("DELETE", f"sobjects/Contact/{made}").status_code == 204
    assert client.refused("PATCH", f"sobjects/Contact/{made}", {"Title": "x"}) == (404, "ENTITY_IS_DELETED")
    assert client.refused("PATCH", f"sobjects/Contact/{NOBODY}", {"Title": "x"}) == (404, "NOT_FOUND")
    assert client.refused("DELETE", f"sobjects/Contact/{made}") == (404, "ENTITY_IS_DELETED")


def test_an_upsert_makes_changes_or_does_not_know_whom_to_change(client: Client, control: SalesforceControl) -> None:
    path = "sobjects/Contact/Mkt_Id__c/Key-1"
    assert client.call("PATCH", path, {"LastName": "a"}).status_code == 201
    second = client.call("PATCH", path.lower().replace("sobjects/contact", "sobjects/Contact"), {"LastName": "b"})
    assert (second.status_code, second.json()["created"]) == (200, False)
    assert client.good("GET", path)["LastName"] == "b"
    control.add_field("Contact", "Legacy__c string(20) ext")
    for name in ("c", "d"):
        client.good("POST", "sobjects/Contact", {"LastName": name, "Legacy__c": "twice"})
    several = client.call("PATCH", "sobjects/Contact/Legacy__c/twice", {"LastName": "e"})
    assert (several.status_code, len(several.json())) == (300, 2)
    assert control.count("Contact", {"LastName": "e"})["living"] == 0
    assert client.refused("PATCH", "sobjects/Contact/Title/x", {"LastName": "e"}) == (404, "NOT_FOUND")
    assert client.refused("POST", "sobjects/Contact", {"LastName": "f", "Mkt_Id__c": "KEY-1"}) == (400, "DUPLICATE_VALUE")


def test_a_collection_has_a_result_per_record_in_order(client: Client, control: SalesforceControl) -> None:
    records = [
        typed("Contact", LastName="a"),
        typed("Contact"),
        typed("Lead", LastName="b", Company="c"),
        typed("Contact", LastName="x" * 99),
    ]
    results = client.good("POST", "composite/sobjects", {"allOrNone": False, "records": records})
    assert [one["success"] for one in results] == [True, False, True, False]
    assert [one["errors"][0]["statusCode"] for one in results if not one["success"]] == ["REQUIRED_FIELD_MISSING", "STRING_TOO_LONG"]
    before = control.count("Contact")
    results = client.good("POST", "composite/sobjects", {"allOrNone": True, "records": records[:2]})
    assert [one["errors"][0]["statusCode"] for one in results] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert control.count("Contact") == before
    assert client.refused("POST", "composite/sobjects", {"records": [typed("Contact", LastName="a", Nope=1)]}) == (400, "INVALID_FIELD")
    many = [typed("Contact", LastName="a")] * 201
    assert client.refused("POST", "composite/sobjects", {"records": many}) == (400, "EXCEEDED_MAX_SIZE_REQUEST")
    mixed = [typed("Contact", LastName="a"), typed("Lead", LastName="a", Company="c")] * 6
    assert client.refused("POST", "composite/sobjects", {"records": mixed}) == (400, "LIMIT_EXCEEDED")


def test_collections_change_upsert_read_and_delete(client: Client) -> None:
    rows = [typed("Contact", LastName=f"n{n}", Mkt_Id__c=f"many-{n}") for n in range(3)]
    first = client.good("PATCH", "composite/sobjects/Contact/Mkt_Id__c", {"records": rows})
    again = client.good("PATCH", "composite/sobjects/Contact/Mkt_Id__c", {"records": [*rows, rows[2]]})
    assert [one["created"] for one in first] == [True] * 3
    assert [one["success"] for one in again] == [True, True, False, False]  # the same key twice in one call
    ids = [one["id"] for one in first]
    update = [typed("Contact", id=one, Title="T") for one in (*ids, ids[0], NOBODY)]
    changed = client.good("PATCH", "composite/sobjects", {"records": update})
    assert [one["success"] for one in changed] == [False, True, True, False, False]
    read = client.good("POST", "composite/sobjects/Contact", {"ids": [ids[1], NOBODY], "fields": ["Title"]})
    assert (read[0]["Title"], read[1]) == ("T", None)
    gone = client.good("DELETE", "composite/sobjects", params={"ids": ",".join([*ids, NOBODY]), "allOrNone": "false"})
    assert [one["success"] for one in gone] == [True, True, True, False]


def test_parts_of_a_composite_call_refer_to_each_other(client: Client, control: SalesforceControl) -> None:
    base = "/services/data/v60.0"

    def parts(name: str) -> list[dict[str, Any]]:
        return [
            {"method": "POST", "url": f"{base}/sobjects/Account", "referenceId": "a", "body": {"Name": name}},
            {"method": "POST", "url": f"{base}/sobjects/Contact", "referenceId": "c", "body": {"LastName": "L", "AccountId": "@{a.id}"}},
            {"method": "GET", "url": f"{base}/query?q=SELECT+AccountId+FROM+Contact+WHERE+Id='@{{c.id}}'", "referenceId": "q"},
        ]

    answer = client.good("POST", "composite", {"compositeRequest": parts("Acme")})["compositeResponse"]
    assert [one["httpStatusCode"] for one in answer] == [201, 201, 200]
    assert answer[2]["body"]["records"][0]["AccountId"] == answer[0]["body"]["id"]
    failed = client.good("POST", "composite", {"compositeRequest": parts("")})["compositeResponse"]
    assert [one["httpStatusCode"] for one in failed] == [400, 400, 400]
    assert [one["body"][0]["errorCode"] for one in failed] == ["REQUIRED_FIELD_MISSING", "PROCESSING_HALTED", "PROCESSING_HALTED"]
    nowhere = [parts("Alone")[0], {"method": "GET", "url": f"{base}/sobjects/Account/@{{a.name}}", "referenceId": "n"}]
    halted = client.good("POST", "composite", {"compositeRequest": nowhere})["compositeResponse"]
    assert [one["httpStatusCode"] for one in halted] == [201, 400]
    before = control.count("Account")
    wrong = [parts("Undone")[0], {"method": "POST", "url": f"{base}/sobjects/Contact", "referenceId": "c", "body": {}}]
    undone = client.good("POST", "composite", {"allOrNone": True, "compositeRequest": wrong})["compositeResponse"]
    assert [one["body"][0]["errorCode"] for one in undone] == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert control.count("Account") == before
    assert client.refused("POST", "composite", {"compositeRequest": parts("x") * 9}) == (400, "LIMIT_EXCEEDED")


def test_a_batch_goes_on_after_a_failure_unless_told_to_halt(client: Client) -> None:
    urls = ["v60.0/sobjects/Contact/describe", "v60.0/sobjects/Nope/describe", "v60.0/limits"]
    body = {"batchRequests": [{"method": "GET", "url": url} for url in urls]}
    assert [one["statusCode"] for one in client.good("POST", "composite/batch", body)["results"]] == [200, 404, 200]
    assert [one["statusCode"] for one in client.good("POST", "composite/batch", {**body, "haltOnError": True})["results"]] == [
        200,
        404,
        412,
    ]


def test_rules_triggers_duplicates_and_locks(client: Client, control: SalesforceControl) -> None:
    control.set_rules(
        Rule("Contact", field="LastName", matches=".*nonsense.*", refuse="No nonsense here"),
        Rule("Contact", values={"Department": "by trigger"}, on="create"),
    )
    assert client.refused("POST", "sobjects/Contact", {"LastName": "nonsense"}) == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    made = client.good("POST", "sobjects/Contact", {"LastName": "ok", "Email": "only@example.com"})["id"]
    row = control.stored("Contact", made)
    assert row is not None and row["Department"] == "by trigger"
    control.set_duplicate_rules(DuplicateRule("Contact"))
    same = {"LastName": "ok", "Email": "Only@Example.com"}
    assert client.refused("POST", "sobjects/Contact", same) == (400, "DUPLICATES_DETECTED")
    forced = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false"}
    assert client.call("POST", "sobjects/Contact", same, headers=forced).status_code == 201
    control.set_duplicate_rules(DuplicateRule("Contact", blocks=True))
    assert client.call("POST", "sobjects/Contact", same, headers=forced).status_code == 400
    account = client.good("POST", "sobjects/Account", {"Name": "Locked"})["id"]
    control.lock_rows(account, count=2)
    assert client.refused("PATCH", f"sobjects/Account/{account}", {"Phone": "1"}) == (400, "UNABLE_TO_LOCK_ROW")
    assert client.refused("PATCH", f"sobjects/Contact/{made}", {"AccountId": account}) == (400, "UNABLE_TO_LOCK_ROW")
    assert client.call("PATCH", f"sobjects/Contact/{made}", {"AccountId": account}).status_code == 204


def test_a_person_is_a_member_of_a_campaign_once(client: Client, control: SalesforceControl) -> None:
    campaign = next(control.dump("Campaign"))["Id"]
    lead = next(control.dump("Lead"))["Id"]
    member = {"CampaignId": campaign, "LeadId": lead, "Status": "Responded"}
    made = client.good("POST", "sobjects/CampaignMember", member)["id"]
    row = control.stored("CampaignMember", made)
    assert row is not None and (row["LeadOrContactId"], row["HasResponded"], row["Type"]) == (lead, True, "Lead")
    assert client.refused("POST", "sobjects/CampaignMember", member) == (400, "DUPLICATE_VALUE")
    assert client.refused("POST", "sobjects/CampaignMember", {"CampaignId": campaign}) == (400, "REQUIRED_FIELD_MISSING")
