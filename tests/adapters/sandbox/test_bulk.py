"""Many writes in one call: which of them are executed, in which order, and what the answer says of it (PUSH-3, PUSH-4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from adapters.sandbox.sugarcrm import FaultRule, SandboxControl
from tests.adapters.sandbox.conftest import Client

Start = Callable[..., tuple[Client, SandboxControl]]


@pytest.fixture
def calm(control: SandboxControl) -> Iterator[SandboxControl]:
    yield control
    control.set_limits(max_bulk_requests=100)


def creates(prefix: str, count: int) -> list[dict[str, Any]]:
    return [
        {
            "url": "v11_24/mkt_EmailActivity?fields=id",
            "method": "POST",
            "data": {"id": f"{prefix}-{n}", "name": "Hello", "campaign": prefix},
        }
        for n in range(count)
    ]


def bulk(client: Client, parts: list[dict[str, Any]]) -> requests.Response:
    return client.call("POST", "bulk", {"requests": parts})


def test_push_4_a_mixed_bulk_says_of_each_part_what_became_of_it_in_order(client: Client, calm: SandboxControl) -> None:
    parts = creates("mixed", 4)
    parts[1]["data"]["opens"] = "many"
    parts[2]["data"].pop("name")
    answers = bulk(client, parts).json()
    assert [one["status"] for one in answers] == [200, 422, 422, 200]
    assert [one["contents"].get("id") or one["contents"]["error"] for one in answers] == [
        "mixed-0",
        "invalid_parameter",
        "missing_parameter",
        "mixed-3",
    ]
    assert calm.count("mkt_EmailActivity", {"campaign": "mixed"}) == {"living": 2, "deleted": 0}


def test_push_3_a_part_that_repeats_an_id_of_the_same_call_is_refused_alone(client: Client, calm: SandboxControl) -> None:
    one, two = creates("twice", 2)
    assert [part["status"] for part in bulk(client, [one, two, one]).json()] == [200, 200, 422]
    assert calm.exactly_once("mkt_EmailActivity", "id")


def test_parts_see_what_earlier_parts_wrote(client: Client) -> None:
    make = creates("order", 1)[0]
    change = {"url": "v11_24/mkt_EmailActivity/order-0?fields=opens", "method": "PUT", "data": {"opens": 3}}
    assert [part["status"] for part in bulk(client, [change, make, change]).json()] == [404, 200, 200]


def test_too_many_parts_are_refused_as_a_whole(client: Client, calm: SandboxControl) -> None:
    calm.set_limits(max_bulk_requests=3)
    answer = bulk(client, creates("many", 4))
    assert (answer.status_code, answer.json()["error"]) == (413, "request_too_large")
    assert calm.count("mkt_EmailActivity", {"campaign": "many"})["living"] == 0


@pytest.mark.parametrize("parts", [0, 2, 5])
def test_push_3_a_bulk_that_dies_in_the_middle_has_written_its_first_parts(client: Client, calm: SandboxControl, parts: int) -> None:
    prefix = f"dies{parts}"
    calm.set_faults(FaultRule("bulk_dies_after", path="/bulk$", parts=parts, status=500, nth=1))
    answer = bulk(client, creates(prefix, 5))
    assert answer.status_code == 500 and answer.headers["Content-Type"].startswith("text/html")
    assert sorted(row["id"] for row in calm.dump("mkt_EmailActivity", where={"campaign": prefix})) == [
        f"{prefix}-{n}" for n in range(parts)
    ]
    assert [part["status"] for part in bulk(client, creates(prefix, 5)).json()] == [422] * parts + [200] * (5 - parts)


def test_push_3_a_bulk_may_die_without_an_answer(client: Client, calm: SandboxControl) -> None:
    calm.set_faults(FaultRule("bulk_dies_after", path="/bulk$", parts=1, status=0, nth=1))
    with pytest.raises(requests.ConnectionError):
        bulk(client, creates("silent", 3))
    assert calm.count("mkt_EmailActivity", {"campaign": "silent"})["living"] == 1


def test_push_3_a_slow_call_is_executed_when_nobody_waits_any_more(client: Client, calm: SandboxControl) -> None:
    calm.set_faults(FaultRule("slow", path="/bulk$", seconds=0.4, nth=1))
    calm.reset_calls()
    with pytest.raises(requests.Timeout):
        client.call("POST", "bulk", {"requests": creates("late", 2)}, timeout=0.1)
    assert calm.count("mkt_EmailActivity", {"campaign": "late"})["living"] == 0
    again = [part["status"] for part in bulk(client, creates("late", 2)).json()]
    while len(calm.calls(path_part="/bulk")) < 2:
        assert calm.count("mkt_EmailActivity", {"campaign": "late"})["living"] == 2
    assert again == [200, 200] and calm.exactly_once("mkt_EmailActivity", "id")


def test_the_log_counts_calls_by_route_and_status_with_bulk_parts_apart(client: Client, calm: SandboxControl) -> None:
    calm.reset_calls()
    calm.set_faults(FaultRule("reset_after_commit", path="/bulk$", nth=2))
    bulk(client, [*creates("log", 2), creates("log", 1)[0]])
    with pytest.raises(requests.ConnectionError):
        bulk(client, creates("log", 1))
    client.good("GET", "mkt_EmailActivity/log-1")
    counts = [
        (one["method"], one["route"], one["status"], one["in_bulk"], one["fault"], one["calls"])
        for one in calm.call_counts(module="mkt_EmailActivity")
    ]
    assert counts == [
        ("GET", "mkt_EmailActivity/:id", 200, False, "", 1),
        ("POST", "mkt_EmailActivity", 200, True, "", 2),
        ("POST", "mkt_EmailActivity", 422, True, "", 2),
    ]
    assert [(one["route"], one["fault"]) for one in calm.call_counts(in_bulk=False, method="POST")] == [
        ("bulk", ""),
        ("bulk", "reset_after_commit"),
    ]
    assert calm.http_calls() == 3


def test_repeats_are_found_by_the_values_of_fields(client: Client, calm: SandboxControl) -> None:
    ids = [calm.create("mkt_Campaign", {"name": name, "campaign_key": key}) for name, key in (("A", "k"), ("B", "k"), ("C", ""), ("D", ""))]
    assert [(one["values"], sorted(one["ids"])) for one in calm.repeats("mkt_Campaign", "campaign_key")] == [(["k"], sorted(ids[:2]))]
    assert not calm.exactly_once("mkt_Campaign", "campaign_key")
    assert calm.exactly_once("mkt_Campaign", "campaign_key", "name")
    calm.delete("mkt_Campaign", ids[0])
    assert calm.exactly_once("mkt_Campaign", "campaign_key")
