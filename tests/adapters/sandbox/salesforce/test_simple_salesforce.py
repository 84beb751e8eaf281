"""simple-salesforce, which we did not write, works against the sandbox unmodified. It insists on https: a transport of its session leads
to the loopback port instead."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceExpiredSession, SalesforceMalformedRequest
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from adapters.sandbox.salesforce import CALM, RunningSandbox, SalesforceControl, SalesforceSandboxSettings, start_sandbox
from tests.adapters.sandbox.salesforce.conftest import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER

DOMAIN = "acme.my"


class ToLoopback(HTTPAdapter):
    """Whatever host is named, the sandbox is asked."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *rest: Any, **options: Any) -> requests.Response:
        request.url = f"{self._url}{request.path_url}"
        return super().send(request, *rest, **options)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    settings = SalesforceSandboxSettings(contacts=120, accounts=5, leads=5, opportunities=2, nastiness=CALM, page_rows=50)
    with start_sandbox(settings) as running:
        yield running


@pytest.fixture
def http(sandbox: RunningSandbox) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("https://", ToLoopback(sandbox.url))
        yield session


@pytest.fixture
def salesforce(http: requests.Session) -> Salesforce:
    return Salesforce(consumer_key=CLIENT_ID, consumer_secret=CLIENT_SECRET, domain=DOMAIN, session=http, version="60.0")


def test_it_logs_in_in_each_of_its_ways(sandbox: RunningSandbox, http: requests.Session, control: SalesforceControl) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    control.set_app(certificate=public.decode())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    ways: list[dict[str, str]] = [
        {"consumer_key": CLIENT_ID, "consumer_secret": CLIENT_SECRET, "domain": DOMAIN},
        {"username": USER, "password": PASSWORD, "consumer_key": CLIENT_ID, "consumer_secret": CLIENT_SECRET},
        {"username": USER, "consumer_key": CLIENT_ID, "privatekey": private},
        {"username": USER, "password": PASSWORD, "security_token": ""},
    ]
    for way in ways:
        found = Salesforce(**way, session=http, version="60.0")
        assert found.query("SELECT COUNT() FROM Contact")["totalSize"] == 120
        assert found.limits()["DailyApiRequests"]["Remaining"] > 0
        assert found.api_usage["api-usage"].total == 1_000_000
    with pytest.raises(SalesforceAuthenticationFailed, match="authentication failure"):
        Salesforce(username=USER, password="wrong", consumer_key=CLIENT_ID, consumer_secret=CLIENT_SECRET, session=http)
    with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_LOGIN"):
        Salesforce(username=USER, password="wrong", security_token="", session=http, version="60.0")


def test_it_describes_and_pages(salesforce: Salesforce) -> None:
    described = salesforce.describe()
    assert described is not None
    assert {"Contact", "Subscription__c"} <= {one["name"] for one in described["sobjects"]}
    fields = {field["name"]: field for field in salesforce.Contact.describe()["fields"]}
    assert (fields["AccountId"]["referenceTo"], fields["AccountId"]["relationshipName"]) == (["Account"], "Account")
    first = salesforce.query("SELECT Id, Account.Name FROM Contact")
    assert (first["totalSize"], first["done"], len(first["records"])) == (120, False, 50)
    second = salesforce.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert len(second["records"]) == 50
    every = [row["Id"] for row in salesforce.query_all_iter("SELECT Id FROM Contact")]
    assert len(set(every)) == len(every) == 120


