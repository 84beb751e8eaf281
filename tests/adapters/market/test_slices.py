"""The slices in the Market's books, and what they are asked."""

from __future__ import annotations

from datetime import timedelta

from adapters.market.engine import Market
from sync.records import EVERY_KEY, KeyRange, Kind, Removal
from sync.slices import Slice
from tests.adapters.market.building import AT, NOW, ask, link, person, put, put_links


def test_slices_are_kept_in_the_order_of_their_keys_and_dated_when_they_were_compared(market: Market) -> None:
    low, high = Slice(Kind.LEAD, KeyRange("", "m")), Slice(Kind.LEAD, KeyRange("m", ""))
    market.slices.put("acme", Kind.LEAD, [high, low])
    market.slices.put("other", Kind.LEAD, [Slice(Kind.LEAD, EVERY_KEY)])
    assert market.slices.stalest("acme", [Kind.LEAD, Kind.CONTACT]) == (2, 2, None)
    for _ in range(2):  # noted twice, it is noted once
        market.slices.note_checked("acme", low, records=7, healed=2, now=NOW)
    assert market.slices.all("acme", Kind.LEAD) == (Slice(Kind.LEAD, KeyRange("", "m"), NOW, 7), high)
    assert ask(market, "SELECT healed FROM slices WHERE checked_at IS NOT NULL") == [(2,)]
    assert market.slices.stalest("acme", [Kind.LEAD]) == (2, 1, NOW)
    assert market.slices.stalest("acme", [Kind.CONTACT]) == (0, 0, None)


def test_a_slice_that_was_cut_anew_meanwhile_is_not_dated(market: Market) -> None:
    market.slices.put("acme", Kind.LEAD, [Slice(Kind.LEAD, EVERY_KEY)])
    market.slices.note_checked("acme", Slice(Kind.LEAD, KeyRange("", "m")), records=7, healed=0, now=NOW)
    assert market.slices.all("acme", Kind.LEAD) == (Slice(Kind.LEAD, EVERY_KEY),)


def test_every_nth_living_id_is_told_of_one_connector_kind_and_range(market: Market) -> None:
    put_links(
        market,
        *(link(f"c{number}", number) for number in range(10)),
        link("c5a", 90, living=False),
        link("c6a", 91, kind="lead"),
        link("c6b", 92, connector="other"),
    )
    assert market.slices.every_nth_id("acme", Kind.CONTACT, 3, EVERY_KEY) == ("c2", "c5", "c8")
    assert market.slices.every_nth_id("acme", Kind.CONTACT, 3, KeyRange("c4", "c8")) == ("c6",)
    assert market.slices.every_nth_id("acme", Kind.OPPORTUNITY, 3, EVERY_KEY) == ()


def test_the_range_is_closed_below_and_open_above(market: Market) -> None:
    put_links(market, *(link(crm_id, number) for number, crm_id in enumerate(("B", "a", "b", "c"))))
    found = market.slices.links("acme", Kind.CONTACT, KeyRange("a", "c"))
    assert found.column_names == ["crm_id", "market_id", "row_hash", "living", "left_scope"]
    assert found.column("crm_id").to_pylist() == ["a", "b"], "in byte order on both databases: capitals come first"


def test_what_was_written_or_stamped_since_is_told(market: Market) -> None:
    before = "2026-01-01 00:00:00.000000"
    put_links(
        market,
        link("c1", 1, crm_modified_at=before, written_at=AT),
        link("c2", 2, crm_modified_at=AT, written_at=before),
        link("c3", 3, crm_modified_at=before, written_at=before),
        link("c4", 4, crm_modified_at=AT, written_at=None),
    )
    since = NOW.replace(year=2026, month=2, day=1, hour=8)
    told = market.slices.told_since("acme", Kind.CONTACT, EVERY_KEY, written=since, stamped=since).to_pylist()
    assert {row["crm_id"]: row["written"] for row in told} == {"c1": True, "c2": False, "c4": False}
    later = since + timedelta(microseconds=1)
    assert market.slices.told_since("acme", Kind.CONTACT, EVERY_KEY, written=later, stamped=later).num_rows == 0


def test_rows_come_with_the_record_that_owns_them(market: Market) -> None:
    put(market, "contacts", person(1, title="Director", opt_out=True), person(2, crm_id=None, title=None))
    found = market.slices.rows(Kind.CONTACT, ("title", "opt_out", "never_heard_of"), (1, 2, 3)).to_pylist()
    assert found == [
        {"market_id": 1, "owner_crm_id": "c1", "title": "Director", "opt_out": True},
        {"market_id": 2, "owner_crm_id": None, "title": None, "opt_out": False},
    ]
    assert market.slices.rows(Kind.CONTACT, ("title",), ()).num_rows == 0


def test_what_waits_to_be_removed_is_withdrawn_when_it_was_seen_living_since_del_2(market: Market) -> None:
    """DEL-2"""
    put_links(market, *(link(f"c{number}", number) for number in range(4)))
    market.removals.note("acme", Kind.CONTACT, [Removal(f"c{number}") for number in range(4)], run_id="r", now=NOW)
    later = NOW + timedelta(seconds=1)
    assert market.slices.waiting_removals("acme", Kind.CONTACT, KeyRange("c1", "c3"), later) == ("c1", "c2")
    assert market.slices.waiting_removals("acme", Kind.CONTACT, EVERY_KEY, NOW) == ()
    market.slices.withdraw_removals("acme", Kind.CONTACT, ("c1", "c3"))
    assert market.slices.waiting_removals("acme", Kind.CONTACT, EVERY_KEY, later) == ("c0", "c2")
