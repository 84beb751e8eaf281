"""What is known of a Sugar before anything is sent: drop-downs, lengths, the day's calls, rights and custom objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.crm.memory import DailyCalls
from adapters.sandbox.sugarcrm import Hook
from sync.errors import QuotaExhausted
from sync.push import Outcome
from sync.push_settings import SinkSettings
from sync.records import PUSHED, Kind
from tests.adapters.crm.conftest import SugarBench
from tests.adapters.crm.test_sugarcrm_push import NATIVE, accepted, dump
from tests.adapters.pushing import contact, outgoing

Opener = Callable[..., Any]
PEOPLE = (Kind.LEAD, Kind.CONTACT)


@pytest.fixture
def bench(open_bench: Opener) -> Iterator[SugarBench]:
    with open_bench() as opened:
        yield opened


def calls(bench: SugarBench) -> int:
    return len([call for call in bench.sandbox.control.calls() if not call["in_bulk"]])


def test_gate_1_drop_downs_are_asked_once_as_long_as_the_schema_stays(bench: SugarBench) -> None:
    """FLOW-4: an ordinary run makes no call for them, not even in another process."""
    crm = bench.adapter()
    crm.fingerprint(PEOPLE)
    found = crm.choices(Kind.LEAD, ["lead_source", "status", "last_name", "nowhere_c"])
    assert set(found) == {"lead_source", "status"}
    assert {"Web Site", "Email"} < found["lead_source"]
    bench.sandbox.control.reset_calls()
    assert bench.adapter().choices(Kind.LEAD, ["lead_source", "status", "last_name"]) == found
    assert calls(bench) == 0
    bench.sandbox.control.set_list("lead_source_dom", {"Fair": "Fair"})
    bench.adapter().fingerprint(PEOPLE)
    assert crm.choices(Kind.LEAD, ["lead_source"]) == {"lead_source": frozenset({"Fair"})}


def test_gate_1_a_record_update_may_hold_what_leads_or_contacts_take(bench: SugarBench) -> None:
    assert bench.adapter().choices(Kind.UPDATE, ["status"]) == bench.adapter().choices(Kind.LEAD, ["status"])


def test_gate_1_lengths_are_those_of_where_the_kind_lands(bench: SugarBench) -> None:
    crm = bench.adapter()
    assert crm.limits(Kind.SENT) == {"campaign": 255, "subject": 255, "from_address": 255, "address": 255, "delivery_status": 20}
    assert crm.limits(Kind.NEW_LEAD)["title"] == crm.limits(Kind.UPDATE)["title"] == 100
    assert "description" not in crm.limits(Kind.NEW_LEAD)
    assert bench.adapter(sinks=NATIVE).limits(Kind.SENT) == {}
    bench.sandbox.control.reset_calls()
    crm.limits(Kind.SENT)
    assert calls(bench) == 0


def test_push_quota_there_is_none_unless_the_operator_sets_one(bench: SugarBench) -> None:
    """CONSENT-9 rests on it."""
    assert bench.adapter().quota() is None
    crm = bench.adapter(daily_calls=4)
    accepted(crm.send(Kind.SENT, [outgoing(Kind.SENT, contact("c1"))]))  # a login and a bulk call
    other = bench.adapter(daily_calls=4)
    quota = other.quota()
    assert quota is not None
    assert (quota.left, quota.of) == (2, 4)
    rows = [outgoing(Kind.SENT, contact("c1")) for _ in range(150)]
    assert [receipt.outcome for receipt in other.send(Kind.SENT, rows)] == [Outcome.ACCEPTED] * 100 + [Outcome.POSTPONED] * 50
    with pytest.raises(QuotaExhausted, match="4 calls") as caught:
        crm.count(Kind.LEAD)
    assert caught.value.resets_at is not None


def test_push_quota_a_new_day_begins_at_midnight_utc(tmp_path: Path) -> None:
    moment = [datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)]
    daily = DailyCalls(tmp_path, "sugarcrm", "acme", 1, lambda: moment[0])
    daily.take()
    with pytest.raises(QuotaExhausted) as caught:
        daily.take()
    assert caught.value.resets_at == datetime(2026, 11, 25, tzinfo=UTC)
    moment[0] += timedelta(seconds=1)
    assert daily.quota().left == 1
    daily.take()


def said(bench: SugarBench, *kinds: Kind, **settings: Any) -> dict[str, tuple[bool, str, str]]:
    """Subject → (ok, said, todo) of the check's lines about writing."""
    lines = bench.adapter(**settings).probe([], kinds).lines
    return {line.subject: (line.ok, line.said, line.todo) for line in lines if line.subject.startswith("write")}


def test_conn_3_the_check_names_every_module_that_the_push_options_write(bench: SugarBench) -> None:
    """CONN-6, SINK-1, SINK-2."""
    found = said(bench, Kind.LEAD, Kind.CONTACT, *PUSHED)
    objects = ("EmailActivity", "Campaign", "Visit", "PageView", "Completion", "Registration")
    assert set(found) == {"write Leads", "write Contacts", "write Tasks", *(f"write mkt_{name}" for name in objects)}
    assert {ok for ok, _, _ in found.values()} == {True}
    assert set(said(bench, Kind.SENT, Kind.VISIT, sinks=NATIVE)) == {"write Tasks"}
    assert said(bench, Kind.OPT_OUT) == {}


def test_conn_3_a_missing_custom_object_or_field_is_named_with_what_to_do(open_bench: Opener) -> None:
    with open_bench(without=("mkt_Visit", "mkt_PageView.mkt_visit_id_c", "mkt_EmailActivity.opens")) as bench:
        found = said(bench, Kind.VISIT, Kind.SENT)
        assert [ok for ok, _, _ in found.values()] == [False, False, False]
        assert "have an administrator of the CRM install mkt_Visit" in found["write mkt_Visit"][2]
        assert "docs/crm-objects.md" in found["write mkt_Visit"][2]
        assert found["write mkt_PageView"][1] == "mkt_PageView lacks mkt_visit_id_c"
        assert found["write mkt_EmailActivity"][1] == "mkt_EmailActivity lacks opens"
        assert said(bench, Kind.SENT, sinks=SinkSettings(object_prefix="acme"))["write acme_EmailActivity"][0] is False


def test_conn_3_a_right_that_is_missing_is_named(bench: SugarBench) -> None:
    bench.control("users/deny", user="mkt_sync", module="Tasks", action="create")
    ok, what, todo = said(bench, Kind.TASK)["write Tasks"]
    assert (ok, what) == (False, "not allowed: create")
    assert "create on Tasks" in todo


@pytest.mark.parametrize("status", [422, 500])
def test_push_3_a_record_that_is_there_although_the_crm_refused_it_is_accepted(bench: SugarBench, status: int) -> None:
    """A hook that fails after the save: the record stands, and its key says that it is ours."""
    bench.sandbox.control.set_hooks(Hook("Tasks", refuse="The mail to the owner failed", status=status, saved=True))
    row = outgoing(Kind.TASK, contact("c1"))
    assert accepted(bench.adapter().send(Kind.TASK, [row])) == [row.push_key]
    assert set(dump(bench, "Tasks")) == {row.push_key}
