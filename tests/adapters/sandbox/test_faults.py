"""Everything that goes wrong between a client and a CRM."""

from __future__ import annotations

import time

import pytest
import requests

from adapters.sandbox.control_client import ControlError
from adapters.sandbox.faults import KINDS, FaultPlan
from adapters.sandbox.sugarcrm import FaultRule, SandboxControl, storm
from tests.adapters.sandbox.conftest import Client


def test_a_gateway_says_429_with_retry_after(client: Client, control: SandboxControl) -> None:
    control.set_faults(FaultRule("status", status=429, retry_after_s=7, count=2))
    answers = [client.call("GET", "ping") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert control.fault_state()[0]["fired"] == 2


def test_gateway_failures_are_html(client: Client, control: SandboxControl) -> None:
    control.set_faults(FaultRule("status", status=503, nth=1), FaultRule("html", nth=1))
    first, second = client.call("GET", "ping"), client.call("GET", "ping")
    assert (first.status_code, second.status_code) == (503, 200)
    assert first.headers["Content-Type"].startswith("text/html")
    assert "<html>" in second.text


def test_every_and_probability_choose_requests(client: Client, control: SandboxControl) -> None:
    control.set_faults(FaultRule("status", status=500, every=3))
    assert [client.call("GET", "ping").status_code for _ in range(6)] == [200, 200, 500] * 2
    control.set_faults(FaultRule("status", status=500, probability=0.5, seed=3))
    first = [client.call("GET", "ping").status_code for _ in range(8)]
    control.set_faults(FaultRule("status", status=500, probability=0.5, seed=3))
    assert [client.call("GET", "ping").status_code for _ in range(8)] == first
    assert set(first) == {200, 500}


@pytest.mark.parametrize(("kind", "saved"), [("reset", 0), ("reset_after_commit", 1), ("timeout", 0), ("timeout_after_commit", 1)])
def test_a_lost_answer_may_have_been_executed(client: Client, control: SandboxControl, kind: str, saved: int) -> None:
    control.set_faults(FaultRule(kind, method="POST", path="/Leads$", seconds=1.0, nth=1))
    before = control.count("Leads")["living"]
    with pytest.raises(requests.RequestException):
        client.call("POST", "Leads", {"last_name": "lost"}, timeout=0.3)
    assert control.count("Leads")["living"] - before == saved
    assert client.call("GET", "ping").status_code == 200


def test_a_cut_body_and_a_spoiled_stream_are_noticed(client: Client, control: SandboxControl) -> None:
    control.set_faults(FaultRule("truncate", nth=1), FaultRule("bad_gzip", nth=1))
    with pytest.raises(requests.RequestException):
        client.call("GET", "Contacts")
    with pytest.raises(requests.RequestException):
        # Either the stream does not unpack, or what it unpacks to is no JSON: the client must look.
        client.call("GET", "Contacts").json()
    assert len(client.good("GET", "Contacts")["records"]) == 20


def test_a_token_can_expire_in_the_middle(client: Client, control: SandboxControl) -> None:
    control.set_faults(FaultRule("expire_token", path="Contacts", nth=2))
    assert [client.call("GET", "Contacts").status_code for _ in range(3)] == [200, 401, 401]


def test_a_slow_answer_still_comes(client: Client, control: SandboxControl) -> None:
    control.set_faults(FaultRule("slow", seconds=0.2, nth=1))
    begun = time.monotonic()
    assert client.call("GET", "ping").status_code == 200
    assert time.monotonic() - begun >= 0.2


def test_the_log_shows_what_was_hit(client: Client, control: SandboxControl) -> None:
    control.set_faults(FaultRule("status", status=500, nth=1))
    control.reset_calls()
    client.call("GET", "ping")
    client.call("GET", "ping")
    assert [(call["status"], call["fault"]) for call in control.calls()] == [(500, "status"), (200, "")]


def test_a_wrong_control_call_says_why(control: SandboxControl) -> None:
    with pytest.raises(ControlError, match="no control action"):
        control.call("nonsense")
    with pytest.raises(ControlError, match="Unknown field lst_name"):
        control.create("Contacts", {"lst_name": "typing error"})
    with pytest.raises(ValueError, match="unknown fault kind"):
        FaultRule("nonsense")


@pytest.mark.parametrize("inside", [False, True], ids=["calls", "parts of bulk calls"])
def test_a_storm_hits_its_share_in_every_way_and_the_same_seed_makes_the_same_storm(inside: bool) -> None:
    def weather(seed: int) -> list[FaultRule | None]:
        plan = FaultPlan(storm(0.2, seed))
        return [plan.decide("POST", "/rest/v11_24/bulk", inside) for _ in range(4000)]

    seen = weather(1)
    hits = [rule.kind for rule in seen if rule]
    assert 0.18 < len(hits) / len(seen) < 0.22
    assert set(hits) == ({"status", "html"} if inside else KINDS - {"bare"})
    assert weather(1) == seen != weather(2)


def test_a_storm_leaves_calls_to_talk_with(client: Client, control: SandboxControl) -> None:
    control.set_faults(*storm(0.5, path="/ping$"))
    statuses = set()
    for _ in range(40):
        try:
            statuses.add(client.call("GET", "ping").status_code)
        except requests.RequestException:
            statuses.add(0)
        client.login()
    assert {0, 200, 503} <= statuses
