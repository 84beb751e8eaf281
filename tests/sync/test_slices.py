"""Where the key space of a kind is cut, and which slice comes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.records import KeyRange, Kind
from sync.slices import Slice, cut, cut_again, is_too_large, joined, stalest_first

AT = datetime(2026, 3, 1, tzinfo=UTC)


def ranges(slices: tuple[Slice, ...]) -> list[tuple[str, str]]:
    return [(one.keys.low, one.keys.high) for one in slices]


def one(low: str, high: str, records: int | None = 5, age_days: int | None = 1, kind: Kind = Kind.CONTACT) -> Slice:
    return Slice(kind, KeyRange(low, high), None if age_days is None else AT - timedelta(days=age_days), records)


def test_the_first_slice_is_open_below_and_the_last_above() -> None:
    assert ranges(cut(Kind.LEAD, ("b", "d"))) == [("", "b"), ("b", "d"), ("d", "")]
    assert ranges(cut(Kind.LEAD, ())) == [("", "")]


def test_only_ids_that_every_database_sorts_alike_are_cut_at_where_there_are_some() -> None:
    assert ranges(cut(Kind.LEAD, ("0a-1", "Zeta", "ff-2", "ÄÖ"))) == [("", "0a-1"), ("0a-1", "ff-2"), ("ff-2", "")]
    assert ranges(cut(Kind.LEAD, ("0033A", "0033B"))) == [("", "0033A"), ("0033A", "0033B"), ("0033B", "")]


@given(st.lists(st.text("aBz0_", min_size=1, max_size=3)), st.lists(st.text("aBz0_", min_size=1, max_size=3)), st.randoms())
def test_every_key_is_in_some_slice_whatever_order_the_crm_keeps_its_keys_in(ids: list[str], keys: list[str], random: object) -> None:
    """The CRM may order `B` before or after `a`; an open range below and one above hold what lies outside of all cuts."""
    orders = (str, str.lower, lambda key: key.swapcase(), lambda key: key.replace("_", ""))
    for order in orders:
        for key in keys:
            assert any(
                (not low or order(key) >= order(low)) and (not high or order(key) < order(high))
                for low, high in ranges(cut(Kind.LEAD, ids))
            )


def test_what_was_never_compared_comes_first_then_the_stalest() -> None:
    slices = (
        one("a", "b", age_days=1),
        one("b", "c", age_days=9),
        one("c", "d", age_days=None),
        one("", "", age_days=None, kind=Kind.ACCOUNT),
    )
    assert [(each.kind, each.keys.low) for each in stalest_first(slices)] == [
        (Kind.ACCOUNT, ""),
        (Kind.CONTACT, "c"),
        (Kind.CONTACT, "b"),
        (Kind.CONTACT, "a"),
    ]


@pytest.mark.parametrize(("records", "too_large"), [(None, False), (0, False), (9_999, False), (10_000, True)])
def test_a_slice_is_cut_again_when_it_has_grown_to_twice_its_size(records: int | None, too_large: bool) -> None:
    assert is_too_large(one("a", "b", records), 5_000) is too_large


def test_the_parts_of_a_slice_are_as_stale_as_it_was_and_lie_within_it() -> None:
    parts = cut_again(one("b", "f", 12, age_days=3), ("a", "b", "c", "e", "f", "g"), ("b", "f"))
    assert ranges(parts) == [("b", "c"), ("c", "e"), ("e", "f")]
    assert {(part.checked_at, part.records) for part in parts} == {(AT - timedelta(days=3), None)}
    assert ranges(cut_again(one("b", "f"), ("C", "D_"), ("b", "f"))) == [("b", "f")]
    assert ranges(cut_again(one("B", ""), ("C", "D_"), ("A", "B"))) == [("B", "C"), ("C", "D_"), ("D_", "")]


def test_empty_slices_join_a_neighbour_which_is_as_stale_as_the_staler() -> None:
    found = joined([one("", "b", 0, 1), one("b", "d", 5, 2), one("d", "f", 0, 7), one("f", "", None, None)])
    assert found == (one("", "f", 5, 7), one("f", "", None, None))
    assert joined([one("", "", 0)]) == (one("", "", 0),)
    assert joined([one("", "b", 0, 1), one("b", "", None, None)]) == (one("", "", None, None),)
