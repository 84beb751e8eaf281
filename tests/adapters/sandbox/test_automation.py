"""What a CRM does of its own accord when we save: validation rules, hooks that write, rights on single fields, limits of a gateway."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.sandbox.control_client import ControlError
from adapters.sandbox.sugarcrm import FaultRule, Hook, SandboxControl
from tests.adapters.sandbox.conftest import Client

Start = Callable[..., tuple[Client, SandboxControl]]
NOON = 1_795_521_600.0  # 2026-11-24 12:00 UTC


@pytest.fixture
def calm(control: SandboxControl) -> Iterator[SandboxControl]:
    """Hooks, limits and the quota are put back afterwards."""
    yield control
    control.set_hooks()
    control.set_quota(daily_calls=0, calls_at_once=0, used=0)
    control.set_limits(max_bulk_requests=100, refuse_over_long=False)


def stored(control: SandboxControl, module: str, record_id: str) -> dict[str, Any]:
    record = control.stored(module, record_id)
    assert record is not None
    return record


@pytest.mark.parametrize(("status", "label"), [(422, "invalid_parameter"), (500, "fatal_error"), (403, "not_authorized")])
def test_a_validation_rule_refuses_a_save_in_its_own_words(client: Client, calm: SandboxControl, status: int, label: str) -> None:
    calm.set_hooks(Hook("Leads", "title", "Intern.*", refuse="No interns, please", status=status))
    before = calm.count("Leads")
    answer = client.call("POST", "Leads", {"last_name": "A", "title": "Intern (part time)"})
    assert (answer.status_code, answer.json()) == (status, {"error": label, "error_message": "No interns, please"})
    assert calm.count("Leads") == before
    assert client.call("POST", "Leads", {"last_name": "A", "title": "Boss"}).status_code == 200
    assert calm.hook_state()[0]["fired"] == 1


def test_a_validation_rule_looks_at_the_whole_record_and_not_at_the_payload_alone(client: Client, calm: SandboxControl) -> None:
    record_id = client.good("POST", "Leads", {"last_name": "A", "title": "Intern", "email1": "rule@example.com"})["id"]
    calm.set_hooks(Hook("Leads", "title", "Intern", refuse="No interns, please"))
    assert client.call("PUT", f"Leads/{record_id}", {"email1": "other@example.com"}).status_code == 422
    assert stored(calm, "Leads", record_id)["email1"] == "rule@example.com"
    calm.edit("Leads", record_id, {"description": "a colleague may"})
    assert client.call("PUT", f"Leads/{record_id}", {"title": "Boss"}).status_code == 200


def test_push_3_a_hook_that_fails_after_the_save_leaves_a_record_behind_an_error(client: Client, calm: SandboxControl) -> None:
    calm.set_hooks(Hook("Leads", refuse="mail server is down", status=500, saved=True, count=1))
    answer = client.call("POST", "Leads", {"id": "half-done", "last_name": "A"})
    assert (answer.status_code, answer.json()["error_message"]) == (500, "mail server is down")
    assert stored(calm, "Leads", "half-done")["last_name"] == "A"
    assert client.call("POST", "Leads", {"id": "half-done", "last_name": "A"}).status_code == 422


def test_a_hook_before_the_save_writes_into_the_same_save(client: Client, calm: SandboxControl) -> None:
    calm.set_hooks(Hook("Leads", values={"region_c": "north"}))
    record = client.good("POST", "Leads", {"last_name": "A", "region_c": "south"})
    assert record["region_c"] == "north"


def test_push_6_a_hook_after_the_save_moves_the_stamp_a_second_later_as_the_same_user(client: Client, calm: SandboxControl) -> None:
    calm.set_clock(fixed=NOON)
    client.login()
    calm.set_hooks(Hook("Leads", "mkt_score_c", values={"tier_c": "g"}, after_s=1, count=1))
    record_id = client.good("POST", "Leads", {"last_name": "A", "mkt_score_c": 80})["id"]
    first = stored(calm, "Leads", record_id)
    calm.advance_clock(30)
    later = stored(calm, "Leads", record_id)
    assert (first["tier_c"], first["date_modified"][-14:]) == (None, "12:00:00+00:00")
    assert (later["tier_c"], later["date_modified"][-14:]) == ("g", "12:00:01+00:00")
    assert later["modified_user_id"] == first["modified_user_id"]
    client.good("PUT", f"Leads/{record_id}", {"tier_c": "s"})
    calm.advance_clock(30)
    assert stored(calm, "Leads", record_id)["tier_c"] == "s"


def test_a_late_hook_on_a_record_that_is_gone_by_then_writes_nothing(client: Client, calm: SandboxControl) -> None:
    calm.set_hooks(Hook("Leads", values={"tier_c": "g"}, after_s=5))
    record_id = client.good("POST", "Leads", {"last_name": "A"})["id"]
    calm.delete("Leads", record_id)
    calm.advance_clock(10)
    assert client.call("GET", f"Leads/{record_id}").status_code == 404
    assert stored(calm, "Leads", record_id)["tier_c"] is None


def test_a_hook_that_names_no_field_of_the_module_is_a_mistake_in_the_test(calm: SandboxControl) -> None:
    with pytest.raises(ControlError, match="Unknown field colour"):
        calm.set_hooks(Hook("Leads", "colour", refuse="no"))
    with pytest.raises(ValueError, match="refuse something or to write"):
        Hook("Leads", "title")


def test_a_protected_field_is_shown_and_not_written(client: Client, calm: SandboxControl) -> None:
    record_id = calm.create("Contacts", {"last_name": "A", "mkt_score_c": 10})
    calm.protect_field("mkt_sync", "Contacts", "mkt_score_c")
    try:
        answer = client.call("PUT", f"Contacts/{record_id}", {"mkt_score_c": 20, "title": "Boss"})
        record = client.good("GET", f"Contacts/{record_id}")
        acl = client.good("GET", "metadata?module_filter=Contacts")["modules"]["Contacts"]["acl"]["fields"]
    finally:
        calm.protect_field("mkt_sync", "Contacts", "mkt_score_c", protected=False)
    assert (answer.status_code, answer.json()["error"]) == (403, "not_authorized")
    assert "mkt_score_c" in answer.json()["error_message"]
    assert (record["mkt_score_c"], record["title"]) == ("10.000000", None)
    assert record["_acl"]["fields"] == acl == {"mkt_score_c": {"write": "no", "create": "no"}}


def test_conn_3_a_right_that_a_role_takes_stands_in_the_metadata(client: Client, calm: SandboxControl) -> None:
    record_id = calm.create("mkt_Visit", {"name": "v"})
    calm.deny("mkt_sync", "mkt_Visit", "create")
    try:
        acl = client.good("GET", "metadata?module_filter=mkt_Visit")["modules"]["mkt_Visit"]["acl"]
        made, changed = client.call("POST", "mkt_Visit", {"name": "w"}), client.call("PUT", f"mkt_Visit/{record_id}", {"name": "w"})
    finally:
        calm.deny("mkt_sync", "mkt_Visit", "create", denied=False)
    assert acl == {"fields": {}, "create": "no"}
    assert (made.status_code, changed.status_code) == (403, 200)


def test_calculated_fields_are_ignored_without_a_word(client: Client, calm: SandboxControl) -> None:
    target = client.good("POST", "ProspectLists", {"name": "L", "list_type": "default", "entry_count": 99})
    assert target["entry_count"] is None


def test_a_record_of_another_team_can_not_be_written_and_does_not_say_why(client: Client, calm: SandboxControl) -> None:
    record_id = calm.create("Contacts", {"last_name": "Secret"})
    calm.hide_rows("mkt_sync", "Contacts", [record_id])
    answer = client.call("PUT", f"Contacts/{record_id}", {"title": "x"})
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert client.call("POST", "Contacts", {"id": record_id, "last_name": "Again"}).status_code == 422


def test_a_strict_database_refuses_a_text_that_is_too_long(client: Client, calm: SandboxControl) -> None:
    calm.set_limits(refuse_over_long=True)
    answer = client.call("POST", "mkt_Registration", {"name": "Fair", "place": "x" * 256})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_parameter")
    assert "place" in answer.json()["error_message"] and "255" in answer.json()["error_message"]
    assert client.call("POST", "mkt_Registration", {"name": "Fair", "place": "x" * 255}).status_code == 200


def test_a_day_has_so_many_calls_and_ends_at_midnight_by_the_crms_clock(client: Client, calm: SandboxControl) -> None:
    calm.set_clock(fixed=NOON)
    client.login()
    calm.set_quota(daily_calls=100, used=98)
    answers = [client.call("GET", "ping") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) == 12 * 3600
    assert answers[2].headers["Content-Type"].startswith("text/html")
    assert (calm.quota()["used"], calm.quota()["left"]) == (100, 0)
    assert client.login().ok
    calm.advance_clock(12 * 3600)
    assert client.login().ok and client.call("GET", "ping").status_code == 200
    assert calm.quota()["left"] == 99


def test_the_limit_may_be_told_as_json(start: Start) -> None:
    client, control = start(daily_calls=1, gateway_says_html=False)
    assert client.call("GET", "ping").status_code == 200
    answer = client.call("GET", "ping")
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_requests")
    assert "Retry-After" in answer.headers
    assert control.calls()[-1]["fault"] == "quota"


def test_a_bulk_call_is_one_call_of_the_day(client: Client, calm: SandboxControl) -> None:
    calm.set_quota(daily_calls=10, used=0)
    part = {"url": "v11_24/ping", "method": "GET"}
    client.good("POST", "bulk", {"requests": [part] * 5})
    assert calm.quota()["used"] == 1


def test_too_many_calls_at_once_are_503_and_ask_for_a_second(client: Client, calm: SandboxControl) -> None:
    calm.set_quota(calls_at_once=1)
    calm.set_faults(FaultRule("slow", path="Contacts/count", seconds=1.0))
    held = threading.Thread(target=client.call, args=("GET", "Contacts/count"))
    other = Client(client.root)
    other.token = client.token
    held.start()
    try:
        deadline = time.monotonic() + 10
        while (answer := other.call("GET", "ping")).status_code == 200 and time.monotonic() < deadline:
            pass
    finally:
        held.join()
        other.http.close()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert client.call("GET", "ping").status_code == 200
