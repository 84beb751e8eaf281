"""The plan for members of lists, over real parcels (LIST-1, MATCH-7, MATCH-8)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from adapters.staging import Parcel, ParcelStore, list_members
from sync.lists import MEMBER_FIELDS, decide_member
from sync.records import Kind, Page

Known = tuple[str, int | None, bool]  # CRM id, Market row, on the list
Link = tuple[str, int, bool, str | None]  # CRM id, Market row, living, merged into


@pytest.fixture
def parcel(tmp_path: Path) -> Iterator[Parcel]:
    store = ParcelStore(tmp_path)
    with store.open(store.create("acme", Kind.LIST_MEMBER, "test", MEMBER_FIELDS, (), {})) as opened:
        yield opened


def planned(
    parcel: Parcel, came: Sequence[dict[str, str]], known: Sequence[Known] = (), links: Sequence[Link] = ()
) -> dict[str, tuple[str, int]]:
    """Contacts of list `l`, which Market calls 1. → CRM id: (action, Market row)."""
    body = b"".join(json.dumps({"list_id": "l", "member_kind": "contact", **line}).encode() + b"\n" for line in came)
    spool = parcel.spool()
    spool.add(Page("members", body, len(came), None, len(body)))
    spool.flush()
    spool.close()
    list_members.forget(parcel, (Kind.CONTACT,))
    parcel.execute("INSERT INTO known_lists VALUES ('l', 1)")
    for crm_id, row, present in known:
        parcel.execute("INSERT INTO known_members VALUES (1, 'contact', ?, ?, ?)", [crm_id, row, present])
    columns = {"crm_id": pa.string(), "market_id": pa.int64(), "living": pa.bool_(), "alias_of": pa.string()}
    found = pa.table({name: pa.array([link[at] for link in links], kind) for at, (name, kind) in enumerate(columns.items())})
    list_members.keep_references(parcel, Kind.CONTACT, found)
    list_members.write_plan(parcel, {number: decide_member(facts) for number, facts in list_members.situations(parcel).items()})
    return {crm_id: (action, row) for crm_id, action, row in parcel.execute("SELECT crm_id, action, market_id FROM plan").fetchall()}


COMPLETE = {"state": "complete"}


def test_match_7_members_are_linked_through_whatever_their_records_became(parcel: Parcel) -> None:
    """The link of an alias names the winner's row, that of a converted lead the contact's."""
    links = [("c1", 7, True, None), ("c2", 9, False, "c9")]
    assert planned(parcel, [{"id": "c1"}, {"id": "c2"}, COMPLETE], links=links) == {"c1": ("join", 7), "c2": ("join", 9)}


def test_match_8_a_record_that_was_merged_away_leaves_and_its_winner_joins(parcel: Parcel) -> None:
    links = [("c2", 9, False, "c9"), ("c9", 9, True, None)]
    assert planned(parcel, [{"id": "c9"}, COMPLETE], [("c2", 9, True)], links) == {"c2": ("leave", 9), "c9": ("join", 9)}


def test_list_1_a_crm_that_tells_who_left_needs_no_whole_read(parcel: Parcel) -> None:
    links = [("c1", 7, True, None), ("c2", 8, True, None)]
    known = [("c1", 7, True), ("c2", 8, True)]
    assert planned(parcel, [{"id": "c1", "state": "left"}], known, links) == {"c1": ("leave", 7), "c2": ("stay", 8)}


def test_list_1_a_link_that_was_not_read_to_its_end_takes_nobody_off(parcel: Parcel) -> None:
    found = planned(parcel, [{"id": "c1"}, {"state": "denied"}], [("c2", 8, True)], [("c1", 7, True, None), ("c2", 8, True, None)])
    assert found == {"c1": ("join", 7), "c2": ("stay", 8)}
    assert list_members.unread(parcel) == {"contact": ("l",)}


def test_del_6_who_is_missing_is_asked_for_once_and_goes_only_if_the_record_lives(parcel: Parcel) -> None:
    links = [("c1", 7, True, None), ("c2", 8, True, None), ("c3", 9, False, None)]
    known = [("c1", 7, True), ("c2", 8, True), ("c3", 9, True)]
    found = planned(parcel, [COMPLETE], known, links)
    assert found == {"c1": ("ask", 7), "c2": ("ask", 8), "c3": ("stay", 9)}
    assert list_members.members_to_ask(parcel) == {Kind.CONTACT: ("c1", "c2")}
    list_members.keep_asked(parcel, Kind.CONTACT, ("c1", "c2"), ["c1"])
    assert planned(parcel, [], known, links) == {"c1": ("leave", 7), "c2": ("stay", 8), "c3": ("stay", 9)}


def test_list_2_new_members_without_a_row_are_named_and_old_ones_are_not_asked_for_again(parcel: Parcel) -> None:
    found = planned(parcel, [{"id": "c1"}, {"id": "c2"}, COMPLETE], [("c2", None, True)])
    assert found == {"c1": ("join", None), "c2": ("stay", None)}
    assert list_members.unknown_members(parcel) == {Kind.CONTACT: ("c1",)}


def test_list_2_a_member_whose_record_arrived_is_linked(parcel: Parcel) -> None:
    assert planned(parcel, [{"id": "c1"}, COMPLETE], [("c1", None, True)], [("c1", 7, True, None)]) == {"c1": ("link", 7)}
