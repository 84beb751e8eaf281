"""Bulk API 2.0: queries whose result is taken in parts, uploads with a result per row, and jobs that do not end well."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.sandbox.salesforce import Nastiness, SalesforceControl, SalesforceSandboxSettings, start_sandbox
from tests.adapters.sandbox.salesforce.conftest import EMPTY, Client

Start = Callable[..., tuple[Client, SalesforceControl]]
NASTY = Nastiness(awkward_text=0.5, deleted=0.05)


def asked(client: Client, soql: str, **more: Any) -> str:
    return str(client.good("POST", "jobs/query", {"operation": "query", "query": soql, **more})["id"])


def part(client: Client, job: str, **options: Any) -> tuple[list[list[str]], str, int]:
    """Rows with their header, the locator of the next part, the number of rows that was told."""
    answer = client.call("GET", f"jobs/query/{job}/results", params=options)
    assert answer.status_code == 200, answer.text
    rows = list(csv.reader(io.StringIO(answer.content.decode(), newline="")))
    return rows, answer.headers["Sforce-Locator"], int(answer.headers["Sforce-NumberOfRecords"])


def result(client: Client, job: str, **options: Any) -> list[dict[str, str]]:
    found, locator = [], ""
    client.good("GET", f"jobs/query/{job}")
    while locator != "null":
        rows, locator, told = part(client, job, **options, **({"locator": locator} if locator else {}))
        assert told == len(rows) - 1
        found += [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    return found


@pytest.mark.parametrize("most", [1, 499, 500, 501, 1000, 1200, 5000])
def test_parts_of_any_size_make_the_whole(big: tuple[Client, SalesforceControl], most: int) -> None:
    client, control = big
    fields = ["Id", "LastName", "Description", "Department", "Mkt_Score__c", "HasOptedOutOfEmail", "CreatedDate", "IsDeleted"]
    soql = f"SELECT {', '.join(fields)} FROM Contact" + (" LIMIT 60" if most == 1 else "")
    rows = result(client, asked(client, soql, operation="queryAll"), maxRecords=most)
    stored = {row["Id"]: row for row in control.dump("Contact")}
    assert len({row["Id"] for row in rows}) == len(rows) == (60 if most == 1 else len(stored))
    for row in rows:
        held = stored[row["Id"]]
        assert [row[name] for name in ("LastName", "Description", "Department")] == [
            held[name] or "" for name in ("LastName", "Description", "Department")
        ]
        assert (row["HasOptedOutOfEmail"], row["CreatedDate"]) == (str(held["HasOptedOutOfEmail"]).lower(), held["CreatedDate"])
    assert any("\x00" in "".join(row.values()) for row in rows) or most == 1
    assert any(row["IsDeleted"] == "true" for row in rows) or most == 1


@pytest.fixture(scope="module")
def big() -> Iterator[tuple[Client, SalesforceControl]]:
    """Somewhat more than two thousand careless contacts."""
    with start_sandbox(SalesforceSandboxSettings(**{**EMPTY, "contacts": 2300, "nastiness": NASTY})) as running:
        client = Client(running.url)
        client.login()
        yield client, running.control
        client.http.close()


def test_a_result_is_csv_without_a_word_about_its_character_set(start: Start) -> None:
    client, control = start()
    control.create("Contact", {"LastName": 'Grün, "der"\nZweite'})
    job = asked(client, "SELECT LastName, FirstName, Account.Name FROM Contact")
    client.good("GET", f"jobs/query/{job}")
    answer = client.call("GET", f"jobs/query/{job}/results")
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.content == '"LastName","FirstName","Account.Name"\n"Grün, ""der""\nZweite","",""\n'.encode()
    empty = asked(client, "SELECT Id FROM Lead", lineEnding="CRLF", columnDelimiter="PIPE")
    assert result(client, empty) == []
    other = asked(client, "SELECT LastName, FirstName FROM Contact", lineEnding="CRLF", columnDelimiter="PIPE")
    client.good("GET", f"jobs/query/{other}")
    assert client.call("GET", f"jobs/query/{other}/results").content.startswith(b'"LastName"|"FirstName"\r\n')


def test_a_job_goes_through_its_states_and_may_end_badly(start: Start) -> None:
    client, control = start(contacts=3)
    control.set_bulk(("Failed", None), ("Failed", "QUERY_TIMEOUT"), ("Aborted", None), slow_polls=2)
    seen = []
    for _ in range(4):
        job = client.good("POST", "jobs/query", {"operation": "query", "query": "SELECT Id FROM Contact"})
        assert job["state"] == "UploadComplete"
        assert client.refused("GET", f"jobs/query/{job['id']}/results")[0] == 400
        polls = [client.good("GET", f"jobs/query/{job['id']}") for _ in range(3)]
        assert [one["state"] for one in polls[:2]] == ["InProgress", "InProgress"]
        seen.append((polls[2]["state"], polls[2].get("errorMessage"), polls[2].get("numberRecordsProcessed")))
    assert seen == [("Failed", None, None), ("Failed", "QUERY_TIMEOUT", None), ("Aborted", None, None), ("JobComplete", None, 3)]


def test_jobs_are_aborted_deleted_listed_and_counted(start: Start) -> None:
    client, control = start(contacts=3)
    control.set_bulk(slow_polls=5, query_jobs=2)
    first, second = (asked(client, "SELECT Id FROM Contact") for _ in range(2))
    assert client.good("PATCH", f"jobs/query/{first}", {"state": "Aborted"})["state"] == "Aborted"
    assert client.refused("PATCH", f"jobs/query/{first}", {"state": "Aborted"})[0] == 400
    assert client.call("DELETE", f"jobs/query/{first}").status_code == 204
    assert client.refused("GET", f"jobs/query/{first}") == (404, "NOT_FOUND")
    assert [one["id"] for one in client.good("GET", "jobs/query")["records"]] == [second]
    control.set_bulk(query_jobs=1)
    body = {"operation": "query", "query": "SELECT Id FROM Contact"}
    assert client.refused("POST", "jobs/query", body) == (400, "LIMIT_EXCEEDED")
    assert client.good("GET", "limits")["DailyBulkV2QueryJobs"] == {"Max": 1, "Remaining": 0}
    control.advance_clock(8 * 86_400)
    client.login()
    assert client.refused("GET", f"jobs/query/{second}") == (404, "NOT_FOUND")


def test_a_result_is_taken_by_the_version_that_asked_and_by_true_locators(start: Start) -> None:
    client, _ = start(contacts=3)
    job = asked(client, "SELECT Id FROM Contact")
    client.good("GET", f"jobs/query/{job}")
    assert client.call("GET", f"/services/data/v61.0/jobs/query/{job}/results").status_code == 409
    for locator in ("null", "xyz", "LTE", "OTk"):
        assert client.refused("GET", f"jobs/query/{job}/results", params={"locator": locator}) == (400, "INVALIDLOCATOR")


def test_results_are_offered_side_by_side(start: Start) -> None:
    client, _ = start(contacts=70, bulk_max_records=10)
    job = asked(client, "SELECT Id FROM Contact")
    client.good("GET", f"jobs/query/{job}")
    first = client.good("GET", f"jobs/query/{job}/resultPages")
    second = client.good("GET", first["nextRecordsUrl"])
    assert (len(first["resultPages"]), first["done"], len(second["resultPages"]), second["done"]) == (5, False, 2, True)
    urls = [page["resultUrl"] for one in (first, second) for page in one["resultPages"]]
    ids = [line for url in urls for line in client.call("GET", url).text.splitlines()[1:]]
    assert len(set(ids)) == len(ids) == 70


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FRM Contact", "MALFORMED_QUERY"),
        ("SELECT MailingAddress FROM Contact", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT COUNT() FROM Contact", "API_ERROR"),
        ("SELECT Id FROM Contact OFFSET 5", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR"),
        ("SELECT Id FROM CampaignMemberStatus", "INVALIDENTITY"),
    ],
)
def test_what_bulk_queries_can_not_do_is_refused_at_once(client: Client, soql: str, code: str) -> None:
    assert client.refused("POST", "jobs/query", {"operation": "query", "query": soql}) == (400, code)


def test_a_large_result_is_made_in_the_background_and_never_stale(start: Start) -> None:
    """What was made for an earlier job is used again until somebody writes."""
    client, control = start(contacts=600, bulk_inline_rows=100)

    def titles() -> list[str]:
        job = asked(client, "SELECT Id, Title FROM Contact")
        deadline = time.monotonic() + 30
        while client.good("GET", f"jobs/query/{job}")["state"] != "JobComplete":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return [row["Title"] for row in result(client, job)]

    assert control.warm("SELECT Id, Title FROM Contact") == 600
    assert len(titles()) == len(titles()) == 600
    control.edit("Contact", next(control.dump("Contact"))["Id"], {"Title": "edited"})
    assert titles().count("edited") == 1


def upload(client: Client, text: str, **told: Any) -> dict[str, Any]:
    """A job from its making to its end, with its three results as lists of rows."""
    job = client.good("POST", "jobs/ingest", {"object": "Contact", "operation": "insert", "lineEnding": "LF", **told})
    put = client.http.put(
        f"{client.root}/{job['contentUrl']}", text.encode(), headers={"Authorization": f"Bearer {client.token['access_token']}"}, timeout=10
    )
    assert put.status_code == 201
    client.good("PATCH", f"jobs/ingest/{job['id']}", {"state": "UploadComplete"})
    done = client.good("GET", f"jobs/ingest/{job['id']}")
    for kind in ("successfulResults", "failedResults", "unprocessedrecords"):
        text = client.call("GET", f"jobs/ingest/{job['id']}/{kind}").content.decode()
        done[kind] = list(csv.DictReader(io.StringIO(text, newline="")))
    return dict(done)


def test_an_upload_has_a_result_for_each_row_in_no_order(client: Client, control: SalesforceControl) -> None:
    lines = "".join(f"Row {n},{'bad' if n % 7 == 0 else f'row{n}@example.com'},\n" for n in range(30))
    done = upload(client, f"LastName,Email,Title\n{lines}")
    assert (done["state"], done["numberRecordsProcessed"], done["numberRecordsFailed"]) == ("JobComplete", 30, 5)
    names = [row["LastName"] for row in done["successfulResults"]]
    assert len(names) == 25 and names != sorted(names, key=lambda name: int(name[4:]))
    assert {row["LastName"] for row in done["failedResults"]} == {"Row 0", "Row 7", "Row 14", "Row 21", "Row 28"}
    assert done["failedResults"][0]["sf__Error"] == "INVALID_EMAIL_ADDRESS:Email: invalid email address: bad:Email --"
    assert control.count("Contact", {"LastName": "Row 1"})["living"] == 1


def test_an_empty_cell_leaves_a_field_alone_and_the_word_for_nothing_clears_it(client: Client, control: SalesforceControl) -> None:
    account = client.good("POST", "sobjects/Account", {"Name": "Parent"})["id"]
    control.add_field("Account", "Key__c string(20) ext")
    client.good("PATCH", f"sobjects/Account/{account}", {"Key__c": "p"})
    header = "Mkt_Id__c,LastName,Title,Mkt_Score__c,HasOptedOutOfEmail,Account.Key__c\n"
    first = upload(
        client, f'{header}u1,Eins,Chief,5,true,p\nu2,Zwei,"two\nlines",,0,\n', operation="upsert", externalIdFieldName="Mkt_Id__c"
    )
    assert {row["sf__Created"] for row in first["successfulResults"]} == {"true"}
    again = upload(client, f"{header}U1,,#N/A,,,#N/A\n,Drei,,,,\n", operation="upsert", externalIdFieldName="Mkt_Id__c")
    assert [(row["sf__Created"], row["Title"]) for row in again["successfulResults"]] == [("false", "#N/A")]
    assert again["failedResults"][0]["sf__Error"].startswith("MISSING_ARGUMENT:")
    (row,) = control.dump("Contact", where={"Mkt_Id__c": "u1"})
    shown = [row[name] for name in ("LastName", "Title", "Mkt_Score__c", "HasOptedOutOfEmail", "AccountId")]
    assert shown == ["Eins", None, 5.0, True, None]
    (other,) = control.dump("Contact", where={"Mkt_Id__c": "u2"})
    assert (other["Title"], other["HasOptedOutOfEmail"]) == ("two\nlines", False)
    ids = "".join(f"{one['Id']}\n" for one in (row, other))
    assert len(upload(client, f"Id\n{ids}003Sb00000zzzzzAAA\n", operation="delete")["failedResults"]) == 1
    assert len(upload(client, f"Id,Title\n{ids}", operation="update")["failedResults"]) == 2


def test_an_upload_that_can_not_be_read_fails_as_a_whole(client: Client) -> None:
    for text, words in (
        ("LastName,Nope\nx,1\n", "InvalidBatch : Field name not found : Nope"),
        ("LastName\r\nx\r\n", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
        ("", "InvalidBatch : The upload is empty"),
    ):
        done = upload(client, text)
        assert (done["state"], done["errorMessage"], done["numberRecordsProcessed"]) == ("Failed", words, 0)
        assert len(done["unprocessedrecords"]) == (1 if text else 0)


def test_an_upload_happens_once_and_an_aborted_job_does_nothing(client: Client, control: SalesforceControl) -> None:
    job = client.good("POST", "jobs/ingest", {"object": "Contact", "operation": "insert"})
    headers = {"Authorization": f"Bearer {client.token['access_token']}"}
    assert client.refused("PATCH", f"jobs/ingest/{job['id']}", {"state": "UploadComplete"}) == (400, "INVALIDJOBSTATE")
    codes = [
        client.http.put(f"{client.root}/{job['contentUrl']}", b"LastName\nNever\n", headers=headers, timeout=10).status_code
        for _ in range(2)
    ]
    assert codes == [201, 400]
    assert client.good("PATCH", f"jobs/ingest/{job['id']}", {"state": "Aborted"})["state"] == "Aborted"
    assert client.call("GET", f"jobs/ingest/{job['id']}/unprocessedrecords").text == "LastName\nNever\n"
    assert control.count("Contact", {"LastName": "Never"})["living"] == 0
    wrong = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "Title"}
    assert client.refused("POST", "jobs/ingest", wrong)[1] == "NOT_FOUND"