def test_it_saves_reads_upserts_and_deletes_one_record(salesforce: Salesforce) -> None:
    made = salesforce.Contact.create({"LastName": "Eins", "Email": "eins@example.com"})
    assert made["success"]
    assert salesforce.Contact.update(made["id"], {"Title": "Chief"}) == 204
    assert salesforce.Contact.get(made["id"])["Title"] == "Chief"
    assert [salesforce.Contact.upsert("Mkt_Id__c/one", {"LastName": name}) for name in ("A", "B")] == [201, 200]
    assert salesforce.Contact.get_by_custom_id("Mkt_Id__c", "ONE")["LastName"] == "B"
    assert salesforce.Contact.delete(made["id"]) == 204
    gone = salesforce.query_all("SELECT Id FROM Contact WHERE IsDeleted = true", include_deleted=True)
    assert made["id"] in [row["Id"] for row in gone["records"]]
    with pytest.raises(SalesforceMalformedRequest, match="No such column 'Nope'"):
        salesforce.query("SELECT Nope FROM Contact")


def test_deletions_and_changes_are_told_by_time(salesforce: Salesforce, control: SalesforceControl) -> None:
    import datetime

    made = salesforce.Contact.create({"LastName": "Kurz"})["id"]
    salesforce.Contact.delete(made)
    now = datetime.datetime.now(datetime.UTC)
    found = salesforce.Contact.deleted(now - datetime.timedelta(minutes=5), now + datetime.timedelta(minutes=2))
    assert made in [row["id"] for row in found["deletedRecords"]]
    assert found["latestDateCovered"] > found["earliestDateAvailable"]


def test_it_queries_in_bulk_part_after_part(salesforce: Salesforce) -> None:
    parts = list(salesforce.bulk2.Contact.query("SELECT Id, LastName, HasOptedOutOfEmail FROM Contact", max_records=50, wait=0))
    assert [part.splitlines()[0] for part in parts] == ['"Id","LastName","HasOptedOutOfEmail"'] * len(parts)
    rows = [row for part in parts for row in csv.DictReader(io.StringIO(part))]
    assert len({row["Id"] for row in rows}) == len(rows) == salesforce.query("SELECT COUNT() FROM Contact")["totalSize"]


def test_it_loads_in_bulk_and_gets_a_result_for_each_row(salesforce: Salesforce) -> None:
    rows = [{"LastName": f"Bulk {n}" if n % 10 else "", "Mkt_Id__c": f"bulk-{n}"} for n in range(40)]
    (told,) = salesforce.bulk2.Contact.upsert(records=rows, external_id_field="Mkt_Id__c", wait=0)
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"], told["numberRecordsTotal"]) == (40, 4, 40)
    failed = list(csv.DictReader(io.StringIO(salesforce.bulk2.Contact.get_failed_records(told["job_id"]))))
    done = list(csv.DictReader(io.StringIO(salesforce.bulk2.Contact.get_successful_records(told["job_id"]))))
    assert {row["Mkt_Id__c"] for row in failed} == {f"bulk-{n}" for n in (0, 10, 20, 30)}
    assert all(row["sf__Error"].startswith("REQUIRED_FIELD_MISSING:") for row in failed)
    assert [row["Mkt_Id__c"] for row in done] != sorted((row["Mkt_Id__c"] for row in done), key=lambda key: int(key[5:]))
    (again,) = salesforce.bulk2.Contact.delete(records=[{"Id": row["sf__Id"]} for row in done], wait=0)
    assert (again["numberRecordsProcessed"], again["numberRecordsFailed"]) == (36, 0)


def test_it_sends_200_records_in_one_call(salesforce: Salesforce) -> None:
    records = [{"attributes": {"type": "Lead"}, "LastName": f"L{n}", "Company": "" if n == 7 else "Acme"} for n in range(200)]
    results = salesforce.restful("composite/sobjects", method="POST", json={"allOrNone": False, "records": records})
    assert results is not None
    assert [n for n, one in enumerate(results) if not one["success"]] == [7]
    assert results[7]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"


def test_an_old_session_is_seen_as_such(sandbox: RunningSandbox, http: requests.Session, control: SalesforceControl) -> None:
    direct = Salesforce(session_id="00Dold!token", instance_url="https://acme.my.salesforce.com", session=http, version="60.0")
    with pytest.raises(SalesforceExpiredSession):
        direct.query("SELECT Id FROM Contact")
