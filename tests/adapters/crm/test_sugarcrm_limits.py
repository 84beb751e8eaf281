"""What Sugar takes at the place where a push lands: lengths, drop-downs, and what it makes no record without (GATE-1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sync.push import Sink
from sync.push_settings import SinkSettings
from sync.records import Kind
from tests.adapters.crm.conftest import SugarBench


@pytest.fixture
def bench(open_bench: Callable[..., Any]) -> Iterator[SugarBench]:
    with open_bench(contacts=1) as opened:
        yield opened


def test_lengths_are_those_of_the_place_where_a_kind_lands_gate_1(bench: SugarBench) -> None:
    crm = bench.adapter()
    assert crm.limits(Kind.SENT)["subject"] == 255
    assert crm.limits(Kind.VISIT) == {"page_views.title": 255}
    assert crm.limits(Kind.LEAD)["account_name"] and "account_name" not in crm.limits(Kind.CONTACT)
    assert crm.limits(Kind.NEW_LEAD) == crm.limits(Kind.LEAD), "that is what is made"
    assert crm.limits(Kind.TASK) == {}, "a name is cut, and its whole stands in the text"
    assert bench.adapter(sinks=SinkSettings(sent_emails=Sink.NATIVE)).limits(Kind.SENT) == {}


def test_what_a_new_lead_can_not_go_without_is_known_and_costs_no_call_of_its_own_gate_1(bench: SugarBench) -> None:
    crm = bench.adapter()
    crm.limits(Kind.NEW_LEAD)
    before = len(bench.sandbox.control.calls())
    assert crm.required(Kind.NEW_LEAD) == {"last_name"}
    assert len(bench.sandbox.control.calls()) == before


def test_drop_downs_tell_their_values_and_other_fields_nothing_gate_1(bench: SugarBench) -> None:
    found = bench.adapter().choices(Kind.NEW_LEAD, ("lead_source", "title", "no_such_field"))
    assert set(found) == {"lead_source"} and found["lead_source"]
