"""What a reconciliation says about what it found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.reconciled import Compared, Staleness, by_kind, findings_of, in_one_sentence, staleness_in_words
from sync.records import Kind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_parts_of_a_kind_are_added_up_in_the_order_of_the_pull() -> None:
    parts = [
        Compared(Kind.CONTACT, 1, 10, 2, columns={"title": 2}),
        Compared(Kind.LEAD, 1, 5),
        Compared(Kind.CONTACT, 1, 9, 1, 1, 3, columns={"title": 1, "phone": 1}, examples=("c1",)),
    ]
    assert by_kind(parts) == (
        Compared(Kind.LEAD, 1, 5),
        Compared(Kind.CONTACT, 2, 19, 3, 1, 3, columns={"title": 3, "phone": 1}, examples=("c1",)),
    )


def test_findings_name_columns_and_never_a_value() -> None:
    found = findings_of(Compared(Kind.CONTACT, 1, 99, 3, 1, 2, 4, columns={"phone": 1, "title": 3}, examples=("c1", "c2")))
    assert [(each.topic, each.count, each.message) for each in found] == [
        ("silent change", 3, "3 contacts differed from the CRM although no stamp had moved; healed, mostly in title, phone"),
        ("missing record", 1, "1 contact was not in Market although no new change says why; brought in"),
        ("vanished record", 2, "2 contacts vanished from the CRM without a trace, or from the syncing user's sight; treated as deleted"),
        ("left the filter", 4, "4 contacts no longer meet the sync filter"),
    ]
    assert found[2].examples == ("c1", "c2")


def test_where_deletions_are_not_pulled_what_vanished_is_told_and_stays_del_1() -> None:
    """DEL-1 is a pull option."""
    [found] = findings_of(Compared(Kind.LEAD, gone=1), deletions=False)
    assert found.message.endswith("left as they are, because deletions are not pulled")


def test_where_both_agree_there_is_nothing_to_know() -> None:
    assert findings_of(Compared(Kind.LEAD, 3, 5_000, recent=7)) == ()
    assert in_one_sentence("acme", [Compared(Kind.LEAD, 3, 5_000)]) == "5,000 records compared with acme: no silent change was found."


def test_the_whole_run_is_one_sentence() -> None:
    parts = [Compared(Kind.LEAD, 1, 1, gone=2), Compared(Kind.CONTACT, 1, 10, healed=3)]
    assert in_one_sentence("acme", parts) == "11 records compared with acme: 3 differed, 2 vanished from the CRM."


@pytest.mark.parametrize(
    ("stale", "words"),
    [
        (Staleness(0, 0, None), "Market was never compared with the CRM as a whole."),
        (Staleness(8, 1, NOW), "1 of 8 slices was never compared with the CRM."),
        (Staleness(8, 8, None), "8 of 8 slices were never compared with the CRM."),
        (
            Staleness(8, 0, NOW - timedelta(days=3)),
            "Every slice was compared with the CRM; the one that was compared longest ago 3 days ago.",
        ),
        (
            Staleness(8, 0, NOW - timedelta(seconds=5)),
            "Every slice was compared with the CRM; the one that was compared longest ago less than a minute ago.",
        ),
    ],
)
def test_how_stale_the_oldest_unchecked_slice_is_stands_in_one_sentence(stale: Staleness, words: str) -> None:
    assert staleness_in_words(stale, NOW) == words
