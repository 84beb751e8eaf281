"""Who stands on Sugar's target lists, as the adapter reads it: links in bulk, paged by id (LIST-1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice

import pytest

from adapters.crm.sugarcrm import SugarCrm
from adapters.sandbox.sugarcrm import FaultRule
from sync.errors import GapError, Transient
from sync.lists import MEMBER_FIELDS
from sync.records import Kind, Page, ReadRequest
from tests.adapters.crm.conftest import SugarBench
from tests.adapters.crm_contract import OpenBench


def make_lists(bench: SugarBench, count: int, members: int) -> list[str]:
    contacts = sorted(bench.ids(Kind.CONTACT))[:members]
    lists = [str(bench.sandbox.control.create("ProspectLists", {"name": f"List {number}"})) for number in range(count)]
    for list_id in lists:
        for contact in contacts:
            bench.sandbox.control.link("ProspectLists", list_id, "contacts", contact)
    bench.sandbox.control.reset_calls()
    return lists


def request(lists: list[str]) -> ReadRequest:
    return ReadRequest(Kind.LIST_MEMBER, MEMBER_FIELDS, ids=tuple(lists))


def pages(crm: SugarCrm, lists: list[str], position: str | None = None) -> Iterator[Page]:
    (stream,) = crm.streams(request(lists))
    return crm.pages(request(lists), stream, position)


def lines(found: Iterator[Page]) -> list[dict[str, str]]:
    return [json.loads(line) for page in found for line in page.body.splitlines()]


def members(found: list[dict[str, str]]) -> dict[str, list[str]]:
    by_list: dict[str, list[str]] = {}
    for line in found:
        if "id" in line:
            by_list.setdefault(line["list_id"], []).append(line["id"])
    return by_list


def marks(found: list[dict[str, str]], list_id: str) -> dict[str, str]:
    return {line["member_kind"]: line["state"] for line in found if "state" in line and line["list_id"] == list_id}


@pytest.fixture
def opened(open_bench: OpenBench) -> AbstractContextManager[SugarBench]:
    return open_bench(contacts=12)  # type: ignore[return-value]


def test_list_1_four_lists_of_one_page_are_read_by_one_call(opened: AbstractContextManager[SugarBench]) -> None:
    with opened as bench:
        lists = make_lists(bench, 4, 3)
        found = lines(pages(bench.sugar(page_rows=100), lists))
        assert members(found) == dict.fromkeys(lists, sorted(bench.ids(Kind.CONTACT))[:3])
        assert len(bench.sandbox.control.calls(method="POST", path_part="bulk")) == 1
        assert marks(found, lists[0]) == {
            **dict.fromkeys(("contact", "lead", "account", "user"), "complete"),
            "target": "absent",  # this release has no such link
        }


def test_pull_3_links_are_paged_by_key_and_go_on_after_a_restart(opened: AbstractContextManager[SugarBench]) -> None:
    """INIT-7: from any position, in another process."""
    with opened as bench:
        lists = make_lists(bench, 6, 11)
        whole = list(pages(bench.sugar(page_rows=4), lists))
        assert members(lines(iter(whole))) == dict.fromkeys(lists, sorted(bench.ids(Kind.CONTACT))[:11])
        for stop in range(1, len(whole)):
            begun = list(islice(pages(bench.sugar(page_rows=4), lists), stop))
            rest = pages(bench.sugar(page_rows=4), lists, begun[-1].position)
            assert lines(iter([*begun, *rest])) == lines(iter(whole))


def test_pull_3_a_member_who_leaves_during_paging_moves_nobody_out_of_the_window(opened: AbstractContextManager[SugarBench]) -> None:
    with opened as bench:
        [list_id] = make_lists(bench, 1, 10)
        contacts = sorted(bench.ids(Kind.CONTACT))[:10]
        reading = pages(bench.sugar(page_rows=4), [list_id])
        first = next(reading)
        bench.sandbox.control.unlink("ProspectLists", list_id, "contacts", contacts[0])
        assert members(lines(iter([first, *reading])))[list_id] == contacts


def test_list_1_an_instance_that_caps_its_pages_is_believed(opened: AbstractContextManager[SugarBench]) -> None:
    with opened as bench:
        bench.cap_pages(3)
        [list_id] = make_lists(bench, 1, 10)
        assert len(members(lines(pages(bench.sugar(page_rows=100), [list_id])))[list_id]) == 10


def test_list_1_a_list_that_is_gone_is_not_an_empty_one(opened: AbstractContextManager[SugarBench]) -> None:
    with opened as bench:
        [list_id] = make_lists(bench, 1, 3)
        bench.sandbox.control.delete("ProspectLists", list_id)
        found = lines(pages(bench.sugar(), [list_id]))
        assert set(marks(found, list_id).values()) == {"absent"}
        assert members(found) == {}


def test_list_2_a_link_that_may_not_be_read_is_told_and_the_others_come(opened: AbstractContextManager[SugarBench]) -> None:
    with opened as bench:
        [list_id] = make_lists(bench, 1, 3)
        bench.deny(Kind.LEAD)
        found = lines(pages(bench.sugar(), [list_id]))
        assert marks(found, list_id)["lead"] == "denied"
        assert len(members(found)[list_id]) == 3


def test_list_1_a_part_that_fails_for_now_is_asked_again_alone(opened: AbstractContextManager[SugarBench]) -> None:
    with opened as bench:
        lists = make_lists(bench, 2, 3)
        rule = FaultRule(kind="status", status=503, path=r"/link/contacts", count=2, inside_bulk=True)
        bench.sandbox.control.set_faults(rule)
        found = lines(pages(bench.sugar(page_rows=100), lists))
        assert members(found) == dict.fromkeys(lists, sorted(bench.ids(Kind.CONTACT))[:3])
        assert len(bench.sandbox.control.calls(path_part="/link/leads")) == 2
        assert bench.failures() == 2


def test_list_1_a_part_that_keeps_failing_is_transient(opened: AbstractContextManager[SugarBench]) -> None:
    with opened as bench:
        [list_id] = make_lists(bench, 1, 3)
        bench.sandbox.control.set_faults(FaultRule(kind="status", status=503, path=r"/link/contacts", inside_bulk=True))
        with pytest.raises(Transient):
            list(pages(bench.sugar(), [list_id]))


def test_list_1_a_damaged_position_is_a_gap_and_no_list_needs_no_call(opened: AbstractContextManager[SugarBench]) -> None:
    with opened as bench:
        crm = bench.sugar()
        assert crm.streams(request([])) == ()
        with pytest.raises(GapError):
            list(pages(crm, ["a"], "no position"))


def test_del_1_lists_that_changed_and_lists_that_were_deleted_come_by_one_call(opened: AbstractContextManager[SugarBench]) -> None:
    """LIST-1."""
    with opened as bench:
        kept, gone = make_lists(bench, 2, 1)
        bench.sandbox.control.delete("ProspectLists", gone)
        asked = ReadRequest(Kind.LIST, ("id", "name", "entry_count", "date_modified"), removals=True)
        crm = bench.sugar(connections=3)
        found = [page for stream in crm.streams(asked) for page in crm.pages(asked, stream)]
        assert [json.loads(line)["id"] for page in found for line in page.body.splitlines()] == [kept]
        assert [removal.crm_id for page in found for removal in page.removed] == [gone]
        assert len(bench.sandbox.control.calls(path_part="/ProspectLists/filter")) == 1


def test_list_1_the_sandbox_counts_a_link_as_the_user_sees_it(opened: AbstractContextManager[SugarBench]) -> None:
    """Its filter is read from brackets and from JSON alike."""
    with opened as bench:
        [list_id] = make_lists(bench, 1, 5)
        contacts = sorted(bench.ids(Kind.CONTACT))[:5]
        crm = bench.sugar()
        path = f"ProspectLists/{list_id}/link/contacts"
        bench.sandbox.control.hide_rows("mkt_sync", "Contacts", contacts[:1])
        asked = {"filter": json.dumps([{"id": {"$gt": contacts[2]}}])}
        count = crm._api.call("GET", f"{path}/count", subject="count")
        rest = crm._api.call("GET", f"{path}/filter/count", subject="count", params=asked)
        assert [json.loads(answer.body)["record_count"] for answer in (count, rest)] == [4, 2]
