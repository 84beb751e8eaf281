"""Limits, gateways and broken lines."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest
import requests

from adapters.sandbox.salesforce import FaultRule, SalesforceControl
from tests.adapters.sandbox.salesforce.conftest import Client

Start = Callable[..., tuple[Client, SalesforceControl]]


def test_the_days_calls_are_counted_and_end(start: Start) -> None:
    client, control = start(daily_calls=3)
    told = [client.call("GET", "limits").headers["Sforce-Limit-Info"] for _ in range(3)]
    assert told == ["api-usage=1/3", "api-usage=2/3", "api-usage=3/3"]
    refused = client.call("GET", "limits")
    assert (refused.status_code, refused.json()) == (
        403,
        [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}],
    )
    assert client.login().ok  # logins do not count
    control.advance_clock(86_400)
    client.login()
    assert client.good("GET", "limits")["DailyApiRequests"] == {"Max": 3, "Remaining": 2}


def test_the_app_has_a_share_of_its_own(start: Start) -> None:
    client, _ = start(app_calls=2)
    told = [client.call("GET", "limits").headers["Sforce-Limit-Info"] for _ in range(2)]
    assert told[1] == "api-usage=2/1000000; per-app-api-usage=2/2(appName=marketsync)"
    assert client.refused("GET", "limits") == (403, "REQUEST_LIMIT_EXCEEDED")


def test_the_same_code_means_too_many_at_once(start: Start) -> None:
    client, control = start()
    control.set_quota(calls_at_once=1)
    control.set_faults(FaultRule("slow", path="/limits$", seconds=5.0))
    slow = threading.Thread(target=lambda: client.call("GET", "limits"))
    slow.start()
    while control.quota()["most_at_once"] == 0:
        time.sleep(0.01)
    with requests.Session() as other:
        headers = {"Authorization": f"Bearer {client.token['access_token']}"}
        answer = other.get(f"{client.root}/services/data/v60.0/sobjects", headers=headers, timeout=10)
    slow.join()
    (error,) = answer.json()
    assert (answer.status_code, error["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert error["message"] == "ConcurrentPerOrgLongTxn Limit exceeded."


def test_edge_servers_say_little(client: Client, control: SalesforceControl) -> None:
    rules = (
        FaultRule("bare", status=406, nth=1),
        FaultRule("bare", status=420, nth=1),
        FaultRule("status", status=503, retry_after_s=2, nth=1),
    )
    control.set_faults(*rules)
    answers = [client.call("GET", "limits") for _ in range(4)]
    assert [one.status_code for one in answers] == [406, 420, 503, 200]
    assert [one.content for one in answers[:2]] == [b"", b""]
    assert "<html>" in answers[2].text and answers[2].headers["Retry-After"] == "2"


def test_a_fault_may_speak_as_the_org_does(client: Client, control: SalesforceControl) -> None:
    says = [{"message": "Your query request was running for too long.", "errorCode": "QUERY_TIMEOUT"}]
    control.set_faults(FaultRule("status", path="/query$", status=400, says=json.dumps(says), count=1))
    assert client.query_refusal("SELECT Id FROM Contact") == "QUERY_TIMEOUT"
    assert len(client.column("SELECT Id FROM Contact")) == 30


def test_a_reset_after_commit_has_saved(client: Client, control: SalesforceControl) -> None:
    control.set_faults(FaultRule("reset_after_commit", method="POST", count=1))
    with pytest.raises(requests.ConnectionError):
        client.call("POST", "sobjects/Contact", {"LastName": "saved all the same"})
    control.set_faults(FaultRule("reset", method="POST", count=1))
    with pytest.raises(requests.ConnectionError):
        client.call("POST", "sobjects/Contact", {"LastName": "not saved"})
    assert [control.count("Contact", {"LastName": name})["living"] for name in ("saved all the same", "not saved")] == [1, 0]


def test_a_collection_may_die_half_way(client: Client, control: SalesforceControl) -> None:
    control.set_faults(FaultRule("bulk_dies_after", path="/composite/sobjects$", parts=2, status=502, count=1))
    records = [{"attributes": {"type": "Contact"}, "LastName": "half way"} for _ in range(5)]
    assert client.call("POST", "composite/sobjects", {"records": records}).status_code == 502
    assert control.count("Contact", {"LastName": "half way"})["living"] == 2


def test_a_bulk_result_is_cut_in_the_middle(start: Start) -> None:
    client, control = start(contacts=30)
    job = client.good("POST", "jobs/query", {"operation": "query", "query": "SELECT Id FROM Contact"})["id"]
    client.good("GET", f"jobs/query/{job}")
    control.set_faults(FaultRule("truncate", path="/results$", count=1))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.call("GET", f"jobs/query/{job}/results")
    assert len(client.call("GET", f"jobs/query/{job}/results").text.splitlines()) == 31


def test_a_token_dies_under_a_call(client: Client, control: SalesforceControl) -> None:
    control.set_faults(FaultRule("expire_token", count=1))
    assert client.refused("GET", "limits") == (401, "INVALID_SESSION_ID")


def test_calls_are_counted_by_route(start: Start) -> None:
    client, control = start(contacts=2)
    control.reset_calls()
    one = client.column("SELECT Id FROM Contact")[0]
    client.good("GET", f"sobjects/Contact/{one}")
    client.good("POST", "composite/batch", {"batchRequests": [{"method": "GET", "url": "v60.0/limits"}]})
    found = {(line["module"], line["method"], line["route"], line["in_bulk"]) for line in control.call_counts()}
    assert found == {
        ("Contact", "GET", "query", False),
        ("Contact", "GET", "sobjects/Contact/:id", False),
        ("", "POST", "composite/batch", False),
        ("", "GET", "limits", True),
    }
    assert control.http_calls() == 3
